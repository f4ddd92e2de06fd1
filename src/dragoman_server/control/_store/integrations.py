"""Integrations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from dragoman_server.db import Conn, Row, read_sql
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, IntegrationId

_PACKAGE = "dragoman_server.control"
INSERT_INTEGRATION = read_sql(_PACKAGE, "insert_integration")
INTEGRATION = read_sql(_PACKAGE, "integration")
INTEGRATION_LOCKED = read_sql(_PACKAGE, "integration_locked")
INTEGRATION_EVEN_DELETED = read_sql(_PACKAGE, "integration_even_deleted")
INTEGRATIONS = read_sql(_PACKAGE, "integrations")
UPDATE_INTEGRATION = read_sql(_PACKAGE, "update_integration")
HAS_CONNECTIONS = read_sql(_PACKAGE, "has_connections")
INTEGRATION_KEY_TAKEN = read_sql(_PACKAGE, "integration_key_taken")
DELETE_INTEGRATION = read_sql(_PACKAGE, "delete_integration")
DELETE_CONNECTIONS = read_sql(_PACKAGE, "delete_connections_of_integration")
DELETE_FUNCTIONS = read_sql(_PACKAGE, "delete_functions_of_integration")
COUNT_INTEGRATIONS_UNDER = read_sql(_PACKAGE, "count_integrations_under")
INTEGRATIONS_UNDER = read_sql(_PACKAGE, "integrations_under")
RESEAL_INTEGRATION = read_sql(_PACKAGE, "reseal_integration")


@dataclass(frozen=True, slots=True)
class StoredIntegration:
    """A row: its secrets still sealed."""

    id: IntegrationId
    uuid: UUID
    environment_id: EnvironmentId
    unique_key: str
    provider: str
    display_name: str | None
    created_at: datetime
    updated_at: datetime
    forward_webhooks: bool
    config: Mapping[str, str]
    allowed_origins: Sequence[str]
    sealed: bytes


def _stored(row: Row | None) -> StoredIntegration | None:
    return None if row is None else StoredIntegration(*row)


async def insert_integration(
    conn: Conn,
    environment_id: EnvironmentId,
    uuid: UUID,
    *,
    unique_key: str,
    provider: str,
    display_name: str | None,
    forward_webhooks: bool,
    config: Mapping[str, str],
    allowed_origins: Sequence[str],
    sealed: bytes,
) -> StoredIntegration | None:
    """Return None when the key is taken."""
    origins = list(allowed_origins)
    return _stored(
        await conn.fetchrow(
            INSERT_INTEGRATION, uuid, environment_id, unique_key, provider, display_name, forward_webhooks, config,
            origins, sealed,
        )
    )  # fmt: skip


async def integration(
    conn: Conn, environment_id: EnvironmentId, unique_key: str, *, lock: bool = False
) -> StoredIntegration | None:
    return _stored(await conn.fetchrow(INTEGRATION_LOCKED if lock else INTEGRATION, environment_id, unique_key))


async def even_deleted(
    conn: Conn, environment_id: EnvironmentId, integration_id: IntegrationId
) -> StoredIntegration | None:
    return _stored(await conn.fetchrow(INTEGRATION_EVEN_DELETED, environment_id, integration_id))


async def integrations(conn: Conn, environment_id: EnvironmentId) -> list[StoredIntegration]:
    return [StoredIntegration(*row) for row in await conn.fetch(INTEGRATIONS, environment_id)]


async def update_integration(conn: Conn, changed: StoredIntegration) -> StoredIntegration:
    row = await conn.fetchrow(
        UPDATE_INTEGRATION, changed.environment_id, changed.id, changed.unique_key, changed.display_name,
        changed.forward_webhooks, changed.config, list(changed.allowed_origins), changed.sealed,
    )  # fmt: skip
    assert row is not None  # the caller holds its lock
    return StoredIntegration(*row)


async def has_connections(conn: Conn, environment_id: EnvironmentId, integration_id: IntegrationId) -> bool:
    return cast("bool", await conn.fetchval(HAS_CONNECTIONS, environment_id, integration_id))


async def key_taken(conn: Conn, environment_id: EnvironmentId, unique_key: str) -> bool:
    return cast("bool", await conn.fetchval(INTEGRATION_KEY_TAKEN, environment_id, unique_key))


async def delete_integration(
    conn: Conn, environment_id: EnvironmentId, integration_id: IntegrationId
) -> list[tuple[ConnectionRowId, UUID, str]]:
    """Delete it with its connections and functions; return the connections (row id, uuid, public id)."""
    await conn.execute(DELETE_INTEGRATION, environment_id, integration_id)
    await conn.execute(DELETE_FUNCTIONS, environment_id, integration_id)
    rows = await conn.fetch(DELETE_CONNECTIONS, environment_id, integration_id)
    return [(row["id"], row["uuid"], row["connection_id"]) for row in rows]


async def count_under(conn: Conn, environment_id: EnvironmentId, header: bytes) -> int:
    return cast("int", await conn.fetchval(COUNT_INTEGRATIONS_UNDER, environment_id, header))


async def sealed_under(
    conn: Conn, environment_id: EnvironmentId, header: bytes, limit: int
) -> list[tuple[IntegrationId, UUID, bytes]]:
    rows = await conn.fetch(INTEGRATIONS_UNDER, environment_id, header, limit)
    return [(row["id"], row["uuid"], row["sealed"]) for row in rows]


async def reseal(conn: Conn, environment_id: EnvironmentId, integration_id: IntegrationId, sealed: bytes) -> None:
    await conn.execute(RESEAL_INTEGRATION, environment_id, integration_id, sealed)
