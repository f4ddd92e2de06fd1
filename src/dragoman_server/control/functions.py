"""Functions and their deployments: which code runs for an integration, and what the user set about it."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dragoman_server.control import rules
from dragoman_server.control._store import functions as _store
from dragoman_server.control._store import syncs as _syncs
from dragoman_server.control.deploying import check_specs, difference
from dragoman_server.control.errors import (
    AmbiguousFunctionError,
    ConcurrentDeploymentError,
    UnknownFunctionError,
    UnknownIntegrationError,
)
from dragoman_server.control.frequency import parse_frequency
from dragoman_server.control.model import (
    Deployment,
    Difference,
    FunctionSpec,
    FunctionType,
    FunctionVersion,
)
from dragoman_server.control.transactions import joined, lent
from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.db.cache import announce, announce_all
from dragoman_server.kit.ids import DeploymentId, EnvironmentId, SyncId
from dragoman_server.vault import Vault

TOPIC = "control.functions"


class Functions:
    """The verbs on functions and deployments. `active` of an integration and `find` are cached."""

    def __init__(self, *, database: Database, vault: Vault, invalidations: Invalidations) -> None:
        self._database = database
        self._cache = invalidations.cache(TOPIC)

    async def active(
        self, environment_id: EnvironmentId, integration_key: str | None = None, *, conn: Conn | None = None
    ) -> list[FunctionVersion]:
        """Return the functions in force, of one integration or of all, by integration, type and name."""

        async def load() -> tuple[FunctionVersion, ...]:
            async with lent(self._database, conn) as own:
                return tuple(await _store.active(own, environment_id, integration_key))

        if conn is not None or integration_key is None:
            return list(await load())
        return list(await self._cache.get(_key(environment_id, integration_key), load))

    async def find(
        self,
        environment_id: EnvironmentId,
        integration_key: str,
        name: str,
        type: FunctionType | None = None,  # noqa: A002 (the contract's word)
        *,
        conn: Conn | None = None,
    ) -> FunctionVersion | None:
        """Return the function of that name; raise `AmbiguousFunctionError` if `type` is needed to tell."""
        found = [
            function
            for function in await self.active(environment_id, integration_key, conn=conn)
            if function.name == name and type in {None, function.type}
        ]
        if len(found) > 1:
            raise AmbiguousFunctionError(name, [function.type for function in found])
        return found[0] if found else None

    async def by_id(
        self, environment_id: EnvironmentId, function_id: int, *, conn: Conn | None = None
    ) -> FunctionVersion | None:
        async with lent(self._database, conn) as own:
            return await _store.by_id(own, environment_id, function_id)

    async def plan_deployment(
        self,
        environment_id: EnvironmentId,
        specs: Sequence[FunctionSpec],
        *,
        deployment_id: DeploymentId | None = None,
        reconcile: bool = True,
        within: Collection[str] | None = None,
    ) -> Difference:
        """Return what deploying `specs` would change; changes nothing. Raises what `replace_deployment` would."""
        rules.require(check_specs(specs))
        async with self._database.transaction() as conn:
            await self._integration_ids(conn, environment_id, specs)
            current = await _store.active(conn, environment_id, None)
        return difference(current, specs, deployment_id=deployment_id, reconcile=reconcile, within=within)

    async def replace_deployment(
        self,
        conn: Conn,
        environment_id: EnvironmentId,
        deployment_id: DeploymentId,
        specs: Sequence[FunctionSpec],
        *,
        details: Mapping[str, Any] | None = None,
        reconcile: bool = True,
        within: Collection[str] | None = None,
    ) -> Difference:
        """Put `specs` in force in the caller's transaction and return what changed.

        Functions keep their number, switch and frequency; those deleted take their syncs with them (`deleted_syncs`:
        the caller ends their schedules, and then makes missing syncs). Raises `ConcurrentDeploymentError`,
        `UnknownIntegrationError`, `InvalidValueError`.
        """
        rules.require(check_specs(specs) + rules.check_json(details or {}, ("details",)))
        if not await _store.lock_deployments(conn, environment_id):
            raise ConcurrentDeploymentError
        integration_ids = await self._integration_ids(conn, environment_id, specs)
        current = await _store.active(conn, environment_id, None)
        found = difference(current, specs, deployment_id=deployment_id, reconcile=reconcile, within=within)
        await _store.insert_deployment(conn, environment_id, deployment_id, details or {})
        untouched = {(function.integration_key, function.type, function.name) for function in found.unchanged}
        changed = [spec for spec in specs if (spec.integration_key, spec.type, spec.name) not in untouched]
        await _store.deploy(conn, environment_id, deployment_id, changed, integration_ids)
        gone = [function.id for function in found.deleted]
        await _store.delete(conn, environment_id, gone)
        syncs = await _syncs.delete_of_functions(conn, environment_id, gone)
        keys = {spec.integration_key for spec in specs} | {function.integration_key for function in found.deleted}
        await announce_all(conn, TOPIC, [_key(environment_id, key) for key in sorted(keys)])
        return Difference(found.new, found.updated, found.unchanged, found.deleted, found.deleted_models, syncs)

    async def delete(self, conn: Conn, environment_id: EnvironmentId, function_id: int) -> list[SyncId]:
        """Delete one function; return its syncs, which went with it."""
        function = await _store.by_id(conn, environment_id, function_id)
        if function is None:
            raise UnknownFunctionError(str(function_id))
        await _store.delete(conn, environment_id, [function_id])
        await announce(conn, TOPIC, _key(environment_id, function.integration_key))
        return await _syncs.delete_of_functions(conn, environment_id, [function_id])

    async def set_enabled(
        self, environment_id: EnvironmentId, function_id: int, *, enabled: bool, conn: Conn | None = None
    ) -> FunctionVersion:
        """Switch a function on or off; the caller brings its syncs' schedules in step."""
        async with joined(self._database, conn) as own:
            await _store.set_enabled(own, environment_id, function_id, enabled=enabled)
            return await self._changed(own, environment_id, function_id)

    async def set_frequency(
        self, environment_id: EnvironmentId, function_id: int, frequency: str | None, *, conn: Conn | None = None
    ) -> FunctionVersion:
        """Override a function's declared frequency; None restores it. The override survives redeployments."""
        if frequency is not None:
            parse_frequency(frequency)
        async with joined(self._database, conn) as own:
            await _store.set_frequency(own, environment_id, function_id, frequency)
            return await self._changed(own, environment_id, function_id)

    async def versions(
        self, environment_id: EnvironmentId, function_id: int, *, limit: int = 50
    ) -> list[dict[str, Any]]:
        """Return what was deployed of a function: version, deployment_id, manifest, deployed_at; the newest first."""
        async with self._database.connection() as own:
            return await _store.versions(own, environment_id, function_id, limit)

    async def deployment(
        self, environment_id: EnvironmentId, deployment_id: DeploymentId, *, conn: Conn | None = None
    ) -> Deployment | None:
        async with lent(self._database, conn) as own:
            return await _store.deployment(own, environment_id, deployment_id)

    async def deployments(self, environment_id: EnvironmentId, *, limit: int = 50) -> list[Deployment]:
        """Return the environment's deployments, the newest first."""
        async with self._database.connection() as own:
            return await _store.deployments(own, environment_id, limit)

    async def _changed(self, conn: Conn, environment_id: EnvironmentId, function_id: int) -> FunctionVersion:
        found = await _store.by_id(conn, environment_id, function_id)
        if found is None:
            raise UnknownFunctionError(str(function_id))
        await announce(conn, TOPIC, _key(environment_id, found.integration_key))
        return found

    async def _integration_ids(
        self, conn: Conn, environment_id: EnvironmentId, specs: Sequence[FunctionSpec]
    ) -> dict[str, int]:
        keys = sorted({spec.integration_key for spec in specs})
        found = await _store.integration_ids(conn, environment_id, keys)
        for key in keys:
            if key not in found:
                raise UnknownIntegrationError(key, status=400)
        return found


def _key(environment_id: EnvironmentId, integration_key: str) -> str:
    return f"{environment_id}/{integration_key}"
