"""Hints that something was committed, so that relays need not wait for their next poll."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from dragoman_server.db import Database
from dragoman_server.kit.loops import Loop
from dragoman_server.outbox import _store

CHANNEL = "dragoman_outbox"
GAP_SECONDS = 0.02


class Nudger:
    """Sends at most one NOTIFY every 20 ms for any number of `nudge()` calls; run it as a service.

    `local` (the wake of this process's own relay) is called at once.
    """

    def __init__(self, *, database: Database, local: Callable[[], None] | None = None) -> None:
        self._database = database
        self._local = local
        self._wanted = False
        self._stopping = asyncio.Event()
        self._loop = Loop("outbox_nudger", self.once, every=60.0)

    def nudge(self) -> None:
        """Say that facts were committed. Never waits, never fails."""
        self._wanted = True
        if self._local is not None:
            self._local()
        self._loop.wake()

    async def once(self) -> float | None:
        """Send the notification that is wanted, if any."""
        if self._wanted:
            self._wanted = False
            async with self._database.connection() as conn:
                await _store.notify(conn)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), GAP_SECONDS)
        return 0.0 if self._wanted else None

    async def run(self) -> None:
        await self._loop.run()

    async def stop(self) -> None:
        self._stopping.set()
        await self._loop.stop()
