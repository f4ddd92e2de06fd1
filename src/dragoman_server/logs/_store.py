"""The only code that knows the tables of the logs."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from dragoman_server.db import Conn, Row, Statement, read_sql
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, OperationId
from dragoman_server.logs.model import DEFAULT_LIFETIME, LIFETIMES, Level, Message, OperationView, State
from dragoman_server.logs.operation import MessageRow, Operation, time_of

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
SEARCH_NEWEST = read_sql(_PACKAGE, "search_newest")
SEARCH_BY_CONNECTION = read_sql(_PACKAGE, "search_by_connection")
SEARCH_BY_INTEGRATION = read_sql(_PACKAGE, "search_by_integration")
SEARCH_BY_SYNC = read_sql(_PACKAGE, "search_by_sync")
SEARCH_BY_KIND = read_sql(_PACKAGE, "search_by_kind")
SEARCH_BY_STATE = read_sql(_PACKAGE, "search_by_state")
SEARCH_HITS = read_sql(_PACKAGE, "search_hits")
SEARCH_WALK = read_sql(_PACKAGE, "search_walk")
GET_OPERATION = read_sql(_PACKAGE, "get_operation")
LIST_MESSAGES = read_sql(_PACKAGE, "list_messages")
LIST_NEWER_MESSAGES = read_sql(_PACKAGE, "list_newer_messages")
COUNT_STATES = read_sql(_PACKAGE, "count_states")

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


@dataclass(frozen=True, slots=True)
class OperationQuery:
    """What a page of operations is asked by; None means any. `place` is exclusive."""

    environment_id: EnvironmentId
    place: tuple[datetime, uuid.UUID]
    states: list[str] | None
    kinds: list[str] | None
    integrations: list[str] | None
    connections: list[str] | None
    syncs: list[str] | None
    since: datetime

    def after(self, place: tuple[datetime, uuid.UUID]) -> "OperationQuery":
        """The same question further down."""
        return replace(self, place=place)

    @property
    def arguments(self) -> tuple[Any, ...]:
        """$1 to $9 of every search statement."""
        return (
            self.environment_id, *self.place, self.states, self.kinds, self.integrations, self.connections, self.syncs,
            self.since,
        )  # fmt: skip


_BAD_STATES = {State.FAILED.value, State.TIMEOUT.value, State.CANCELLED.value}
_LEVEL_OF = {State.FAILED: Level.ERROR, State.TIMEOUT: Level.ERROR, State.CANCELLED: Level.WARN}


def _plan(query: OperationQuery) -> Statement:
    """Choose the index that leaves the fewest rows to look at, as far as one can know without looking."""
    if query.connections:
        return SEARCH_BY_CONNECTION
    if query.syncs:
        return SEARCH_BY_SYNC
    if query.states is not None and set(query.states) <= _BAD_STATES:
        return SEARCH_BY_STATE
    if query.integrations:
        return SEARCH_BY_INTEGRATION
    return SEARCH_BY_KIND if query.kinds else SEARCH_NEWEST


def _view(values: Sequence[Any]) -> OperationView:
    state = State(values[3])
    return OperationView(
        id=values[0], environment_id=values[1], kind=values[2], state=state, level=_LEVEL_OF.get(state, Level.INFO),
        at=values[4], finished_at=values[5], integration=values[6], connection=values[7], connection_row_id=values[8],
        sync=values[9], function=values[10], meta=json.loads(values[11] or "{}"),
        error=None if values[12] is None else json.loads(values[12]),
    )  # fmt: skip


async def search(conn: Conn, query: OperationQuery, limit: int) -> list[OperationView]:
    """Return up to `limit` operations, newest first."""
    return [_view(tuple(row)) for row in await conn.fetch(_plan(query), *query.arguments, limit)]


async def search_hits(
    conn: Conn, query: OperationQuery, text: str, limit: int, hits: int
) -> list[OperationView] | None:
    """Return the operations a rare text is found in, or None when it is in `hits` rows or more."""
    rows = await conn.fetch(SEARCH_HITS, *query.arguments, limit, hits, text)
    if rows[0][0]:
        return None
    return [_view(tuple(row)[1:]) for row in rows if row[1] is not None]


async def search_walk(conn: Conn, query: OperationQuery, text: str, window: int) -> list[tuple[bool, OperationView]]:
    """Return a window of operations, newest first, each with whether the text is found in it."""
    rows = await conn.fetch(SEARCH_WALK, *query.arguments, window, text)
    return [(bool(row[0]), _view(tuple(row)[1:])) for row in rows]


async def get_operation(conn: Conn, environment_id: EnvironmentId, operation_id: OperationId) -> OperationView | None:
    """Return one operation."""
    row = await conn.fetchrow(GET_OPERATION, environment_id, operation_id, time_of(operation_id))
    return None if row is None else _view(tuple(row))


MessageAt = tuple[Message, int]


def _message(row: Row) -> MessageAt:
    operation_id, at, seq, kind, level, source, message, body = tuple(row)
    name = f"{(at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1):x}-{seq:x}"
    content: dict[str, Any] = json.loads(body) if body else {}
    return Message(name, operation_id, at, kind, Level(level), source, message, content), seq


async def messages(
    conn: Conn,
    environment_id: EnvironmentId,
    operation_id: OperationId,
    before: tuple[datetime, int] | None,
    levels: list[str] | None,
    text: str | None,
    limit: int,
) -> list[MessageAt]:
    """Return messages, newest first, with their sequence numbers."""
    at, seq = before or (None, None)
    rows = await conn.fetch(
        LIST_MESSAGES, environment_id, operation_id, time_of(operation_id), at, seq, levels, text, limit
    )
    return [_message(row) for row in rows]


async def newer_messages(
    conn: Conn,
    environment_id: EnvironmentId,
    operation_id: OperationId,
    after: tuple[datetime, int],
    levels: list[str] | None,
    text: str | None,
    limit: int,
) -> list[MessageAt]:
    """Return messages after a place, oldest first."""
    rows = await conn.fetch(LIST_NEWER_MESSAGES, environment_id, operation_id, *after, levels, text, limit)
    return [_message(row) for row in rows]


async def count_states(
    conn: Conn, environment_id: EnvironmentId, kinds: list[str] | None, days: int
) -> list[tuple[date, State, int]]:
    """Return counts by UTC day and state."""
    return [(row[0], State(row[1]), int(row[2])) for row in await conn.fetch(COUNT_STATES, environment_id, kinds, days)]
