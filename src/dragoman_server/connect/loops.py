"""Background work: refresh ahead of expiry, replay spilled answers, sweep what has ended. Each one turn."""

import asyncio
from datetime import timedelta

from dragoman_server.connect import _device_store, _store
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
    """Renews credentials before anybody waits for them. Safe in many processes: the lease decides.

    A turn starts renewals and does not wait for them, so one slow provider never holds up the others; `drain` does.
    """

    def __init__(self, *, book: PgBook, refresher: Refresher, at_once: int = 64) -> None:
        self._book = book
        self._refresher = refresher
        self._at_once = at_once
        self._running: dict[CredentialKey, asyncio.Task[None]] = {}

    async def once(self) -> float | None:
        """Start renewing what is due, as far as there is room."""
        room = self._at_once - len(self._running)
        if room <= 0:
            return None
        keys = await self._book.due(self._at_once, rest=REST, idle=IDLE)
        for key in [k for k in keys if k not in self._running][:room]:
            self._running[key] = asyncio.create_task(self._renew(key))
        return None

    async def drain(self) -> None:
        """Wait for the renewals under way; each has its own deadline."""
        while self._running:
            await asyncio.wait(list(self._running.values()))

    async def _renew(self, key: CredentialKey) -> None:
        try:
            stored = await self._book.read(key)
            if stored is not None:
                await self._refresher.refresh(Wish(key, stored.version, stored.failures.attempts, ahead=True))
        except DragomanError as error:  # counted and told where it happened
            log.info("background_refresh_failed", credential=str(key), code=error.public_code)
        except Exception as error:  # a bug or a lost database: the credential stays due, the next turn tries again
            log.warning("background_refresh_broke", credential=str(key), error=type(error).__name__)
        finally:
            del self._running[key]


class Replay:
    """Stores answers an earlier process had to leave in the data folder.

    Run at start, before anything refreshes, and now and then.
    """

    def __init__(self, *, book: PgBook, spill: Spill) -> None:
        self._book = book
        self._spill = spill

    async def once(self) -> float | None:
        for renewal in self._spill.waiting():
            try:
                stored = await self._book.commit(renewal)
            except Exception as error:  # one that cannot be stored keeps its file and must not hold up the others
                log.warning("spilled_answer_not_stored", credential=str(renewal.key), error=type(error).__name__)
                continue
            self._spill.remove(renewal)
            log.info("spilled_answer_replayed", credential=str(renewal.key), stored=stored)
        return None


class Sweeper:
    """Deletes ended connect sessions, OAuth states and device authorizations in bounded batches."""

    def __init__(self, *, database: Database) -> None:
        self._database = database

    async def once(self) -> float | None:
        async with self._database.connection() as conn:
            states = await _store.delete_old_states(conn, SWEEP_LIMIT)
            sessions = await _store.delete_old_sessions(conn, SWEEP_LIMIT)
            devices = await _device_store.delete_old(conn, SWEEP_LIMIT)
        return 0.0 if max(states, sessions, devices) >= SWEEP_LIMIT else None
