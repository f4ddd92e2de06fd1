"""Syncs."""

from collections.abc import Sequence
from typing import cast
from uuid import UUID

from dragoman_server.control.model import FunctionVersion, Sync
from dragoman_server.db import Conn, Row, read_sql
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, SyncId

_PACKAGE = "dragoman_server.control"
CREATE_MISSING = read_sql(_PACKAGE, "create_missing_syncs")
INSERT_VARIANT = read_sql(_PACKAGE, "insert_variant")
LOCK_SYNC = read_sql(_PACKAGE, "lock_sync")
COUNT_VARIANTS = read_sql(_PACKAGE, "count_variants")
SYNCS_BY_IDS = read_sql(_PACKAGE, "syncs_by_ids")
FIND_SYNCS = read_sql(_PACKAGE, "find_syncs")
SYNCS_OF_CONNECTION = read_sql(_PACKAGE, "syncs_of_connection")
SYNCS_OF_FUNCTIONS = read_sql(_PACKAGE, "syncs_of_functions")
SET_PAUSED = read_sql(_PACKAGE, "set_syncs_paused")
SET_FREQUENCY = read_sql(_PACKAGE, "set_sync_frequency")
DELETE_SYNCS = read_sql(_PACKAGE, "delete_syncs")
DELETE_OF_CONNECTIONS = read_sql(_PACKAGE, "delete_syncs_of_connections")
DELETE_OF_FUNCTIONS = read_sql(_PACKAGE, "delete_syncs_of_functions")


def _sync(row: Row) -> Sync:
    function = FunctionVersion(
        row["function_id"], row["environment_id"], row["unique_key"], row["name"], row["type"], row["deployment_id"],
        row["manifest"], row["enabled"], row["last_deployed"], row["function_frequency"], row["version"],
    )  # fmt: skip
    return Sync(
        row["id"], row["environment_id"], row["connection_row_id"], row["connection_id"], row["unique_key"],
        row["function_id"], row["name"], row["variant"], row["paused"], row["frequency_override"], row["created_at"],
        function,
    )  # fmt: skip


def _ids(rows: Sequence[Row]) -> list[SyncId]:
    return [row["id"] for row in rows]


async def create_missing(
    conn: Conn, environment_id: EnvironmentId, connection_row_id: ConnectionRowId | None
) -> list[SyncId]:
    return _ids(await conn.fetch(CREATE_MISSING, environment_id, connection_row_id))


async def insert_variant(
    conn: Conn, environment_id: EnvironmentId, base: SyncId, made: UUID, variant: str
) -> SyncId | None:
    return cast("SyncId | None", await conn.fetchval(INSERT_VARIANT, environment_id, base, made, variant))


async def lock(conn: Conn, environment_id: EnvironmentId, sync_id: SyncId) -> None:
    await conn.execute(LOCK_SYNC, environment_id, sync_id)


async def count_variants(
    conn: Conn, environment_id: EnvironmentId, connection_row_id: ConnectionRowId, function_id: int
) -> int:
    return cast("int", await conn.fetchval(COUNT_VARIANTS, environment_id, connection_row_id, function_id))


async def by_ids(conn: Conn, environment_id: EnvironmentId, ids: Sequence[SyncId]) -> list[Sync]:
    return [_sync(row) for row in await conn.fetch(SYNCS_BY_IDS, environment_id, list(ids))]


async def find(
    conn: Conn,
    environment_id: EnvironmentId,
    integration_key: str,
    connection_row_id: ConnectionRowId | None,
    name: str | None,
    variant: str | None,
) -> list[Sync]:
    rows = await conn.fetch(FIND_SYNCS, environment_id, integration_key, connection_row_id, name, variant)
    return [_sync(row) for row in rows]


async def of_connection(conn: Conn, environment_id: EnvironmentId, row_id: ConnectionRowId) -> list[Sync]:
    return [_sync(row) for row in await conn.fetch(SYNCS_OF_CONNECTION, environment_id, row_id)]


async def of_functions(conn: Conn, environment_id: EnvironmentId, function_ids: Sequence[int]) -> list[Sync]:
    return [_sync(row) for row in await conn.fetch(SYNCS_OF_FUNCTIONS, environment_id, list(function_ids))]


async def set_paused(conn: Conn, environment_id: EnvironmentId, ids: Sequence[SyncId], *, paused: bool) -> list[SyncId]:
    return _ids(await conn.fetch(SET_PAUSED, environment_id, list(ids), paused))


async def set_frequency(conn: Conn, environment_id: EnvironmentId, sync_id: SyncId, frequency: str | None) -> bool:
    return await conn.execute(SET_FREQUENCY, environment_id, sync_id, frequency) == "UPDATE 1"


async def delete(conn: Conn, environment_id: EnvironmentId, ids: Sequence[SyncId]) -> list[SyncId]:
    return _ids(await conn.fetch(DELETE_SYNCS, environment_id, list(ids)))


async def delete_of_connections(
    conn: Conn, environment_id: EnvironmentId, row_ids: Sequence[ConnectionRowId]
) -> list[SyncId]:
    return _ids(await conn.fetch(DELETE_OF_CONNECTIONS, environment_id, list(row_ids)))


async def delete_of_functions(conn: Conn, environment_id: EnvironmentId, function_ids: Sequence[int]) -> list[SyncId]:
    return _ids(await conn.fetch(DELETE_OF_FUNCTIONS, environment_id, list(function_ids)))
