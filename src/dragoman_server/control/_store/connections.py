"""Connections."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from dragoman_server.control.model import Connection, ConnectionFilter, EndUser, Integration, Organization
from dragoman_server.db import Conn, Row, read_sql
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, IntegrationId

_PACKAGE = "dragoman_server.control"
UPSERT_CONNECTION = read_sql(_PACKAGE, "upsert_connection")
CONNECTION = read_sql(_PACKAGE, "connection")
CONNECTION_BY_ROW = read_sql(_PACKAGE, "connection_by_row")
CONNECTIONS_BY_ROWS = read_sql(_PACKAGE, "connections_by_rows")
CONNECTIONS_EVEN_DELETED = read_sql(_PACKAGE, "connections_even_deleted")
CONNECTION_NUMBERS = read_sql(_PACKAGE, "connection_numbers")
LIST_CONNECTIONS = read_sql(_PACKAGE, "list_connections")
LIST_BY_ID = read_sql(_PACKAGE, "list_connections_by_id")
LIST_BY_END_USER = read_sql(_PACKAGE, "list_connections_by_end_user")
LIST_BY_TAGS = read_sql(_PACKAGE, "list_connections_by_tags")
LIST_BY_SEARCH = read_sql(_PACKAGE, "list_connections_by_search")
LIST_BY_LETTERS = read_sql(_PACKAGE, "list_connections_by_letters")
COUNT_CONNECTIONS = read_sql(_PACKAGE, "count_connections")
LOCK_CONNECTIONS = read_sql(_PACKAGE, "lock_connections")
REPLACE_METADATA = read_sql(_PACKAGE, "replace_metadata")
MERGE_METADATA = read_sql(_PACKAGE, "merge_metadata")
MERGE_CONNECTION_CONFIG = read_sql(_PACKAGE, "merge_connection_config")
PATCH_CONNECTION = read_sql(_PACKAGE, "patch_connection")
DELETE_CONNECTION = read_sql(_PACKAGE, "delete_connection")
ADD_ERROR = read_sql(_PACKAGE, "add_error")
CLEAR_ERRORS = read_sql(_PACKAGE, "clear_errors")
TOUCH_CONNECTIONS = read_sql(_PACKAGE, "touch_connections")
PURGE_CONNECTIONS = read_sql(_PACKAGE, "purge_connections")
SETTLE_PENDING = read_sql(_PACKAGE, "settle_pending")
STILL_PENDING = read_sql(_PACKAGE, "still_pending")

INDEXED_LETTERS = 3
"""How many letters a search needs so that an index finds its matches."""
SEARCHED_WITHOUT_INDEX = 10_000
"""How many connections, the newest, a shorter search looks at."""


def _end_user(value: Mapping[str, Any] | None) -> EndUser | None:
    if value is None:
        return None
    organization = value.get("organization")
    return EndUser(
        value["id"],
        value.get("email"),
        value.get("display_name"),
        value.get("tags") or {},
        None if organization is None else Organization(organization["id"], organization.get("display_name")),
    )


def _connection(row: Row, integration: Integration | None = None) -> Connection:
    return Connection(
        id=row["id"],
        uuid=row["uuid"],
        environment_id=row["environment_id"],
        integration_id=row["integration_id"],
        integration_key=row["unique_key"] if integration is None else integration.unique_key,
        provider=row["provider"] if integration is None else integration.provider,
        connection_id=row["connection_id"],
        connection_config=row["connection_config"],
        metadata=row["metadata"],
        tags=row["tags"],
        end_user=_end_user(row["end_user"]),
        webhook_url_override=row["webhook_url_override"],
        errors=[{"type": error["type"], "log_id": error["log_id"]} for error in row["errors"]],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        last_fetched_at=row["last_fetched_at"],
        pending=row["pending"],
    )


async def upsert(
    conn: Conn,
    integration: Integration,
    connection_id: str,
    uuid: UUID,
    *,
    connection_config: Mapping[str, Any] | None,
    metadata: Mapping[str, Any] | None,
    tags: Mapping[str, str] | None,
    end_user: EndUser | None,
    webhook_url_override: str | None,
    pending: bool,
) -> tuple[Connection, bool] | None:
    """Return the connection and whether it is new (or was pending); None when the integration is gone."""
    settled = (
        not pending
        and await conn.execute(SETTLE_PENDING, integration.environment_id, integration.id, connection_id) == "UPDATE 1"
    )
    row = await conn.fetchrow(
        UPSERT_CONNECTION, integration.environment_id, integration.id, connection_id, uuid, connection_config, metadata,
        tags, None if end_user is None else end_user.public(), webhook_url_override,
        pending,
    )  # fmt: skip
    return None if row is None else (_connection(row, integration), row["created"] or settled)


async def still_pending(conn: Conn, environment_id: EnvironmentId, row_id: ConnectionRowId) -> bool:
    return bool(await conn.fetchval(STILL_PENDING, environment_id, row_id))


async def connection(
    conn: Conn, environment_id: EnvironmentId, integration_key: str, connection_id: str
) -> Connection | None:
    row = await conn.fetchrow(CONNECTION, environment_id, integration_key, connection_id)
    return None if row is None else _connection(row)


async def by_row(conn: Conn, environment_id: EnvironmentId, row_id: ConnectionRowId) -> Connection | None:
    row = await conn.fetchrow(CONNECTION_BY_ROW, environment_id, row_id)
    return None if row is None else _connection(row)


async def by_rows(conn: Conn, environment_id: EnvironmentId, row_ids: Sequence[ConnectionRowId]) -> list[Connection]:
    return [_connection(row) for row in await conn.fetch(CONNECTIONS_BY_ROWS, environment_id, list(row_ids))]


async def even_deleted(
    conn: Conn, environment_id: EnvironmentId, row_ids: Sequence[ConnectionRowId]
) -> dict[ConnectionRowId, tuple[str, Mapping[str, Any]]]:
    rows = await conn.fetch(CONNECTIONS_EVEN_DELETED, environment_id, list(row_ids))
    return {row["id"]: (row["connection_id"], row["connection_config"]) for row in rows}


async def numbers(conn: Conn, environment_id: EnvironmentId, integration_id: IntegrationId) -> list[ConnectionRowId]:
    return await conn.fetchval(CONNECTION_NUMBERS, environment_id, integration_id)


async def search(conn: Conn, environment_id: EnvironmentId, wanted: ConnectionFilter) -> list[ConnectionRowId]:
    """Return the numbers of a page of connections, the newest first."""
    statement, more = LIST_CONNECTIONS, list[object]()
    if wanted.connection_id is not None:
        statement = LIST_BY_ID
    elif wanted.end_user_id is not None:
        statement = LIST_BY_END_USER
    elif wanted.tags:
        statement = LIST_BY_TAGS
    elif wanted.search and len(wanted.search) >= INDEXED_LETTERS:
        statement, more = LIST_BY_SEARCH, [wanted.search]
    elif wanted.search:
        statement, more = LIST_BY_LETTERS, [SEARCHED_WITHOUT_INDEX]
    return await conn.fetchval(
        statement, environment_id, wanted.connection_id, _like(wanted.search), list(wanted.integration_keys),
        wanted.end_user_id, wanted.end_user_organization_id, wanted.tags, wanted.with_errors, wanted.limit,
        wanted.page * wanted.limit, *more,
    )  # fmt: skip


def _like(text: str | None) -> str | None:
    if not text:
        return None
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


async def counts(conn: Conn, environment_id: EnvironmentId) -> dict[str, int]:
    return {row["unique_key"]: row["count"] for row in await conn.fetch(COUNT_CONNECTIONS, environment_id)}


async def lock(
    conn: Conn, environment_id: EnvironmentId, integration_id: IntegrationId, connection_ids: Sequence[str]
) -> dict[str, ConnectionRowId]:
    rows = await conn.fetch(LOCK_CONNECTIONS, environment_id, integration_id, list(connection_ids))
    return {row["connection_id"]: row["id"] for row in rows}


async def write_metadata(
    conn: Conn,
    environment_id: EnvironmentId,
    row_ids: Sequence[ConnectionRowId],
    metadata: Mapping[str, Any],
    *,
    merge: bool,
) -> None:
    await conn.execute(MERGE_METADATA if merge else REPLACE_METADATA, environment_id, list(row_ids), metadata)


async def merge_config(
    conn: Conn, environment_id: EnvironmentId, row_id: ConnectionRowId, values: Mapping[str, Any]
) -> bool:
    return await conn.execute(MERGE_CONNECTION_CONFIG, environment_id, row_id, values) == "UPDATE 1"


async def patch(
    conn: Conn,
    environment_id: EnvironmentId,
    row_id: ConnectionRowId,
    *,
    tags: Mapping[str, str] | None,
    end_user: EndUser | None,
    webhook_url_override: str | None,
) -> bool:
    user = None if end_user is None else end_user.public()
    return await conn.execute(PATCH_CONNECTION, environment_id, row_id, tags, user, webhook_url_override) == "UPDATE 1"


async def delete(conn: Conn, environment_id: EnvironmentId, row_id: ConnectionRowId) -> bool:
    return await conn.execute(DELETE_CONNECTION, environment_id, row_id) == "UPDATE 1"


async def add_error(
    conn: Conn, environment_id: EnvironmentId, row_id: ConnectionRowId, kind: str, log_id: str, subject: str
) -> bool:
    return await conn.execute(ADD_ERROR, environment_id, row_id, kind, log_id, subject) == "UPDATE 1"


async def clear_errors(
    conn: Conn, environment_id: EnvironmentId, row_id: ConnectionRowId, kind: str, subject: str | None
) -> bool:
    """Return whether there was anything to clear."""
    return await conn.execute(CLEAR_ERRORS, environment_id, row_id, kind, subject) == "UPDATE 1"


async def touch(conn: Conn, touched: Sequence[tuple[EnvironmentId, ConnectionRowId]]) -> None:
    await conn.execute(TOUCH_CONNECTIONS, [pair[0] for pair in touched], [pair[1] for pair in touched])


async def purge(conn: Conn, age: timedelta, limit: int) -> list[tuple[EnvironmentId, UUID]]:
    """Return (environment, uuid) of the rows that are gone."""
    return [(row["environment_id"], row["uuid"]) for row in await conn.fetch(PURGE_CONNECTIONS, age, limit)]
