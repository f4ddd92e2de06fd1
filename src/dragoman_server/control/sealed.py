"""The control plane's sealed tables, for the re-encryption after a data key's rotation."""

from collections.abc import Sequence

from dragoman_server.control import environments, integrations, variables
from dragoman_server.control._store import environments as _environments
from dragoman_server.control._store import integrations as _integrations
from dragoman_server.control._store import keys as _keys
from dragoman_server.db import Database
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.vault import SealedTable, Vault, header_of


def sealed_tables(*, database: Database, vault: Vault) -> Sequence[SealedTable]:
    """Return what `DataKeyRotation` has to know of this part."""
    return (SealedVariables(database, vault), SealedIntegrations(database, vault), SealedSigningKeys(database, vault))


class SealedVariables:
    name = "control.variables"

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def count(self, environment_id: EnvironmentId, data_key_id: int) -> int:
        async with self._database.connection() as conn:
            return await _keys.count_variables_under(conn, environment_id, header_of(data_key_id))

    async def reseal(self, environment_id: EnvironmentId, data_key_id: int, limit: int) -> int:
        async with self._database.transaction() as conn:
            rows = await _keys.variables_under(conn, environment_id, header_of(data_key_id), limit)
            if rows:
                sealer = await self._vault.sealer(environment_id, variables.PURPOSE, conn=conn, fresh=True)
                fresh = {name: sealer.seal(sealer.open(old, name.encode()), name.encode()) for name, old in rows}
                await _keys.put_variables(conn, environment_id, fresh)
        return len(rows)


class SealedIntegrations:
    name = "control.integrations"

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def count(self, environment_id: EnvironmentId, data_key_id: int) -> int:
        async with self._database.connection() as conn:
            return await _integrations.count_under(conn, environment_id, header_of(data_key_id))

    async def reseal(self, environment_id: EnvironmentId, data_key_id: int, limit: int) -> int:
        async with self._database.transaction() as conn:
            rows = await _integrations.sealed_under(conn, environment_id, header_of(data_key_id), limit)
            if rows:
                sealer = await self._vault.sealer(environment_id, integrations.PURPOSE, conn=conn, fresh=True)
                for integration_id, uuid, old in rows:
                    fresh = sealer.seal(sealer.open(old, uuid.bytes), uuid.bytes)
                    await _integrations.reseal(conn, environment_id, integration_id, fresh)
        return len(rows)


class SealedSigningKeys:
    name = "control.environments"

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def count(self, environment_id: EnvironmentId, data_key_id: int) -> int:
        header = header_of(data_key_id)
        async with self._database.transaction() as conn:
            found = await _environments.signing_keys_locked(conn, environment_id)
        return sum(one is not None and one.startswith(header) for one in found)

    async def reseal(self, environment_id: EnvironmentId, data_key_id: int, limit: int) -> int:
        header = header_of(data_key_id)
        async with self._database.transaction() as conn:
            found = await _environments.signing_keys_locked(conn, environment_id)
            old = [one is not None and one.startswith(header) for one in found]
            if not any(old):
                return 0
            sealer = await self._vault.sealer(environment_id, environments.PURPOSE, conn=conn, fresh=True)
            fresh = [
                sealer.seal(sealer.open(one)) if stale and one is not None else one
                for one, stale in zip(found, old, strict=True)
            ]
            await _environments.reseal_signing_keys(conn, environment_id, *fresh)
        return sum(old)
