"""Keeping a grant alive when many readers, in many processes, find its token stale at once.

Transaction A leases the credential and notes the grant about to be used; then the call; transaction B compares and
sets. See INVARIANTS.md for what must hold and why, docs/decisions for the lease that is renewed.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

from prometheus_client import Counter

from dragoman_server.connect import rules
from dragoman_server.connect.errors import (
    NoCredentialError,
    RefreshBackoffError,
    RefreshExhaustedError,
    RefreshFailedError,
    RefreshTimeoutError,
)
from dragoman_server.connect.grants.model import TokenAnswer, TokenRefusal
from dragoman_server.connect.model import CredentialKey, Failure, Lease, Renewal, Stored
from dragoman_server.connect.port import AnswerStore, Call, CredentialBook, TokenEndpoint
from dragoman_server.connect.sealing import encode_credential
from dragoman_server.egress.errors import InvalidUpstreamAnswerError, UpstreamTimeoutError, UpstreamUnreachableError
from dragoman_server.kit.clock import Clock
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.telemetry import REGISTRY, get_logger
from dragoman_server.providers.model import Credential

log = get_logger("connect")

REFRESHES = Counter("dragoman_token_refreshes", "Token refreshes by outcome.", ["outcome"], registry=REGISTRY)
LOST_GRANTS = Counter(
    "dragoman_token_grants_lost",
    "Grants the provider refused right after an attempt was cut off (crash or long pause after sending).",
    registry=REGISTRY,
)


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds. A first call that gives no answer is repeated once, while a provider's grace for reuse may still run."""

    lease: float = 5.0
    beat: float = 1.0
    safety: float = 1.0
    first_call: float = 8.0
    second_call: float = 15.0
    wait: float = 30.0
    patience: float = 45.0
    poll: float = 0.05
    slowest_poll: float = 0.3


@dataclass(frozen=True, slots=True)
class Wish:
    """Why a refresh is asked for. `version` and `attempts` are what the asker saw."""

    key: CredentialKey
    version: int
    attempts: int = 0
    forced: bool = False
    rejected: bool = False
    ahead: bool = False


class _Busy(Exception):  # noqa: N818  not an error: somebody else acts
    """The lease is not ours; look again."""


