"""Housekeeping of deliveries: give up what waited too long, forget what is old."""

from dragoman_server.db import Database
from dragoman_server.kit.loops import Loop
from dragoman_server.logs import Logs
from dragoman_server.webhooks import _store

KEEP_DAYS = 30
CHUNK = 1000
EVERY_SECONDS = 60.0


class DeliveryKeeper:
    """One turn a minute; safe in many processes."""

    def __init__(self, *, database: Database, logs: Logs | None = None) -> None:
        self._database = database
        self._logs = logs
        self._loop = Loop("webhook_keeper", self.once, every=EVERY_SECONDS)

    async def once(self) -> float | None:
        """Expire and prune one chunk of each; return 0.0 when there may be more."""
        async with self._database.transaction() as conn:
            expired = await _store.expire(conn, limit=CHUNK)
        async with self._database.transaction() as conn:
            old = await _store.prune_deliveries(conn, days=KEEP_DAYS, limit=CHUNK)
        async with self._database.transaction() as conn:
            bodies = await _store.prune_messages(conn, days=KEEP_DAYS, limit=CHUNK)
        if self._logs is not None:
            for environment_id, delivery_id in expired:
                operation = self._logs.reopen(environment_id, _store.operation_id(delivery_id))
                operation.finish("failed", {"type": "webhook_expired", "message": "Given up: never accepted in time."})
        return 0.0 if CHUNK in {len(expired), old, bodies} else None

    async def run(self) -> None:
        await self._loop.run()

    async def stop(self) -> None:
        await self._loop.stop()
