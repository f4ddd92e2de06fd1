"""A world for the refresher: a store with latency, outages and unclear commits, and an adversarial token endpoint.

The endpoint rotates with reuse detection, answers slowly, and lets answers get lost after the rotation. Time is that of
the running loop, so it may be virtual.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from dragoman_server.connect import rules
from dragoman_server.connect.grants.model import TokenAnswer, TokenRefusal
from dragoman_server.connect.grants.refresh_token import renewed_values
from dragoman_server.connect.model import CredentialKey, Failure, Failures, Lease, Renewal, Stored, Times
from dragoman_server.connect.sealing import decode_credential
from dragoman_server.egress.errors import UpstreamTimeoutError, UpstreamUnreachableError
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.providers.model import AuthMode, Credential

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
KEY = CredentialKey(EnvironmentId(1), ConnectionRowId(1))
LIFE = 60.0


class DatabaseAwayError(ConnectionError):
    pass


class VirtualClock:
    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        return asyncio.get_running_loop().time()


@dataclass
class Use:
    token: str
    process: int
    arrived: float
    answered: float | None = None


@dataclass
class Provider:
    """Rotates refresh tokens. A token used again later than `grace` seconds after its first use revokes its family."""

    grace: float
    rng: random.Random
    first_use: dict[str, float] = field(default_factory=dict[str, float])
    family: dict[str, int] = field(default_factory=dict[str, int])
    revoked: set[int] = field(default_factory=set[int])
    uses: list[Use] = field(default_factory=list[Use])
    made: int = 0
    fault: str | None = None
    challenges: bool = False
    states_life: bool = True
    nonce_of: set[int] = field(default_factory=set[int])

    def grant(self, family: int) -> str:
        self.made += 1
        token = f"rt-{self.made}"
        self.family[token] = family
        return token

    def works(self, token: str) -> bool:
        return self.family[token] not in self.revoked and token not in self.first_use

    def exchange(self, token: str, now: float) -> str | None:
        """Return the next refresh token, or None for `invalid_grant`."""
        family = self.family[token]
        used = self.first_use.setdefault(token, now)
        if family in self.revoked:
            return None
        if now - used > self.grace:
            self.revoked.add(family)
            return None
        return self.grant(family)


@dataclass
class Row:
    credential: Credential
    grant: bytes
    version: int
    issued_at: datetime
    times: Times
    failures: Failures = Failures()
    lease_holder: UUID | None = None
    lease_until: datetime | None = None
    intent: bytes | None = None


class Process:
    """What dies and stops. Everything a process does passes `gate`."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.dead = False
        self._running = asyncio.Event()
        self._running.set()

    async def gate(self) -> None:
        if self.dead:
            await asyncio.sleep(1e9)
        await self._running.wait()
        if self.dead:
            await asyncio.sleep(1e9)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.gate()

    async def pause(self, seconds: float) -> None:
        self._running.clear()
        await asyncio.sleep(seconds)
        self._running.set()


class Store:
    """The model of the table: single statements, atomic, by its own clock."""

    def __init__(self, rng: random.Random, clock: VirtualClock) -> None:
        self.rng = rng
        self.clock = clock
        self.row: Row | None = None
        self.away_until = -1.0
        self.started_at = float("-inf")
        self.commits = 0

    def put(self, token: str) -> None:
        """A consent: wins over everything."""
        now = self.clock.now()
        credential = oauth_credential(token, now)
        version = self.row.version + 1 if self.row else 1
        times = rules.times(now, credential.expires_at, None)
        self.row = Row(credential, token.encode(), version, now, times)

    async def turn(self, process: Process, action: Callable[[], Any]) -> Any:
        await process.gate()
        await asyncio.sleep(self.rng.uniform(0.0005, 0.02))
        if self.clock.monotonic() < self.away_until:
            raise DatabaseAwayError
        result = action()
        await asyncio.sleep(self.rng.uniform(0.0005, 0.02))
        await process.gate()
        if self.clock.monotonic() < self.away_until:
            raise DatabaseAwayError  # committed, but nobody heard of it
        return result


def oauth_credential(token: str, now: datetime) -> Credential:
    values: dict[str, Any] = {"access_token": f"at-of-{token}", "refresh_token": token, "raw": {}}
    return Credential(AuthMode.OAUTH2, values, now + timedelta(seconds=LIFE))