class Refresher:
    """Single flight inside the process, a lease between processes. `stop` before the database is closed."""

    def __init__(
        self,
        *,
        book: CredentialBook,
        endpoint: TokenEndpoint,
        spill: AnswerStore,
        clock: Clock,
        timing: Timing | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._book = book
        self._endpoint = endpoint
        self._spill = spill
        self._clock = clock
        self._timing = timing or Timing()
        self._sleep = sleep
        self._flights: dict[tuple[CredentialKey, bool], asyncio.Task[Stored]] = {}
        self._stopping = False

    async def refresh(self, wish: Wish) -> Stored:
        """Return a credential that satisfies the wish; raise why there is none. The work outlives its caller."""
        slot = (wish.key, wish.forced)
        flight = self._flights.get(slot)
        if flight is None:
            flight = asyncio.create_task(self._fly(wish))
            self._flights[slot] = flight
            flight.add_done_callback(lambda done: self._landed(slot, done))
        try:
            return await asyncio.wait_for(asyncio.shield(flight), self._timing.patience)
        except TimeoutError:
            raise RefreshTimeoutError from None

    async def stop(self, grace: float = 20.0) -> None:
        """Let flights land; what holds an answer the database does not take is already spilled, and is cut off."""
        self._stopping = True
        flights = [f for f in self._flights.values() if not f.done()]
        if flights:
            _, late = await asyncio.wait(flights, timeout=grace)
            for flight in late:
                flight.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _landed(self, slot: tuple[CredentialKey, bool], flight: asyncio.Task[Stored]) -> None:
        if self._flights.get(slot) is flight:
            del self._flights[slot]
        if not flight.cancelled():
            flight.exception()  # nobody may be left to look at it

    async def _fly(self, wish: Wish) -> Stored:
        waits_until = self._clock.monotonic() + self._timing.wait
        pause = self._timing.poll
        while True:
            stored = await self._book.read(wish.key)
            if stored is None:
                raise NoCredentialError
            answer = self._settled(stored, wish)
            if answer is not None:
                return answer
            if not stored.leased(stored.read_at):
                with suppress(_Busy):
                    return await self._attempt(stored, wish)
            if wish.ahead:
                return stored  # the due-queue waits for nobody
            if self._clock.monotonic() >= waits_until:
                return self._fall_back(stored, wish, RefreshTimeoutError())
            await self._sleep(pause)
            pause = min(pause * 1.5, self._timing.slowest_poll)

    def _settled(self, stored: Stored, wish: Wish) -> Stored | None:
        """Return the credential if nothing needs to be asked (any more); raise if nothing may be asked now."""
        now = stored.read_at
        if stored.grant is None:
            return stored
        if stored.version != wish.version and (wish.forced or wish.rejected or not rules.is_stale(stored, now)):
            return stored
        if wish.forced:
            if stored.failures.attempts > wish.attempts:
                raise RefreshFailedError("The provider refused to renew this connection's token a moment ago.")
            return None
        due = wish.ahead and stored.times.due_at is not None and now >= stored.times.due_at
        if not (rules.is_stale(stored, now) or wish.rejected or due):
            return stored
        if stored.failures.exhausted:
            return self._fall_back(stored, wish, RefreshExhaustedError())
        left = rules.cool_down_left(stored.failures, now)
        if left:
            return self._fall_back(stored, wish, RefreshBackoffError(int(left.total_seconds()) + 1))
        return None

    def _fall_back(self, stored: Stored, wish: Wish, error: DragomanError) -> Stored:
        """Return a token that still works; raise when there is none or the caller wants another."""
        now = stored.now(self._clock.monotonic())
        if wish.forced or wish.rejected or rules.is_expired(stored, now):
            raise error
        return stored

    async def _attempt(self, seen: Stored, wish: Wish) -> Stored:
        call = await self._endpoint.prepare(wish.key, seen)
        asked_at = self._clock.monotonic()
        length = timedelta(seconds=self._timing.lease)
        lease = await self._book.lease(wish.key, holder=uuid4(), version=seen.version, length=length)
        if lease is None:
            raise _Busy
        watch = _LeaseWatch(asked_at + self._timing.lease)
        beating = asyncio.create_task(self._beat(lease, watch))
        try:
            try:
                answer = await self._ask(call, lease, watch)
            except DragomanError as error:
                answer = error
            if isinstance(answer, TokenAnswer):
                return await self._keep(call, lease, wish, answer, watch.sent_at)
            return await self._give_up(call, lease, wish, answer)
        finally:
            beating.cancel()

    async def _ask(self, call: Call, lease: Lease, watch: "_LeaseWatch") -> TokenAnswer | TokenRefusal:
        """Call, and once more if the provider may have renewed the token without our hearing of it.

        A server that only wants its nonce in the proof has taken nothing (RFC 9449 section 8): such a call is no use.
        """
        seconds, challenged = self._timing.first_call, False
        while True:
            if self._clock.monotonic() > watch.ends_at - self._timing.safety:
                if seconds == self._timing.first_call:
                    await self._book.release(lease.stored.key, holder=lease.holder)
                raise _Busy  # paused, or the database was away: whoever leases it now may be calling
            last = seconds == self._timing.second_call
            watch.sent_at = self._clock.monotonic()
            try:
                answer = await call.ask(lease.stored, seconds)
            except (UpstreamTimeoutError, UpstreamUnreachableError) as error:
                if last or not error.sent:
                    raise
            except InvalidUpstreamAnswerError:
                if last:
                    raise
            else:
                if isinstance(answer, TokenRefusal) and answer.wants_nonce and not challenged:
                    challenged = True
                    continue
                if last or isinstance(answer, TokenAnswer) or not answer.may_have_happened:
                    return answer
            seconds = self._timing.second_call

    async def _keep(self, call: Call, lease: Lease, wish: Wish, answer: TokenAnswer, sent_at: float) -> Stored:
        """Transaction B, tried until it is committed: an answer in hand is never dropped."""
        renewal = self._renewal(call, lease, wish, answer, sent_at)
        committed = await self._commit(renewal)
        self._book.forget(wish.key)
        REFRESHES.labels("renewed" if committed else "superseded").inc()
        stored = await self._book.read(wish.key)
        if stored is not None and committed and renewal.expires_at is None:
            stored = await self._learn(call, stored)
        call.finish(None)
        if stored is None:
            raise NoCredentialError
        return stored

    async def _learn(self, call: Call, stored: Stored) -> Stored | None:
        """Ask for an expiry that was not stated, only once the token is safe; without one it is used until refused."""
        life = await call.life(stored)
        if life is None:
            return stored
        now = stored.now(self._clock.monotonic())
        await self._book.learn_expiry(stored, now + life, rules.times(stored.issued_at, now + life, None, call.buffer))
        return await self._book.read(stored.key)

    def _renewal(self, call: Call, lease: Lease, wish: Wish, answer: TokenAnswer, sent_at: float) -> Renewal:
        stored = lease.stored
        assert stored.grant is not None  # a lease names one
        issued_at = stored.now(sent_at)
        learned = stored.learned_life
        if wish.rejected and stored.credential.expires_at is None:
            learned = rules.learn(learned, stored.read_at - stored.issued_at)
        life = answer.life or call.default_life
        expires_at = None if life is None else issued_at + life
        renewed = call.renewed(stored, answer)
        credential = Credential(renewed.type, renewed.values, expires_at)
        return Renewal(
            key=stored.key,
            holder=lease.holder,
            used=stored.grant,
            sealed=lease.seal(encode_credential(credential)),
            grant=self._book.fingerprint(credential),
            issued_at=issued_at,
            expires_at=expires_at,
            times=rules.times(issued_at, expires_at, learned, call.buffer),
            learned_life=learned,
            config=dict(answer.metadata),
        )

    async def _commit(self, renewal: Renewal) -> bool:
        spilled = False
        pause = 0.1
        while True:
            try:
                committed = await self._book.commit(renewal)
            except asyncio.CancelledError:
                self._spill.put(renewal)
                raise
            except Exception as error:  # whatever keeps it from being stored, the answer is the only one there is
                if not spilled:
                    self._spill.put(renewal)
                    spilled = True
                    log.warning("renewal_not_stored_yet", credential=str(renewal.key), error=type(error).__name__)
                if self._stopping:
                    raise
                await self._sleep(pause)
                pause = min(pause * 2, 1.0)
                continue
            if spilled:
                self._spill.remove(renewal)
            return committed

    async def _give_up(self, call: Call, lease: Lease, wish: Wish, answer: TokenRefusal | DragomanError) -> Stored:
        stored = lease.stored
        assert stored.grant is not None  # a lease names one
        dead = isinstance(answer, TokenRefusal) and answer.grant_is_dead
        message = answer.sentence() if isinstance(answer, TokenRefusal) else answer.message
        if dead:
            current = await self._book.read(wish.key)
            if current is not None and current.grant != stored.grant:
                call.finish("Somebody else stored a newer grant meanwhile; this refusal is of the old one.")
                raise _Busy
            if lease.repeated:
                LOST_GRANTS.inc()
        failure = Failure(message, dead, call.operation_id)
        if not await self._book.fail(wish.key, holder=lease.holder, used=stored.grant, failure=failure):
            call.finish("The lease was lost or a newer grant stored meanwhile.")
            raise _Busy
        self._book.forget(wish.key)
        REFRESHES.labels("dead" if dead else "failed").inc()
        call.finish(message)
        current = await self._book.read(wish.key)
        if current is None:
            raise NoCredentialError
        return self._fall_back(current, wish, RefreshFailedError(message, dead=dead))

    async def _beat(self, lease: Lease, watch: "_LeaseWatch") -> None:
        """Renew the lease while the call is out, so that a dead process's lease ends within seconds."""
        length = timedelta(seconds=self._timing.lease)
        while True:
            await self._sleep(self._timing.beat)
            started = self._clock.monotonic()
            try:
                kept = await self._book.extend(lease.stored.key, holder=lease.holder, length=length)
            except Exception as error:  # the database is away; the next beat tries again
                log.info("lease_not_renewed", credential=str(lease.stored.key), error=type(error).__name__)
                continue
            if not kept:
                watch.ends_at = float("-inf")
                return
            watch.ends_at = started + self._timing.lease


@dataclass(slots=True)
class _LeaseWatch:
    """Until when, by our monotonic clock, the lease surely is ours; and when the last request left."""

    ends_at: float
    sent_at: float = 0.0
