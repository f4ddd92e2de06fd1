"""Bring the orchestrator's schedules in step with what the control plane says: the handler of `schedule` facts.

A fact only names a sync; its state is read when the fact is handled, so repeats and reorderings do no harm.
"""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from uuid import UUID

from dragoman_server.control import Syncs
from dragoman_server.control.model import Sync
from dragoman_server.control.syncs import interval_of, is_scheduled
from dragoman_server.control.tasks import SYNC_QUEUE, SyncPayload, as_payload
from dragoman_server.kit.ids import EnvironmentId, SyncId
from dragoman_server.orchestrator.model import GroupKey, RetryPolicy, ScheduleSpec, TaskSpec
from dragoman_server.orchestrator.port import Engine
from dragoman_server.outbox import Fact, StoredFact

FACT = "schedule"
START_BY = timedelta(hours=1)
BY_HAND = timedelta(days=36_500)
"""The period of a sync without a frequency: its schedule stands paused and is only triggered."""


def schedule_facts(environment_id: EnvironmentId, sync_ids: Iterable[SyncId]) -> list[Fact]:
    """Facts that bring these syncs' schedules in step after commit."""
    return [Fact(FACT, environment_id, str(sync_id), {"v": 1, "sync_id": str(sync_id)}) for sync_id in sync_ids]


def schedule_key(sync_id: SyncId) -> str:
    return f"sync:{sync_id}"


def schedule_of(sync: Sync, *, run_timeout: timedelta) -> ScheduleSpec:
    """The schedule of a sync: its frequency's grid; one at a time; back in the queue when a worker is lost."""
    payload = SyncPayload(environment_id=sync.environment_id, sync_id=sync.id)
    task = TaskSpec(
        queue=SYNC_QUEUE,
        group=GroupKey(sync.environment_id, str(sync.connection_row_id)),
        payload=as_payload(payload),
        run_timeout=run_timeout,
        start_by=START_BY,
        retry=RetryPolicy(max_attempts=1),
        requeue_on_lost_lease=True,
    )
    return ScheduleSpec(
        key=schedule_key(sync.id), task=task, every=interval_of(sync) or BY_HAND, paused=not is_scheduled(sync)
    )


class Schedules:
    """Handles `schedule` facts."""

    def __init__(self, *, syncs: Syncs, engine: Engine, run_timeout: timedelta) -> None:
        self._syncs = syncs
        self._engine = engine
        self._run_timeout = run_timeout

    async def handle(self, facts: Sequence[StoredFact]) -> None:
        """Upsert the schedules of syncs that exist, delete those of syncs that do not."""
        wanted: dict[EnvironmentId, list[SyncId]] = {}
        for fact in facts:
            wanted.setdefault(fact.environment_id, []).append(SyncId(UUID(fact.body["sync_id"])))
        specs: list[ScheduleSpec] = []
        gone: list[str] = []
        for environment_id, ids in wanted.items():
            found = await self._syncs.get_many(environment_id, ids)
            specs += [schedule_of(sync, run_timeout=self._run_timeout) for sync in found.values()]
            gone += [schedule_key(i) for i in ids if i not in found]
        if specs:
            await self._engine.upsert_schedules(specs)
        if gone:
            await self._engine.delete_schedules(gone)

    async def bring_in_step(self, environment_id: EnvironmentId, sync_ids: Sequence[SyncId]) -> None:
        """Do it now, for a caller who is about to use the schedules."""
        found = await self._syncs.get_many(environment_id, sync_ids)
        await self._engine.upsert_schedules(
            [schedule_of(sync, run_timeout=self._run_timeout) for sync in found.values()]
        )
