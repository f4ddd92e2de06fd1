"""What the proxy needs of the parts below, no more; `control`, `connect` and `logs` fit as they are."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.providers.model import Credential


class IntegrationLike(Protocol):
    @property
    def unique_key(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def config(self) -> Mapping[str, Any]: ...
    @property
    def custom(self) -> Mapping[str, Any]: ...
    @property
    def allowed_origins(self) -> Sequence[str]: ...


class ConnectionLike(Protocol):
    @property
    def id(self) -> ConnectionRowId: ...
    @property
    def connection_id(self) -> str: ...
    @property
    def connection_config(self) -> Mapping[str, Any]: ...
    @property
    def metadata(self) -> Mapping[str, Any] | None: ...


class FreshCredential(Protocol):
    """Returns a credential that is valid now; with `reject`, another one than that if there can be one."""

    async def __call__(
        self,
        environment_id: EnvironmentId,
        connection: Any,
        integration: Any,
        *,
        force: bool = False,
        reject: Credential | None = None,
    ) -> Credential: ...


class IntegrationCredentials(Protocol):
    """Returns the developer application's own values (client_id, client_secret ...)."""

    async def __call__(self, integration: Any, /) -> Mapping[str, Any]: ...


class OperationLike(Protocol):
    def hide(self, secrets: Iterable[str]) -> None: ...
    def warn(self, message: str, **meta: Any) -> None: ...
    def http(
        self,
        *,
        request: Mapping[str, Any],
        response: Mapping[str, Any] | None = None,
        level: str = "info",
        message: str | None = None,
        **meta: Any,
    ) -> None: ...
    def finish(self, state: str, error: Mapping[str, Any] | None = None) -> None: ...


class LogsLike(Protocol):
    def start(
        self,
        environment_id: EnvironmentId,
        kind: str,
        *,
        integration: str | None = None,
        connection: str | None = None,
        connection_row_id: ConnectionRowId | None = None,
    ) -> OperationLike: ...
