"""Claiming: rounds over the environments, and knowing when looking again is pointless."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from dragoman_server.db import Database
from dragoman_server.kit.clock import Clock
from dragoman_server.orchestrator.model import ClaimedTask, QueueLimits
from dragoman_server.orchestrator.pg import _store
from dragoman_server.orchestrator.pg._store import BEGINNING, Got, Want
from dragoman_server.orchestrator.pg.hints import WorkBell

_BUSY_TRIES = 6
_WIDEST_SWEEP = 512
_DRY_SECONDS = 0.9  # less than the poll: one look a second stands behind every hint

Lane = tuple[str, str]
"""A worker and a lane."""


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
                self._cursors[worker, want.queue] = _next_cursor(want, answer)
                self._dry.pop((worker, want.queue), None)
                if answer.dry and want.cursor == BEGINNING and freed == self._freed:
                    self._dry[worker, want.queue] = _Dry(began + _DRY_SECONDS, answer.blocked)
                    self._blocked[worker, want.queue] = len(answer.blocked)
                elif not answer.tasks and (answer.more or want.cursor != BEGINNING):
                    again[want.queue] = want.most
                elif not answer.tasks and answer.busy:
                    busy[want.queue] = want.most
            wanted, widest = again, True
        return busy if not taken else {}

    def _want(self, worker: str, queue: str, most: int, *, widest: bool) -> Want:
        sweep = _WIDEST_SWEEP if widest else most * 3 // 2 + 16 + self._blocked.get((worker, queue), 0)
        cursor = self._cursors.get((worker, queue), BEGINNING)
        return Want(queue, most, self._limits(queue), cursor, sweep=min(_WIDEST_SWEEP, sweep))


def _next_cursor(want: Want, got: Got) -> tuple[int, int]:
    """Where the round goes on: after the last one served, after the last one looked at, or from the start."""
    if len(got.tasks) >= want.most:
        return got.served
    return got.reached if got.more else BEGINNING
