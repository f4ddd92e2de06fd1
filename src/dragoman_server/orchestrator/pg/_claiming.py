"""Claiming: rounds over the environments, and knowing when looking again is pointless."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from dragoman_server.db import Conn, Database
from dragoman_server.kit.clock import Clock
from dragoman_server.orchestrator.model import ClaimedTask, QueueLimits
from dragoman_server.orchestrator.pg import _store
from dragoman_server.orchestrator.pg._store import BEGINNING, Got, Queued, Want
from dragoman_server.orchestrator.pg.hints import WorkBell

_BUSY_TRIES = 6
_WIDEST_SWEEP = 512
_DRY_SECONDS = 0.9  # less than the poll: one look a second stands behind every hint

MARGIN = 8000
"""Further from a cap than this, a batch is queued without the cap's lock: sixteen processes' batches fit in."""

Lane = tuple[str, str]
"""A worker and a lane."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """What queueing with a claim did: per task its id and whether it is new (None: nothing was done), what was claimed,
    and the lanes in which nothing is left to claim.
    """

    done: list[tuple[UUID, bool]] | None
    taken: list[ClaimedTask]
    dry: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Dry:
    """At the last look nothing could be claimed; `blocked` environments had ready tasks held back by a cap."""

    until: float
    blocked: frozenset[int]


class Claimer:
    """Keeps each worker's place. A dry lane is not looked at again before a hint, a freed cap or a second."""

    def __init__(
        self,
        database: Database,
        *,
        bell: WorkBell,
        limits: Callable[[str], QueueLimits],
        lease: timedelta,
        clock: Clock,
    ) -> None:
        self._database = database
        self._bell = bell
        self._limits = limits
        self._lease = lease
        self._clock = clock
        self._cursors: dict[Lane, tuple[int, int]] = {}
        self._dry: dict[Lane, _Dry] = {}
        self._blocked: dict[Lane, int] = {}
        self._freed = 0
        self._under_way: Counter[str] = Counter()

    def claiming(self, worker: str) -> bool:
        """True while a claim of `worker` has not been answered."""
        return self._under_way[worker] > 0

    def forget(self, worker: str | None = None) -> None:
        """Look at everything again (of one worker that leaves, or of all: a cap was changed)."""
        for lane in [lane for lane in self._dry if worker in {None, lane[0]}]:
            del self._dry[lane]
        for lane in [lane for lane in self._cursors if worker == lane[0]]:
            del self._cursors[lane]
            self._blocked.pop(lane, None)

    def freed(self, places: Iterable[tuple[str, int]]) -> None:
        """Runs of these (lane, environment) ended: what their caps held back may go."""
        ended = set(places)
        self._freed += 1
        for lane, dry in list(self._dry.items()):
            if any(queue == lane[1] and environment in dry.blocked for queue, environment in ended):
                del self._dry[lane]
                self._bell.ring([lane[1]])

    async def claim(self, worker: str, queues: Mapping[str, int]) -> list[ClaimedTask]:
        """Claim until each lane gave something or was gone round once."""
        rung = self._bell.quiet(queues)
        now = self._clock.monotonic()
        wanted = {
            queue: most
            for queue, most in queues.items()
            if most > 0 and (queue in rung or (dry := self._dry.get((worker, queue))) is None or dry.until <= now)
        }
        taken: list[ClaimedTask] = []
        self._under_way[worker] += 1
        try:
            for attempt in range(_BUSY_TRIES):
                if not wanted:
                    break
                if attempt:
                    await asyncio.sleep(0.002 * attempt)  # another claimer holds a shard: only until it commits
                wanted = await self._round(worker, wanted, taken)
            else:
                self._bell.ring(wanted)  # still contended: do not let the caller sleep on it
        finally:
            self._under_way[worker] -= 1
        return taken

    async def _round(self, worker: str, wanted: Mapping[str, int], taken: list[ClaimedTask]) -> dict[str, int]:
        """Go round once at most; return the lanes that gave nothing while a shard was held by another."""
        busy: dict[str, int] = {}
        widest = False
        while wanted:
            wants = [self._want(worker, queue, most, widest=widest) for queue, most in wanted.items()]
            began, freed = self._clock.monotonic(), self._freed
            async with self._database.connection() as conn:
                got = await _store.claim(conn, worker, wants, self._lease)
            again: dict[str, int] = {}
            for want in wants:
                answer = got[want.queue]
                taken.extend(answer.tasks)
                if self._learn(worker, want, answer, began, freed):
                    continue
                if not answer.tasks and (answer.more or want.cursor != BEGINNING):
                    again[want.queue] = want.most
                elif not answer.tasks and answer.busy:
                    busy[want.queue] = want.most
            wanted, widest = again, True
        return busy if not taken else {}

    def _learn(self, worker: str, want: Want, answer: Got, began: float, freed: int) -> bool:
        """Remember where the round goes on; return True if nothing is left in the lane."""
        self._cursors[worker, want.queue] = _next_cursor(want, answer)
        self._dry.pop((worker, want.queue), None)
        dry = answer.dry and want.cursor == BEGINNING and freed == self._freed
        if dry:
            self._dry[worker, want.queue] = _Dry(began + _DRY_SECONDS, answer.blocked)
            self._blocked[worker, want.queue] = len(answer.blocked)
        return dry

    async def submitting(self, conn: Conn, worker: str, tasks: Sequence[Queued], free: Mapping[str, int]) -> Submitted:
        """Queue `tasks` and claim for `worker` in one transaction: one look, the rest is for the next claim."""
        wants = [self._want(worker, queue, most, widest=False) for queue, most in free.items()]
        began, freed = self._clock.monotonic(), self._freed
        self._under_way[worker] += 1
        try:
            done = await _store.submit_and_claim(
                conn, tasks, margin=MARGIN, worker=worker, wants=wants, lease=self._lease
            )
        finally:
            self._under_way[worker] -= 1
        if done is None:
            return Submitted(None, [], frozenset())
        dry = {want.queue for want in wants if self._learn(worker, want, done[1][want.queue], began, freed)}
        return Submitted(done[0], [task for got in done[1].values() for task in got.tasks], frozenset(dry))

    def _want(self, worker: str, queue: str, most: int, *, widest: bool) -> Want:
        sweep = _WIDEST_SWEEP if widest else most * 3 // 2 + 16 + self._blocked.get((worker, queue), 0)
        cursor = self._cursors.get((worker, queue), BEGINNING)
        return Want(queue, most, self._limits(queue), cursor, sweep=min(_WIDEST_SWEEP, sweep))


def _next_cursor(want: Want, got: Got) -> tuple[int, int]:
    """Where the round goes on: after the last one served, after the last one looked at, or from the start."""
    if len(got.tasks) >= want.most:
        return got.served
    return got.reached if got.more else BEGINNING
