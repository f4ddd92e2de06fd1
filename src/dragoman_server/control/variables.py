"""Variables: named texts of an environment that its functions read; sealed at rest."""

from collections.abc import Mapping, Sequence

from dragoman_server.control import rules
from dragoman_server.control._store import keys as _store
from dragoman_server.control.transactions import joined, lent
from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.kit.secret import Secret
from dragoman_server.vault import Vault

PURPOSE = "variable"
LONGEST_VALUE = 65_536


class Variables:
    """The verbs on variables."""

    def __init__(self, *, database: Database, vault: Vault, invalidations: Invalidations) -> None:
        self._database = database
        self._vault = vault

    async def list(self, environment_id: EnvironmentId, *, conn: Conn | None = None) -> dict[str, Secret]:
        """Return the variables by name."""
        async with lent(self._database, conn) as own:
            rows = await _store.variables(own, environment_id)
        if not rows:
            return {}
        items = [(sealed, name.encode()) for name, sealed in rows]
        opened = await self._vault.open_all(environment_id, PURPOSE, None, items, conn=conn)
        return {name: Secret(value.decode()) for (name, _), value in zip(rows, opened, strict=True)}

    async def put(
        self,
        environment_id: EnvironmentId,
        values: Mapping[str, str],
        *,
        replace_all: bool = False,
        conn: Conn | None = None,
    ) -> None:
        """Set variables, all or none; with `replace_all` the others are removed."""
        for name, value in values.items():
            rules.require(
                rules.check_variable_name(name)
                + rules.check_storable_text(value, (name,))
                + rules.check_length(value, (name,), LONGEST_VALUE)
            )
        async with joined(self._database, conn) as own:
            sealer = await self._vault.sealer(environment_id, PURPOSE, conn=own)
            sealed = {name: sealer.seal(value.encode(), name.encode()) for name, value in values.items()}
            if replace_all:
                await _store.delete_other_variables(own, environment_id, list(values))
            await _store.put_variables(own, environment_id, sealed)

    async def delete(self, environment_id: EnvironmentId, names: Sequence[str], *, conn: Conn | None = None) -> int:
        """Remove variables; return how many there were."""
        async with joined(self._database, conn) as own:
            return await _store.delete_variables(own, environment_id, names)
