"""Token endpoints as a refresh sees them: everything is read first, then one call is built and made."""

from datetime import timedelta
from uuid import UUID

from dragoman_server.connect.connecting import buffer_of
from dragoman_server.connect.errors import NoCredentialError, RefreshFailedError
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.expiry import learn_life
from dragoman_server.connect.grants.model import Client, Need, TokenAnswer, TokenRefusal
from dragoman_server.connect.grants.registry import ISSUERS
from dragoman_server.connect.model import CredentialKey, Stored
from dragoman_server.connect.target import client_of
from dragoman_server.control.connections import Connections
from dragoman_server.control.integrations import Integrations
from dragoman_server.control.model import Connection
from dragoman_server.kit.clock import Clock
from dragoman_server.logs.operation import Operation
from dragoman_server.logs.service import Logs
from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.providers.model import Credential, Provider

KIND = "auth:refresh_token"


class RefreshCall:
    """One prepared refresh of one connection."""

    def __init__(
        self,
        *,
        provider: Provider,
        client: Client,
        connection: Connection,
        exchange: Exchange,
        logs: Logs,
        clock: Clock,
    ) -> None:
        self._provider = provider
        self._client = client
        self._connection = connection
        self._exchange = exchange
        self._logs = logs
        self._clock = clock
        self._operation: Operation | None = None

    @property
    def buffer(self) -> timedelta | None:
        return buffer_of(self._provider)

    @property
    def default_life(self) -> timedelta | None:
        issuer = ISSUERS.get(self._provider.auth_mode)
        return None if issuer is None else issuer.life

    @property
    def operation_id(self) -> UUID | None:
        return None if self._operation is None else self._operation.id

    async def ask(self, stored: Stored, seconds: float) -> TokenAnswer | TokenRefusal:
        operation = self._begin(stored)
        need = Need(
            entry=self._provider.raw,
            client=self._client,
            values=stored.credential.values,
            connection_config=self._connection.connection_config,
            now=stored.now(self._clock.monotonic()),
        )
        flow = ISSUERS[stored.credential.type].renew(need)
        return await self._exchange.follow(flow, seconds=seconds, operation=operation)

    async def life(self, stored: Stored) -> timedelta | None:
        token = stored.credential.token()
        if token is None:
            return None
        return await learn_life(
            self._exchange,
            self._provider.raw,
            self._client,
            self._connection.connection_config,
            token,
            now=stored.now(self._clock.monotonic()),
            operation=self._operation,
        )

    def renewed(self, stored: Stored, answer: TokenAnswer) -> Credential:
        old = stored.credential
        return Credential(old.type, ISSUERS[old.type].kept(old.values, answer))

    def finish(self, problem: str | None) -> None:
        if self._operation is None:
            return
        if problem is None:
            self._operation.finish("success")
        else:
            self._operation.finish("failed", {"type": "refresh_token_external_error", "message": problem})

    def _begin(self, stored: Stored) -> Operation:
        if self._operation is None:
            self._operation = self._logs.start(
                self._connection.environment_id,
                KIND,
                integration=self._connection.integration_key,
                connection=self._connection.connection_id,
                connection_row_id=self._connection.id,
            )
            self._operation.hide(stored.credential.secrets())
        return self._operation


class ProviderEndpoints:
    """Prepares refreshes from the control plane and the catalogue."""

    def __init__(
        self,
        *,
        connections: Connections,
        integrations: Integrations,
        catalogue: Catalogue,
        exchange: Exchange,
        logs: Logs,
        clock: Clock,
    ) -> None:
        self._connections = connections
        self._integrations = integrations
        self._catalogue = catalogue
        self._exchange = exchange
        self._logs = logs
        self._clock = clock

    async def prepare(self, key: CredentialKey, stored: Stored) -> RefreshCall:
        """Read what the call needs, before any lease is taken."""
        connection = await self._connections.by_row_id(key.environment_id, key.connection)
        if connection is None:
            raise NoCredentialError
        integration = await self._integrations.require(key.environment_id, connection.integration_key)
        provider = self._catalogue.get(integration.provider)
        if provider is None:
            raise RefreshFailedError(f"The catalogue has no provider `{integration.provider}` any more.")
        override = stored.credential.values.get("config_override")
        client = client_of(integration, await self._integrations.credentials(integration), override)
        return RefreshCall(
            provider=provider,
            client=client,
            connection=connection,
            exchange=self._exchange,
            logs=self._logs,
            clock=self._clock,
        )
