"""Everything a run needs before it starts, from caches where they are fresh; no credential."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from dragoman_server.control import Connections, Environments, Functions, Integrations
from dragoman_server.control.model import FunctionType, FunctionVersion
from dragoman_server.jobs.model import Prepared
from dragoman_server.kit.errors import ConflictError, NotFoundError
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.providers import Catalogue
from dragoman_server.runners.port import BundleRef, Limits, RunContext
from dragoman_server.scripts import Scripts


class FunctionGoneError(NotFoundError):
    """What a task names was deleted meanwhile."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} does not exist anymore.")


class FunctionDisabledError(ConflictError):
    code = "disabled_resource"
    default_status = 400

    def __init__(self, name: str) -> None:
        super().__init__(f"The function `{name}` is disabled.")


@dataclass(frozen=True, slots=True)
class RunLimits:
    """The operator's limits; a function may ask for less time, never for more."""

    memory_bytes: int
    sync: timedelta
    action: timedelta

    def of(self, function: FunctionVersion) -> Limits:
        ceiling = self.sync if function.type == "sync" else self.action
        asked = function.manifest.get("timeout_seconds")
        wall = min(ceiling, timedelta(seconds=asked)) if isinstance(asked, int) else ceiling
        return Limits(wall=wall, cpu=wall, memory_bytes=self.memory_bytes)


class Loader:
    """Finds the pieces of a run."""

    def __init__(
        self,
        *,
        environments: Environments,
        integrations: Integrations,
        connections: Connections,
        functions: Functions,
        catalogue: Catalogue,
        scripts: Scripts,
    ) -> None:
        self._environments = environments
        self._integrations = integrations
        self._connections = connections
        self._functions = functions
        self._catalogue = catalogue
        self._scripts = scripts

    async def load(
        self,
        environment_id: EnvironmentId,
        *,
        integration_key: str,
        connection_row_id: ConnectionRowId,
        name: str,
        type_: FunctionType,
    ) -> Prepared:
        """Return the pieces; raise `FunctionGoneError` or `FunctionDisabledError`."""
        environment = await self._environments.get(environment_id)
        integration = await self._integrations.get(environment_id, integration_key)
        connection = await self._connections.by_row_id(environment_id, connection_row_id)
        function = await self._functions.find(environment_id, integration_key, name, type_)
        if environment is None or integration is None:
            raise FunctionGoneError(f"The integration `{integration_key}`")
        if connection is None:
            raise FunctionGoneError("The connection")
        if function is None:
            raise FunctionGoneError(f"The {type_} `{name}`")
        if not function.enabled:
            raise FunctionDisabledError(name)
        folder = await self._scripts.fetch_unpacked(environment_id, function.deployment_id)
        return Prepared(
            environment=environment,
            integration=integration,
            connection=connection,
            provider=self._catalogue.require(integration.provider),
            function=function,
            bundle=BundleRef(environment_id, function.deployment_id, folder),
        )


def context_of(prepared: Prepared, *, variant: str = "base") -> RunContext:
    """What the function learns about where it runs."""
    raw: Mapping[str, Any] = prepared.provider.raw.get("proxy") or {}
    return RunContext(
        environment_name=prepared.environment.name,
        integration=prepared.integration.unique_key,
        provider=prepared.provider.name,
        connection_id=prepared.connection.connection_id,
        variant=variant,
        paginate=raw.get("paginate"),
    )
