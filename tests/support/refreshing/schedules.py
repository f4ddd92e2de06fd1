"""Seeded schedules of several processes that share one single-use refresh token, in virtual time.

The refresher is the real one; store and token endpoint are those of `model`. Processes are killed, stopped for a while
and resumed; a person authorizes again in the middle of it.

    python -m tests.support.refreshing.schedules 10000
"""

import asyncio
import random
import sys
from collections import Counter
from dataclasses import dataclass

from dragoman_server.connect import rules
from dragoman_server.connect.errors import ConnectError
from dragoman_server.connect.refresh import Refresher, Wish
from dragoman_server.kit.telemetry import configure_logging
from tests.support.refreshing.model import (
    KEY,
    LIFE,
    DatabaseAwayError,
    Disk,
    ModelBook,
    ModelEndpoint,
    Process,
    Provider,
    Store,
    VirtualClock,
)
from tests.support.refreshing.virtual_time import run

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
    "challenge",
    "challenge_pause",
    "unstated",
)
PEACEFUL = frozenset({"none", "reconnect", "slow", "error_before", "challenge", "unstated"})
"""Faults that no process and no answer is lost to."""


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

    @property
    def peaceful(self) -> bool:
        return self.fault in PEACEFUL

    @property
    def most_calls(self) -> int:
        """With the same refresh token."""
        return max(self.calls_per_token.values(), default=0)

    @property
    def lost(self) -> bool:
        return not (self.alive and self.last_read_works)


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
        self.provider.challenges = self.fault in {"challenge", "challenge_pause"}
        self.provider.states_life = self.fault != "unstated"
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
                if stored.times.stale_at is None:
                    continue  # its life is being asked for
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
        elif self.fault in {"crash", "pause", "challenge_pause"}:
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
    if report.most_calls > (1 if report.peaceful else 2):
        found.append(f"one refresh token was used {report.most_calls} times")
    if report.peaceful and report.overlapping:
        found.append("two calls were out at once")
    if not report.right_family:
        found.append("an older grant won over a later consent")
    if report.lost and (report.grace >= 10 or report.peaceful):
        found.append("the grant was lost")
    if report.lost and report.most_calls < 2:
        found.append("the grant was lost outside the named window: nothing was asked twice")
    return found


def main(count: int) -> int:
    configure_logging(level="error")
    lost: Counter[str] = Counter()
    bad = 0
    for seed in range(count):
        report = play(seed)
        lost[report.fault] += report.lost
        for problem in problems(report):
            bad += 1
            print(f"seed {seed} ({report.fault}, grace {report.grace:.0f} s): {problem}")
    print(f"{count} schedules, {bad} problems; grants lost by strict single use, by fault: {dict(lost)}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
