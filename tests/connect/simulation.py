"""Seeded schedules of several processes that share one single-use refresh token, in virtual time.

The refresher is the real one. The store is a model with latency, outages and unclear commits; the token endpoint is
adversarial: rotation with reuse detection, slow answers, answers that get lost after the rotation. Processes are
killed, stopped for a while and resumed; a person authorizes again in the middle of it.

    python -m tests.connect.simulation 10000
"""

import asyncio
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from dragoman_server.connect import rules
from dragoman_server.connect.errors import ConnectError
from dragoman_server.connect.grants.model import TokenAnswer, TokenRefusal
from dragoman_server.connect.grants.refresh_token import renewed_values
from dragoman_server.connect.model import CredentialKey, Failure, Failures, Lease, Renewal, Stored, Times
from dragoman_server.connect.refresh import Refresher, Wish
from dragoman_server.connect.sealing import decode_credential
from dragoman_server.egress.errors import UpstreamTimeoutError, UpstreamUnreachableError
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.kit.telemetry import configure_logging
from dragoman_server.providers.model import AuthMode, Credential
from tests.connect.virtual_time import run

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)
KEY = CredentialKey(EnvironmentId(1), ConnectionRowId(1))
LIFE = 60.0
KINDS = (
    "none",
    "crash",
    "pause",
    "slow",
    "lost_answer",
    "half_closed",
    "error_after",
    "error_before",
    "reconnect",
    "outage",
)
PROCESS_FAULTS = frozenset({"crash", "pause", "outage"})


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
        return TokenAnswer(f"at-of-{following}", following, timedelta(seconds=LIFE), None, {})


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


@dataclass
class Report:
    seed: int
    fault: str
    grace: float
    calls_per_token: Counter[str]
    overlapping: int
    alive: bool
    right_family: bool
    last_read_works: bool
    strays: list[str]


