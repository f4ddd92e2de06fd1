"""Key rotation: payloads under a retired data key are sealed anew, stream by stream along the feed.

A record that is saved meanwhile gets the new key by itself; one that is deleted meanwhile moves forward and is met
again. `Records.sealed_table()` is what the vault's rotation registers.
"""

from collections.abc import Sequence
from uuid import UUID

from dragoman_server.db import Database, Row
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.records import _store
from dragoman_server.records.core import PURPOSE, record_key
from dragoman_server.vault import SubjectShreddedError, Vault, header_of

_DONE = 2**62
_WINDOW = 1000


class SealedPayloads:
    """The vault's `SealedTable` of record payloads."""

    name = "records.payloads"

    def __init__(self, *, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def count(self, environment_id: EnvironmentId, data_key_id: int) -> int:
        """Return how many payloads are sealed under the key; if any, the next `reseal` starts over."""
        async with self._database.transaction() as conn:
            count = await _store.count_sealed(conn, environment_id, header_of(data_key_id))
            if count:
                await _store.forget_reseal(conn, environment_id, data_key_id)
            return count

    async def reseal(self, environment_id: EnvironmentId, data_key_id: int, limit: int) -> int:
        """Seal up to `limit` payloads anew; 0 once every stream was walked."""
        header = header_of(data_key_id)
        while True:
            async with self._database.connection() as conn:
                stream_key, seq = await _store.reseal_position(conn, environment_id, data_key_id)
                found = None if stream_key == _DONE else await _store.next_stream(conn, environment_id, stream_key)
                if found is None:
                    await _store.save_reseal_position(conn, environment_id, data_key_id, _DONE, 0)
                    return 0
                key, connection_uuid = found
                start = seq if key == stream_key else 0
                rows = await _store.sealed_after(conn, environment_id, key, start, min(limit, _WINDOW))
            old = [row for row in rows if row["payload"] is not None and row["payload"].startswith(header)]
            done = await self._replace(environment_id, key, connection_uuid, old) if old else 0
            async with self._database.connection() as conn:
                place = (key, rows[-1]["seq"]) if rows else (key + 1, 0)
                await _store.save_reseal_position(conn, environment_id, data_key_id, *place)
            if done:
                return done

    async def _replace(self, environment_id: EnvironmentId, key: int, connection_uuid: UUID, old: Sequence[Row]) -> int:
        try:
            sealer = await self._vault.sealer(environment_id, PURPOSE, connection_uuid, fresh=True)
        except SubjectShreddedError:
            return 0
        fresh = [
            sealer.seal(sealer.open(row["payload"], bound), bound)
            for row in old
            for bound in [record_key(key, row["external_id"])]
        ]
        async with self._database.transaction() as conn:
            stream_id: int = old[0]["stream_id"]
            return await _store.reseal(
                conn, environment_id, stream_id, [r["payload_seq"] for r in old], [r["payload"] for r in old], fresh
            )
