"""Background work: refresh ahead of expiry, replay spilled answers, sweep what has ended. Each one turn."""

import asyncio
from datetime import timedelta

from dragoman_server.connect import _store
from dragoman_server.connect.book import PgBook
from dragoman_server.connect.model import CredentialKey
from dragoman_server.connect.refresh import Refresher, Wish
from dragoman_server.connect.spill import Spill
from dragoman_server.db import Database
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.telemetry import get_logger

log = get_logger("connect")

REST = timedelta(days=1)
"""An idle credential is still renewed this often, because refresh tokens die of disuse."""
IDLE = timedelta(days=1)
SWEEP_LIMIT = 1000


class DueQueue:
    """Renews credentials before anybody waits for them. Safe in many processes: the lease decides."""

    def __init__(self, *, book: PgBook, refresher: Refresher, at_once: int = 16, limit: int = 200) -> None:
        self._book = book
        self._refresher = refresher
        self._at_once = asyncio.Semaphore(at_once)
        self._limit = limit

    async def once(self) -> float | None:
        """Renew what is due; 0.0 when there was a full batch."""
        keys = await self._book.due(self._limit, rest=REST, idle=IDLE)
        async with asyncio.TaskGroup() as group:
            for key in keys:
                group.create_task(self._renew(key))
        return 0.0 if len(keys) >= self._limit else None

    async def _renew(self, key: CredentialKey) -> None:
        async with self._at_once:
            try:
                stored = await self._book.read(key)
                if stored is not None:
                    await self._refresher.refresh(Wish(key, stored.version, stored.failures.attempts, ahead=True))
            except DragomanError as error:  # counted and told where it happened; the others go on
                log.info("background_refresh_failed", credential=str(key), code=error.public_code)
            except Exception as error:  # a bug or a lost database with one credential must not stop the others
                log.warning("background_refresh_broke", credential=str(key), error=type(error).__name__)


class Replay:
    """Stores answers an earlier process had to leave in the data folder. Run at start, before anything refreshes."""

    def __init__(self, *, book: PgBook, spill: Spill) -> None:
        self._book = book
        self._spill = spill

    async def once(self) -> float | None:
        for renewal in self._spill.waiting():
            stored = await self._book.commit(renewal)
            self._spill.remove(renewal)
            log.info("spilled_answer_replayed", credential=str(renewal.key), stored=stored)
        return None


class Sweeper:
    """Deletes ended connect sessions and OAuth states in bounded batches."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def once(self) -> float | None:
        async with self._database.connection() as conn:
            states = await _store.delete_old_states(conn, SWEEP_LIMIT)
            sessions = await _store.delete_old_sessions(conn, SWEEP_LIMIT)
        return 0.0 if max(states, sessions) >= SWEEP_LIMIT else None
