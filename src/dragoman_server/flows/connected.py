"""What follows when a connection is authorized: its syncs and their schedules, the webhook. On the same transaction."""

from collections.abc import Mapping
from typing import Any

from dragoman_server import outbox
from dragoman_server.connect.connecting import Connected, ConnectFailed
from dragoman_server.connect.model import CredentialKey, RefreshFailed
from dragoman_server.control import Connections, Environments, Integrations, Syncs
from dragoman_server.control.model import Connection
from dragoman_server.db import Conn, Database
from dragoman_server.flows.notify import auth_fact
from dragoman_server.flows.schedules import schedule_facts
from dragoman_server.kit.ids import ConnectionRowId
from dragoman_server.providers import Catalogue


class AfterConnect:
    """The callbacks that `connect` is given."""

    def __init__(
        self,
        *,
        database: Database,
        environments: Environments,
        integrations: Integrations,
        connections: Connections,
        syncs: Syncs,
        catalogue: Catalogue,
    ) -> None:
        self._database = database
        self._environments = environments
        self._integrations = integrations
        self._connections = connections
        self._syncs = syncs
        self._catalogue = catalogue

    async def connected(self, conn: Conn, done: Connected) -> None:
        """Give the connection its syncs, and tell the customer; commits with the credential or not at all."""
        connection = done.connection
        environment = await self._environments.require(connection.environment_id, conn=conn)
        made = await self._syncs.create_missing(conn, connection.environment_id, connection.id)
        every = await self._syncs.of_connection(connection.environment_id, connection.id, conn=conn)
        facts = schedule_facts(connection.environment_id, dict.fromkeys([s.id for s in (*made, *every)]))
        facts.append(
            auth_fact(
                connection,
                event=str(done.operation_id),
                auth_mode=done.provider.auth_mode.value,
                environment=environment.name,
                operation=done.operation,
                success=True,
            )
        )
        await outbox.put(conn, facts)

    async def failed(self, failure: ConnectFailed) -> None:
        """Tell the customer of a connection that exists: pending, or to be authorized again. Else nothing is left."""
        target = failure.target
        connection = await self._connections.get(
            target.environment_id, target.integration.unique_key, target.connection_id
        )
        if connection is None:
            return
        async with self._database.transaction() as conn:
            fact = await self._fact(
                conn,
                connection,
                str(failure.operation_id),
                "creation" if connection.pending else "override",
                failure.error_type,
                failure.message,
            )
            await outbox.put(conn, [fact])

    async def refresh_failed(self, conn: Conn, failure: RefreshFailed) -> None:
        """Note the error on the connection; tell the customer the first time and when the grant is dead."""
        environment_id = failure.key.environment_id
        connection = await self._connections.by_row_id(
            environment_id, ConnectionRowId(failure.key.connection), conn=conn
        )
        if connection is None:
            return
        log_id = str(failure.failure.operation_id or "")
        await self._connections.add_error(environment_id, connection.id, "auth", log_id, conn=conn)
        if failure.first or failure.failure.dead or failure.failures.exhausted:
            event = f"{log_id or failure.connection_uuid}:{failure.failures.attempts}"
            code = "connection_refresh_exhausted" if failure.failures.exhausted else "refresh_token_external_error"
            fact = await self._fact(conn, connection, event, "refresh", code, failure.failure.message)
            await outbox.put(conn, [fact])

    async def renewed(self, conn: Conn, key: CredentialKey, config: Mapping[str, Any]) -> None:
        """A new token came: what its answer says of the connection is kept, and standing errors are cleared."""
        if config:
            await self._connections.merge_config(key.environment_id, key.connection, config, conn=conn)
        await self._connections.clear_errors(key.environment_id, key.connection, "auth", conn=conn)

    async def _fact(
        self, conn: Conn, connection: Connection, event: str, operation: str, error_type: str, description: str
    ) -> outbox.Fact:
        environment = await self._environments.require(connection.environment_id, conn=conn)
        return auth_fact(
            connection,
            event=event,
            auth_mode=self._catalogue.require(connection.provider).auth_mode.value,
            environment=environment.name,
            operation=operation,
            success=False,
            error_type=error_type,
            error_description=description,
        )
