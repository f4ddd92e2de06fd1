"""The only code that knows the tables of the logs."""

import uuid
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from dragoman_server.db import Conn, read_sql
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, OperationId
from dragoman_server.logs.model import DEFAULT_LIFETIME, LIFETIMES, State
from dragoman_server.logs.operation import MessageRow, Operation

_PACKAGE = __package__ or ""
UPSERT_OPERATIONS = read_sql(_PACKAGE, "upsert_operations")
INSERT_MESSAGES = read_sql(_PACKAGE, "insert_messages")
ENSURE_DAYS = read_sql(_PACKAGE, "ensure_days")
DROP_DAYS = read_sql(_PACKAGE, "drop_days")
TODAY = read_sql(_PACKAGE, "today")
BEAT = read_sql(_PACKAGE, "beat")
TIME_OUT_OPERATIONS = read_sql(_PACKAGE, "time_out_operations")
FORGET_WRITERS = read_sql(_PACKAGE, "forget_writers")
ERASE_CONNECTION = read_sql(_PACKAGE, "erase_connection")

MESSAGE_COLUMNS = (
    "at", "operation_id", "seq", "operation_at", "environment_id", "type", "level", "source", "message", "body",
)  # fmt: skip
OPERATION_WIDTH = 16


def operation_row(operation: Operation, writer_id: uuid.UUID) -> tuple[Any, ...]:
    """Return the operation as it is now, in the order of `upsert_operations`."""
    o = operation
    return (
        o.at, o.id, o.environment_id, o.kind, o.state.value, o.integration, o.connection, o.connection_row_id, o.sync,
        o.function, o.words(), o.meta_json, o.error_json, o.finished_at,
        None if o.state is State.WAITING else writer_id, LIFETIMES.get(o.kind, DEFAULT_LIFETIME),
    )  # fmt: skip


async def upsert_operations(conn: Conn, rows: Sequence[tuple[Any, ...]]) -> None:
    """Write operations; each id at most once in a call."""
    columns = list(zip(*rows, strict=True))
    await conn.execute(UPSERT_OPERATIONS, *(list(c) for c in columns))


async def copy_messages(conn: Conn, rows: Sequence[MessageRow]) -> None:
    """Write messages that were never sent before."""
    await conn.copy("logs", "messages", MESSAGE_COLUMNS, rows)


async def insert_messages(conn: Conn, rows: Sequence[MessageRow]) -> None:
    """Write messages that may already be stored."""
    columns = list(zip(*rows, strict=True))
    await conn.execute(INSERT_MESSAGES, *(list(c) for c in columns))


async def ensure_days(conn: Conn, first: date, last: date) -> int:
    """Make the missing partitions of these days (both included); return how many were made."""
    return int(await conn.fetchval(ENSURE_DAYS, first, last))


async def drop_days(conn: Conn, keep: int) -> int:
    """Drop partitions more than `keep` days old; return how many."""
    return int(await conn.fetchval(DROP_DAYS, keep))


async def today(conn: Conn) -> date:
    """The database's UTC day."""
    found: date = await conn.fetchval(TODAY)
    return found


async def beat(conn: Conn, writer_id: uuid.UUID) -> None:
    """Say that this writer lives."""
    await conn.execute(BEAT, writer_id)


async def time_out_operations(
    conn: Conn, *, silent_for: timedelta, limit: int, error: str
) -> list[tuple[EnvironmentId, OperationId]]:
    """End operations nobody works on any more; return them."""
    rows = await conn.fetch(TIME_OUT_OPERATIONS, silent_for, limit, error)
    return [(EnvironmentId(row[0]), OperationId(row[1])) for row in rows]


async def forget_writers(conn: Conn) -> None:
    """Drop the rows of writers long gone."""
    await conn.execute(FORGET_WRITERS)


async def erase_connection(
    conn: Conn, environment_id: EnvironmentId, connection_row_id: ConnectionRowId, *, limit: int
) -> int:
    """Erase up to `limit` operations of a connection with their messages; return how many."""
    return int(await conn.fetchval(ERASE_CONNECTION, environment_id, connection_row_id, limit))
