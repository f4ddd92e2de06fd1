"""Housekeeping of the logs: days made ahead and dropped in time, operations nobody works on any more timed out."""

import json
from datetime import timedelta

from dragoman_server.db import Database
from dragoman_server.kit.loops import Loop
from dragoman_server.logs import _store

KEEP_DAYS = 15
DAYS_AHEAD = 3
SILENT_FOR = timedelta(seconds=60)
EVERY_SECONDS = 60.0
CHUNK = 1000
_GONE = json.dumps({"type": "timeout", "message": "The process that worked on it is gone, or it took too long."})


class LogsKeeper:
    """One turn a minute; safe in many processes. `open` before the first row of a new database is only a courtesy."""

    def __init__(self, *, database: Database, keep_days: int = KEEP_DAYS) -> None:
        self._database = database
        self._keep_days = keep_days
        self._loop = Loop("logs_keeper", self.once, every=EVERY_SECONDS)

    async def once(self) -> float | None:
        """Make coming days, drop old ones, time out stale operations; return 0.0 when there may be more of these."""
        async with self._database.connection() as conn:
            today = await _store.today(conn)
            await _store.ensure_days(conn, today, today + timedelta(days=DAYS_AHEAD))
            await _store.drop_days(conn, self._keep_days)
            stale = await _store.time_out_operations(conn, silent_for=SILENT_FOR, limit=CHUNK, error=_GONE)
            await _store.forget_writers(conn)
        return 0.0 if len(stale) == CHUNK else None

    async def run(self) -> None:
        await self._loop.run()

    async def stop(self) -> None:
        await self._loop.stop()
