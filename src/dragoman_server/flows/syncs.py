"""Steer syncs: trigger, start, pause, frequency, variants, status."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dragoman_server import outbox
from dragoman_server.control import Connections, Integrations, Runs, Syncs
from dragoman_server.control.errors import UnknownSyncError
from dragoman_server.control.model import Connection, Run, Sync, declared_models
from dragoman_server.db import Database
from dragoman_server.flows.lookup import connection_or_refuse, integration_or_refuse
from dragoman_server.flows.schedules import Schedules, schedule_facts, schedule_key
from dragoman_server.kit.errors import DragomanError, Reaction
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.logs import Logs
from dragoman_server.orchestrator.model import ScheduleInfo, TriggerOutcome
from dragoman_server.orchestrator.port import Engine
from dragoman_server.records import Records, StreamKey

END_OF_RUN = timedelta(seconds=10)
"""How long a reset waits for the run it replaces to end; workers learn of a cancellation within two seconds."""


class NoSyncsError(DragomanError):
    """The request names no sync that exists."""

    code = "no_syncs_found"
    default_status = 400
    reaction = Reaction.FIX

    def __init__(self) -> None:
        super().__init__("There is no such sync for this integration or connection; is it deployed?")


@dataclass(frozen=True, slots=True)
class SyncName:
    """A sync as requests name it; `variant` None: every variant."""

    name: str
    variant: str | None = None


@dataclass(frozen=True, slots=True)
class Steered:
    """What became of one sync."""

    sync: Sync
    outcome: str


@dataclass(frozen=True, slots=True)
class SyncState:
    """All a status shows of one sync."""

    sync: Sync
    run: Run | None
    schedule: ScheduleInfo | None
    counts: Mapping[str, int]
    checkpoint: bytes | None


class SyncControl:
    """The verbs of syncs."""

    def __init__(
        self,
        *,
        database: Database,
        integrations: Integrations,
        connections: Connections,
        syncs: Syncs,
        runs: Runs,
        records: Records,
        engine: Engine,
        schedules: Schedules,
        logs: Logs,
    ) -> None:
        self._database = database
        self._integrations = integrations
        self._connections = connections
        self._syncs = syncs
        self._runs = runs
        self._records = records
        self._engine = engine
        self._schedules = schedules
        self._logs = logs

    async def trigger(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_id: str | None,
        names: Sequence[SyncName],
        *,
        reset: bool = False,
        empty_cache: bool = False,
    ) -> list[Steered]:
        """Run syncs now; with `reset` from the start, with `empty_cache` (only then) as if nothing had been saved."""
        found = await self._find(environment_id, integration_key, connection_id, names)
        if reset:
            await self._reset(environment_id, found, empty_cache=empty_cache)
        return await self._run_now(found, "sync:request_run_full" if reset else "sync:request_run")

    async def start(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_id: str | None,
        names: Sequence[SyncName],
    ) -> list[Steered]:
        """Resume schedules and run at once."""
        found = await self._find(environment_id, integration_key, connection_id, names)
        await self._set_paused(environment_id, found, paused=False)
        return await self._run_now(found, "sync:unpause")

    async def pause(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_id: str | None,
        names: Sequence[SyncName],
    ) -> list[Steered]:
        """No new runs from now on; one in progress finishes."""
        found = await self._find(environment_id, integration_key, connection_id, names)
        await self._set_paused(environment_id, found, paused=True)
        for sync in found:
            self._note(sync, "sync:pause", "paused")
        return [Steered(sync, "paused") for sync in found]

    async def set_frequency(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_id: str,
        name: str,
        variant: str,
        frequency: str | None,
    ) -> str | None:
        """Override the frequency for one connection (None: the function's own again); return the one in force."""
        connection = await self._connection(environment_id, integration_key, connection_id)
        found = await self._syncs.find(environment_id, integration_key, connection.id, name, variant)
        if not found:
            raise UnknownSyncError(name, variant)
        async with self._database.transaction() as conn:
            changed = await self._syncs.set_frequency(environment_id, found[0].id, frequency, conn=conn)
            await outbox.put(conn, schedule_facts(environment_id, [changed.id]))
        return changed.frequency

    async def create_variant(
        self, environment_id: EnvironmentId, integration_key: str, connection_id: str, name: str, variant: str
    ) -> Sync:
        connection = await self._connection(environment_id, integration_key, connection_id)
        async with self._database.transaction() as conn:
            made = await self._syncs.create_variant(
                environment_id, integration_key, connection.id, name, variant, conn=conn
            )
            await outbox.put(conn, schedule_facts(environment_id, [made.id]))
        self._note(made, "sync:create_variant", "created")
        return made

    async def delete_variant(
        self, environment_id: EnvironmentId, integration_key: str, connection_id: str, name: str, variant: str
    ) -> None:
        """End it and erase the records of its own."""
        connection = await self._connection(environment_id, integration_key, connection_id)
        async with self._database.transaction() as conn:
            gone = await self._syncs.delete_variant(
                environment_id, integration_key, connection.id, name, variant, conn=conn
            )
            await self._records.forget_owners(conn, environment_id, [gone.id])
            for model in declared_models(gone.function.manifest):
                stream = StreamKey(connection.id, connection.uuid, model, variant)
                await self._records.empty(environment_id, stream, conn=conn)
            await outbox.put(conn, schedule_facts(environment_id, [gone.id]))
        self._note(gone, "sync:delete_variant", "deleted")

    async def status(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_id: str | None,
        names: Sequence[SyncName] | None,
    ) -> list[SyncState]:
        """What each sync is doing; one query a store, however many syncs. `names` None: all."""
        found = await self._find(environment_id, integration_key, connection_id, names or [])
        ids = [sync.id for sync in found]
        rows = list({sync.connection_row_id for sync in found})
        runs = await self._runs.latest_for(environment_id, ids)
        schedules = {s.key: s for s in await self._engine.search_schedules([schedule_key(i) for i in ids])}
        counts = await self._records.counts(environment_id, rows)
        progress = await self._records.checkpoints(environment_id, ids)
        return [
            SyncState(
                sync,
                runs.get(sync.id),
                schedules.get(schedule_key(sync.id)),
                _counts_of(sync, counts.get(sync.connection_row_id, {})),
                progress.get(sync.id),
            )
            for sync in found
        ]

    async def _run_now(self, found: Sequence[Sync], kind: str) -> list[Steered]:
        by_environment: dict[EnvironmentId, list[Sync]] = {}
        for sync in found:
            by_environment.setdefault(sync.environment_id, []).append(sync)
        outcomes: dict[str, TriggerOutcome] = {}
        for environment_id, syncs in by_environment.items():
            await self._schedules.bring_in_step(environment_id, [s.id for s in syncs])
            told = await self._engine.trigger([schedule_key(s.id) for s in syncs], payload_extra={"cause": "trigger"})
            outcomes |= {outcome.key: outcome for outcome in told}
        steered: list[Steered] = []
        for sync in found:
            outcome = outcomes[schedule_key(sync.id)].status.value
            self._note(sync, kind, outcome)
            steered.append(Steered(sync, outcome))
        return steered

    async def _reset(self, environment_id: EnvironmentId, found: Sequence[Sync], *, empty_cache: bool) -> None:
        schedules = await self._engine.search_schedules([schedule_key(sync.id) for sync in found])
        running = [s.running_task_id for s in schedules if s.running_task_id is not None]
        if running:
            await self._engine.cancel(running)
            # A schedule never overlaps itself: what is asked for now starts only once the run it replaces has ended.
            await asyncio.gather(*(self._engine.wait(task_id, END_OF_RUN) for task_id in running))
        for sync in found:
            connection = await self._connections.by_row_id(environment_id, sync.connection_row_id)
            async with self._database.transaction() as conn:
                await self._records.reset_progress(environment_id, sync.id, conn=conn)
                if empty_cache and connection is not None:
                    for model in declared_models(sync.function.manifest):
                        stream = StreamKey(connection.id, connection.uuid, model, sync.variant)
                        await self._records.empty(environment_id, stream, conn=conn)

    async def _set_paused(self, environment_id: EnvironmentId, found: Sequence[Sync], *, paused: bool) -> None:
        ids = [sync.id for sync in found]
        async with self._database.transaction() as conn:
            await self._syncs.set_paused(environment_id, ids, paused=paused, conn=conn)
            await outbox.put(conn, schedule_facts(environment_id, ids))
        await self._schedules.bring_in_step(environment_id, ids)

    async def _find(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        connection_id: str | None,
        names: Sequence[SyncName],
    ) -> list[Sync]:
        row_id: ConnectionRowId | None = None
        if connection_id is not None:
            row_id = (await self._connection(environment_id, integration_key, connection_id)).id
        else:
            await integration_or_refuse(self._integrations, environment_id, integration_key, status=400)
        every = await self._syncs.find(environment_id, integration_key, row_id)
        if not names:
            return every
        found = [s for s in every if any(n.name == s.function_name and n.variant in (None, s.variant) for n in names)]
        if not found:
            raise NoSyncsError
        return found

    async def _connection(self, environment_id: EnvironmentId, integration_key: str, connection_id: str) -> Connection:
        return await connection_or_refuse(
            self._integrations, self._connections, environment_id, integration_key, connection_id
        )

    def _note(self, sync: Sync, kind: str, outcome: str) -> None:
        operation = self._logs.start(
            sync.environment_id,
            kind,
            integration=sync.integration_key,
            connection=sync.connection_id,
            connection_row_id=sync.connection_row_id,
            sync=sync.function_name if sync.variant == "base" else f"{sync.function_name}::{sync.variant}",
        )
        operation.info(outcome)
        operation.finish("success")


def _counts_of(sync: Sync, counted: Mapping[str, int]) -> dict[str, int]:
    models = declared_models(sync.function.manifest)
    labels: dict[str, Any] = {m: m if sync.variant == "base" else f"{m}::{sync.variant}" for m in models}
    return {model: counted.get(label, 0) for model, label in labels.items()}