class World:
    def __init__(self, seed: int, *, processes: int = 4, readers: int = 4) -> None:
        self.seed = seed
        self.rng = random.Random(seed)
        self.clock = VirtualClock()
        self.grace = self.rng.choice([10.0, 0.0])
        self.fault = KINDS[seed % len(KINDS)]
        self.provider = Provider(self.grace, self.rng)
        self.store = Store(self.rng, self.clock)
        self.disk = Disk()
        self.processes = [Process(n) for n in range(processes)]
        self.refreshers = [self._refresher(p) for p in self.processes]
        self.readers = readers
        self.family = 1
        self.strays: list[str] = []
        self.done = asyncio.Event()

    def _refresher(self, process: Process) -> Refresher:
        return Refresher(
            book=ModelBook(self.store, process),
            endpoint=ModelEndpoint(self.provider, process),
            spill=self.disk,
            clock=self.clock,
            sleep=process.sleep,
        )

    async def play(self) -> Report:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        self.store.put(self.provider.grant(self.family))
        tasks = [
            asyncio.create_task(self._reader(number, random.Random(self.rng.random())))
            for number in range(len(self.processes))
            for _ in range(self.readers)
        ]
        stale = begin + LIFE * 0.8
        tasks.append(asyncio.create_task(self._misfortune(stale + self.rng.uniform(0, 1.2))))
        if self.fault in {"slow", "lost_answer", "half_closed", "error_after", "error_before"}:
            self.provider.fault = self.fault
        await asyncio.sleep(LIFE * 1.8 + self.rng.uniform(0, 5))
        self.done.set()
        await asyncio.sleep(60)
        await self._restart_and_replay()
        works = await self._last_read()
        for task in tasks:
            task.cancel()
        return self._report(works)

    async def _reader(self, number: int, rng: random.Random) -> None:
        process, refresher = self.processes[number], self.refreshers[number]
        book = ModelBook(self.store, process)
        wait = 0.0
        while not self.done.is_set():
            await process.sleep(wait + rng.uniform(0.2, 2.0))
            wait = 0.0
            try:
                stored = await book.read(KEY)
                assert stored is not None
                assert stored.times.stale_at is not None
                if not rules.is_stale(stored, stored.read_at):
                    wait = max((stored.times.stale_at - stored.read_at).total_seconds() - 2.0, 0.0)
                else:
                    await refresher.refresh(Wish(KEY, stored.version, stored.failures.attempts))
            except (ConnectError, DatabaseAwayError):
                continue
            except Exception as error:  # a defect; the report names it
                self.strays.append(repr(error))

    async def _misfortune(self, at: float) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(at - loop.time())
        if self.fault == "reconnect":
            self.family += 1
            self.store.put(self.provider.grant(self.family))
        elif self.fault == "outage":
            length = self.rng.uniform(1, 20)
            self.store.away_until = loop.time() + length
            self.store.started_at = loop.time() + length
        elif self.fault in {"crash", "pause"}:
            victim = self._busy_process()
            if self.fault == "crash":
                victim.dead = True
            else:
                await victim.pause(self.rng.uniform(1, 40))

    def _busy_process(self) -> Process:
        """The one whose call is out, if any: the worst to lose."""
        for use in reversed(self.provider.uses):
            if use.answered is None:
                return self.processes[use.process]
        return self.rng.choice(self.processes)

    async def _restart_and_replay(self) -> None:
        fresh = Process(99)
        book = ModelBook(self.store, fresh)
        for renewal in list(self.disk.answers.values()):
            await book.commit(renewal)
        self.refreshers.append(self._refresher(fresh))

    async def _last_read(self) -> bool:
        book = ModelBook(self.store, Process(100))
        stored = await book.read(KEY)
        assert stored is not None
        try:
            await self.refreshers[-1].refresh(Wish(KEY, stored.version, stored.failures.attempts, forced=True))
        except ConnectError:
            return False
        return True

    def _report(self, works: bool) -> Report:
        row = self.store.row
        assert row is not None
        token = str(row.credential.values["refresh_token"])
        uses = sorted(self.provider.uses, key=lambda u: u.arrived)
        overlapping = sum(
            1
            for a, b in zip(uses, uses[1:], strict=False)
            if a.token == b.token and (a.answered is None or b.arrived < a.answered)
        )
        return Report(
            seed=self.seed,
            fault=self.fault,
            grace=self.grace,
            calls_per_token=Counter(u.token for u in uses),
            overlapping=overlapping,
            alive=self.provider.works(token),
            right_family=self.provider.family[token] == self.family,
            last_read_works=works,
            strays=self.strays,
        )


def play(seed: int) -> Report:
    return run(_play(seed))


async def _play(seed: int) -> Report:
    return await World(seed).play()


def problems(report: Report) -> list[str]:
    """Return what this schedule must not have done."""
    found = [f"a stray {stray}" for stray in report.strays]
    most = max(report.calls_per_token.values(), default=0)
    faulty = report.fault not in {"none", "reconnect", "slow", "error_before"}
    if most > (2 if faulty else 1):
        found.append(f"one refresh token was used {most} times")
    if not faulty and report.overlapping:
        found.append("two calls were out at once")
    if not report.right_family:
        found.append("an older grant won over a later consent")
    lost = not (report.alive and report.last_read_works)
    if lost and (report.grace >= 10 or not faulty):
        found.append("the grant was lost")
    return found


def main(count: int) -> int:
    configure_logging(level="error")
    lost: Counter[str] = Counter()
    bad = 0
    for seed in range(count):
        report = play(seed)
        lost[report.fault] += not (report.alive and report.last_read_works)
        for problem in problems(report):
            bad += 1
            print(f"seed {seed} ({report.fault}, grace {report.grace:.0f} s): {problem}")
    print(f"{count} schedules, {bad} problems; grants lost by strict single use, by fault: {dict(lost)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
