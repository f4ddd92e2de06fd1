"""Re-encryption after a data key was rotated: resumable, because what is left to do is read from the data itself."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

from dragoman_server.db import Database
from dragoman_server.db.cache import HARD_TTL_SECONDS, announce
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.vault import _store

log = get_logger("vault")

GRACE = timedelta(seconds=HARD_TTL_SECONDS * 20)
"""A retired key is kept at least this long: until then a cached sealer or an open transaction may still use it."""


class SealedTable(Protocol):
    """A table with ciphertexts, registered by the part that owns it."""

    @property
    def name(self) -> str: ...

    async def count(self, environment_id: EnvironmentId, data_key_id: int) -> int:
        """Return how many rows are sealed under that data key; 0 only if there is none at all."""
        ...

    async def reseal(self, environment_id: EnvironmentId, data_key_id: int, limit: int) -> int:
        """Seal up to `limit` such rows anew under the active key, and return how many were."""
        ...


class DataKeyRotation:
    """Empties retired data keys, table by table, and drops a key when every table counts zero. One turn is `once`.

    Safe with many at once and after a crash at any point: rows carry the id of their key, and a key is dropped only
    after `GRACE`, by count.
    """

    def __init__(
        self, *, database: Database, tables: Sequence[SealedTable], limit: int = 500, grace: timedelta = GRACE
    ) -> None:
        self._database = database
        self._tables = tables
        self._limit = limit
        self._grace = grace

    async def once(self) -> float | None:
        """Reseal one batch per table and retired key; return 0.0 while there is more to do at once, else None."""
        async with self._database.connection() as conn:
            retired = await _store.retired_data_keys(conn, self._grace)
        more = False
        for environment, data_key_id, ripe in retired:
            environment_id = EnvironmentId(environment)
            done = [await table.reseal(environment_id, data_key_id, self._limit) for table in self._tables]
            if any(done):
                more = True
            elif ripe:
                await self._drop_if_unused(environment_id, data_key_id)
        return 0.0 if more else None

    async def _drop_if_unused(self, environment_id: EnvironmentId, data_key_id: int) -> None:
        counts = {table.name: await table.count(environment_id, data_key_id) for table in self._tables}
        if any(counts.values()):
            log.warning("data_key_still_used", environment_id=environment_id, data_key_id=data_key_id, **counts)
            return
        async with self._database.transaction() as conn:
            if await _store.drop_data_key(conn, environment_id, data_key_id, self._grace):
                await announce(conn, "vault.keys", str(environment_id))
                log.info("data_key_dropped", environment_id=environment_id, data_key_id=data_key_id)