class ModelBook:
    def __init__(self, store: Store, process: Process) -> None:
        self.store = store
        self.process = process

    def _stored(self, before: float) -> Stored:
        row = self.store.row
        assert row is not None
        return Stored(
            KEY, UUID(int=1), row.credential, row.version, row.grant, row.issued_at, row.times, None, row.failures,
            None, row.lease_holder, row.lease_until, self.store.clock.now(), before,
        )  # fmt: skip

    async def read(self, key: CredentialKey) -> Stored | None:
        before = self.store.clock.monotonic()
        return await self.store.turn(self.process, lambda: self._stored(before))

    async def lease(self, key: CredentialKey, *, holder: UUID, version: int, length: timedelta) -> Lease | None:
        before = self.store.clock.monotonic()

        def act() -> Lease | None:
            row, now = self.store.row, self.store.clock.now()
            assert row is not None
            young = self.store.clock.monotonic() - self.store.started_at < length.total_seconds()
            if row.version != version or (row.lease_until is not None and (row.lease_until > now or young)):
                return None
            repeated = row.intent == row.grant
            row.lease_holder, row.lease_until, row.intent = holder, now + length, row.grant
            return Lease(self._stored(before), holder, repeated, lambda plain: plain)

        return await self.store.turn(self.process, act)

    async def extend(self, key: CredentialKey, *, holder: UUID, length: timedelta) -> bool:
        def act() -> bool:
            row = self.store.row
            assert row is not None
            if row.lease_holder != holder:
                return False
            row.lease_until = self.store.clock.now() + length
            return True

        return await self.store.turn(self.process, act)

    async def release(self, key: CredentialKey, *, holder: UUID) -> None:
        def act() -> None:
            row = self.store.row
            assert row is not None
            if row.lease_holder == holder:
                row.lease_holder = row.lease_until = row.intent = None

        await self.store.turn(self.process, act)

    async def commit(self, renewal: Renewal) -> bool:
        def act() -> bool:
            row = self.store.row
            assert row is not None
            if row.grant != renewal.used:
                return False
            assert renewal.grant is not None
            mine = row.lease_holder == renewal.holder
            self.store.row = Row(
                decode_credential(renewal.sealed), renewal.grant, row.version + 1, renewal.issued_at, renewal.times,
                lease_holder=None if mine else row.lease_holder, lease_until=None if mine else row.lease_until,
            )  # fmt: skip
            self.store.commits += 1
            return True

        return await self.store.turn(self.process, act)

    async def learn_expiry(self, stored: Stored, expires_at: datetime, times: Times) -> None:
        def act() -> None:
            row = self.store.row
            assert row is not None
            if row.version == stored.version:
                credential = Credential(row.credential.type, row.credential.values, expires_at)
                self.store.row = replace(row, credential=credential, times=times)

        await self.store.turn(self.process, act)

    async def fail(self, key: CredentialKey, *, holder: UUID, used: bytes, failure: Failure) -> bool:
        def act() -> bool:
            row = self.store.row
            assert row is not None
            if row.lease_holder != holder or row.grant != used:
                return False
            failures = rules.after_failure(row.failures, self.store.clock.now(), dead=failure.dead)
            self.store.row = replace(row, failures=failures, lease_holder=None, lease_until=None, intent=None)
            return True

        return await self.store.turn(self.process, act)

    def fingerprint(self, credential: Credential) -> bytes | None:
        return str(credential.values["refresh_token"]).encode()

    def forget(self, key: CredentialKey) -> None:
        pass


class ModelCall:
    buffer = None
    default_life = None
    operation_id = None

    def __init__(self, provider: Provider, process: Process) -> None:
        self.provider = provider
        self.process = process

    def finish(self, problem: str | None) -> None:
        pass

    async def life(self, stored: Stored) -> timedelta | None:
        if self.provider.states_life:
            return None
        await asyncio.sleep(self.provider.rng.uniform(0.01, 0.8))
        await self.process.gate()
        return timedelta(seconds=LIFE)

    def renewed(self, stored: Stored, answer: TokenAnswer) -> Credential:
        return Credential(AuthMode.OAUTH2, renewed_values(stored.credential.values, answer))

    async def ask(self, stored: Stored, seconds: float) -> TokenAnswer | TokenRefusal:
        try:
            async with asyncio.timeout(seconds):
                return await self._ask(str(stored.credential.values["refresh_token"]))
        except TimeoutError:
            await self.process.gate()
            raise UpstreamTimeoutError("provider", "waiting for the answer", sent=True) from None

    async def _ask(self, token: str) -> TokenAnswer | TokenRefusal:
        provider, loop = self.provider, asyncio.get_running_loop()
        fault, provider.fault = provider.fault, None
        await asyncio.sleep(provider.rng.uniform(0.001, 0.3))
        if provider.challenges and self.process.number not in provider.nonce_of:
            provider.nonce_of.add(self.process.number)  # takes nothing: it only wants its nonce in the proof
            await asyncio.sleep(provider.rng.uniform(0.01, 0.8))
            await self.process.gate()
            return TokenRefusal(400, "use_dpop_nonce")
        use = Use(token, self.process.number, loop.time())
        if provider.family[token] not in provider.revoked:
            provider.uses.append(use)  # what is asked with a dead grant harms nobody
        if fault == "error_before":
            if use in provider.uses:
                provider.uses.remove(use)
            await self.process.gate()
            return TokenRefusal(503, None)
        # The exchange happens, whatever becomes of the caller: the request has left.
        following = provider.exchange(token, loop.time())
        if fault == "lost_answer":
            await asyncio.sleep(1e9)
        await asyncio.sleep(provider.rng.uniform(3, 7) if fault == "slow" else provider.rng.uniform(0.01, 0.8))
        use.answered = loop.time()
        await self.process.gate()
        if fault == "half_closed":
            raise UpstreamUnreachableError("provider", "the connection was closed", sent=True)
        if fault == "error_after":
            return TokenRefusal(502, None)
        if following is None:
            return TokenRefusal(400, "invalid_grant")
        life = timedelta(seconds=LIFE) if provider.states_life else None
        return TokenAnswer(f"at-of-{following}", following, life, None, {})


class ModelEndpoint:
    def __init__(self, provider: Provider, process: Process) -> None:
        self.provider = provider
        self.process = process

    async def prepare(self, key: CredentialKey, stored: Stored) -> ModelCall:
        await self.process.gate()
        return ModelCall(self.provider, self.process)


class Disk:
    """Survives its process; replayed by whoever starts next."""

    def __init__(self) -> None:
        self.answers: dict[UUID, Renewal] = {}

    def put(self, renewal: Renewal) -> None:
        self.answers[renewal.holder] = renewal

    def remove(self, renewal: Renewal) -> None:
        self.answers.pop(renewal.holder, None)
