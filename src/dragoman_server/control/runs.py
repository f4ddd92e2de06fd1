"""Runs: what ran when, and how it ended. Fenced by attempt: only the newest attempt may end a run."""

from collections.abc import Sequence
from datetime import datetime

from dragoman_server.control._store import runs as _store
from dragoman_server.control.model import Run, RunEnd, RunStart
from dragoman_server.control.transactions import lent
from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.kit.ids import EnvironmentId, RunId, SyncId
from dragoman_server.vault import Vault


class Runs:
    """The verbs on runs. Batches are one statement."""

    def __init__(self, *, database: Database, vault: Vault, invalidations: Invalidations) -> None:
        self._database = database

    async def start(self, conn: Conn | None, start: RunStart) -> bool:
        """Begin a run or a later attempt of it; False when this attempt, or a newer one, is known already."""
        return (await self.start_many(conn, [start]))[0]

    async def start_many(self, conn: Conn | None, starts: Sequence[RunStart]) -> list[bool]:
        async with lent(self._database, conn) as own:
            begun = await _store.start(own, starts)
        return [start.id in begun for start in starts]

    async def finish(self, conn: Conn | None, end: RunEnd) -> bool:
        """End an attempt; False, and nothing changed, when a newer one began or it has ended already."""
        return (await self.finish_many(conn, [end]))[0]

    async def finish_many(self, conn: Conn | None, ends: Sequence[RunEnd]) -> list[bool]:
        async with lent(self._database, conn) as own:
            ended = await _store.finish(own, ends)
        return [end.id in ended for end in ends]

    async def get(self, environment_id: EnvironmentId, run_id: RunId, *, conn: Conn | None = None) -> Run | None:
        async with lent(self._database, conn) as own:
            return await _store.run(own, environment_id, run_id)

    async def latest_for(
        self, environment_id: EnvironmentId, sync_ids: Sequence[SyncId], *, conn: Conn | None = None
    ) -> dict[SyncId, Run]:
        """Return the latest run of each sync that ever ran (and is still kept)."""
        async with lent(self._database, conn) as own:
            return await _store.latest(own, environment_id, sync_ids)

    async def of_sync(
        self, environment_id: EnvironmentId, sync_id: SyncId, *, limit: int = 20, conn: Conn | None = None
    ) -> list[Run]:
        async with lent(self._database, conn) as own:
            return await _store.of_sync(own, environment_id, sync_id, limit)

    async def last_success(
        self, environment_id: EnvironmentId, sync_id: SyncId, *, conn: Conn | None = None
    ) -> datetime | None:
        """Return when the last successful run began: what a sync saved since then is new."""
        async with lent(self._database, conn) as own:
            return await _store.last_success(own, environment_id, sync_id)
