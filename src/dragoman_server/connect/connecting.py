"""What every way in ends with: verify, store, and let everything that follows commit together."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from dragoman_server.connect.book import PgBook
from dragoman_server.connect.model import CredentialKey
from dragoman_server.connect.target import Target
from dragoman_server.connect.verification import Verifier
from dragoman_server.control.connections import Connections
from dragoman_server.control.errors import UnknownConnectionError
from dragoman_server.control.model import Connection, Integration
from dragoman_server.db import Conn, Database
from dragoman_server.kit.errors import DragomanError
from dragoman_server.logs.operation import Operation
from dragoman_server.providers.model import Credential, Provider


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection that now has a credential. `operation` is the wire's: creation, or override of an existing one."""

    connection: Connection
    integration: Integration
    provider: Provider
    operation: Literal["creation", "override"]
    operation_id: UUID


@dataclass(frozen=True, slots=True)
class ConnectFailed:
    """An attempt that stored nothing, for the auth webhook."""

    target: Target
    error_type: str
    message: str
    operation_id: UUID


OnConnected = Callable[[Conn, Connected], Awaitable[None]]
"""Writes on the transaction that stores the credential: syncs, webhook facts. It either all happens or nothing."""
OnConnectFailed = Callable[[ConnectFailed], Awaitable[None]]


class Connecting:
    def __init__(
        self,
        *,
        database: Database,
        connections: Connections,
        book: PgBook,
        verifier: Verifier,
        on_connected: OnConnected,
        on_failed: OnConnectFailed,
    ) -> None:
        self._database = database
        self._connections = connections
        self._book = book
        self._verifier = verifier
        self._on_connected = on_connected
        self._on_failed = on_failed

    async def complete(
        self,
        target: Target,
        credential: Credential,
        operation: Operation,
        *,
        extra_config: Mapping[str, Any] | None = None,
        verify: bool = True,
        also: OnConnected | None = None,
    ) -> Connected:
        """Verify the credential and store it, with what `also` writes; raise with nothing stored."""
        operation.hide(credential.secrets())
        config = {**target.connection_config, **(extra_config or {})}
        if verify:
            await self._verifier.verify(target.provider, config, credential, target.scope, operation=operation)
        async with self._database.transaction() as conn:
            connection, created = await self._connections.upsert(
                conn,
                target.integration,
                target.connection_id,
                connection_config=config,
                metadata=target.owner.metadata,
                tags=target.owner.tags,
                end_user=target.owner.end_user,
                webhook_url_override=target.owner.webhook_url_override,
            )
            if target.reconnect is not None and connection.id != target.reconnect:
                # Deleted since the session was made: who may only authorize it again must not bring it back to life.
                raise UnknownConnectionError(target.connection_id, target.integration.unique_key, status=400)
            key = CredentialKey(target.environment_id, connection.id)
            await self._book.store(conn, key, connection.uuid, credential, buffer=buffer_of(target.provider))
            await self._connections.clear_errors(target.environment_id, connection.id, "auth", conn=conn)
            connected = Connected(
                connection, target.integration, target.provider, "creation" if created else "override", operation.id
            )
            await self._on_connected(conn, connected)
            if also is not None:
                await also(conn, connected)
        operation.about(connection=connection.connection_id, connection_row_id=connection.id)
        operation.info("The connection is authorized.", operation=connected.operation)
        operation.finish("success")
        return connected

    async def failed(self, target: Target, error: DragomanError, operation: Operation) -> None:
        """Close the log and tell whoever wants to know; the caller raises or renders the error."""
        operation.finish("failed", {"type": error.public_code, "message": error.message})
        await self._on_failed(ConnectFailed(target, error.public_code, error.message, operation.id))


def buffer_of(provider: Provider) -> timedelta | None:
    """Return the entry's own refresh margin."""
    seconds = provider.get("token_expiration_buffer")
    return timedelta(seconds=float(seconds)) if isinstance(seconds, int | float) else None
