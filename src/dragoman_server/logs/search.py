"""Finding operations and messages: the newest page at once, a rare word by the index, a common one by walking.

A word in at most `HITS_LIMIT` rows is answered from the text index alone, exactly. A more common one is in the newest
operations, too, so these are walked in windows until the page is full; past `MOST_WINDOWS` the page is handed out as
far as it is, with a cursor to go on from.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, date, datetime

from dragoman_server.db import Conn, Database
from dragoman_server.kit.ids import EnvironmentId, OperationId
from dragoman_server.logs import _store
from dragoman_server.logs.cursor import read_cursor, write_cursor
from dragoman_server.logs.errors import UnknownOperationError
from dragoman_server.logs.model import LIFETIMES, Level, Message, OperationFilter, OperationView, Page, State
from dragoman_server.logs.operation import time_of

LARGEST_PAGE = 500
HITS_LIMIT = 2000
FIRST_WINDOW = 100
WINDOW = 1000
MOST_WINDOWS = 20
_OPERATIONS = b"o"
_MESSAGES = b"m"
_END = datetime(9999, 1, 1, tzinfo=UTC)
_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_ID = uuid.UUID(int=2**128 - 1)
_LEVELS = {
    Level.ERROR: (State.FAILED, State.TIMEOUT),
    Level.WARN: (State.CANCELLED,),
    Level.INFO: (State.SUCCESS, State.WAITING, State.RUNNING),
    Level.DEBUG: (),
}


class Search:
    """Read-only; needs nothing but the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def operations(
        self, environment_id: EnvironmentId, wanted: OperationFilter, *, cursor: str | None, limit: int
    ) -> Page[OperationView]:
        """Return a page, newest first."""
        limit = max(1, min(limit, LARGEST_PAGE))
        place = (wanted.until or _END, _LAST_ID)
        if cursor is not None:
            place = min(place, read_cursor(_OPERATIONS, cursor))
        states = _states(wanted)
        kinds = _kinds(wanted.kinds)
        if states == [] or kinds == []:
            return Page([], None)
        query = _store.OperationQuery(
            environment_id,
            place,
            states,
            kinds,
            list(wanted.integrations) or None,
            list(wanted.connections) or None,
            list(wanted.syncs) or None,
            wanted.since or _BEGIN,
        )
        text = (wanted.text or "").replace("\0", " ").strip()
        async with self._database.connection() as conn:
            if not text:
                found = await _store.search(conn, query, limit + 1)
                return _page(found, limit)
            return await self._by_text(conn, query, text, limit)

    async def _by_text(self, conn: Conn, query: "_store.OperationQuery", text: str, limit: int) -> Page[OperationView]:
        if (only := _operation_id(text)) is not None:
            found = await _store.get_operation(conn, query.environment_id, only)
            return Page([found] if found else [], None)
        found, place = await self._walk(conn, query, text, limit, windows=(FIRST_WINDOW,))
        if place is None or len(found) > limit:
            return _page(found, limit)
        hits = await _store.search_hits(conn, query, text, limit + 1, HITS_LIMIT)
        if hits is not None:
            return _page(hits, limit)
        more, place = await self._walk(
            conn, query.after(place), text, limit - len(found), windows=(WINDOW,) * MOST_WINDOWS
        )
        found += more
        if len(found) > limit or place is None:
            return _page(found, limit)
        return Page(found, write_cursor(_OPERATIONS, *place))

    @staticmethod
    async def _walk(
        conn: Conn, query: "_store.OperationQuery", text: str, limit: int, *, windows: Sequence[int]
    ) -> tuple[list[OperationView], tuple[datetime, uuid.UUID] | None]:
        """Look through windows until more than `limit` are found; also return the place reached, None at the end."""
        found: list[OperationView] = []
        for size in windows:
            walked = await _store.search_walk(conn, query, text, size)
            found += [view for matches, view in walked if matches]
            if len(walked) < size:
                return found, None
            query = query.after((walked[-1][1].at, walked[-1][1].id))
            if len(found) > limit:
                break
        return found, query.place

    async def operation(self, environment_id: EnvironmentId, operation_id: OperationId) -> OperationView:
        """Return one operation; raise UnknownOperationError."""
        if operation_id.version != 7:
            raise UnknownOperationError
        async with self._database.connection() as conn:
            found = await _store.get_operation(conn, environment_id, operation_id)
        if found is None:
            raise UnknownOperationError
        return found

    async def messages(
        self,
        environment_id: EnvironmentId,
        operation_id: OperationId,
        *,
        text: str | None,
        levels: Sequence[Level],
        cursor: str | None,
        limit: int,
        newer: bool,
    ) -> Page[Message]:
        """Return messages, newest first and older than the cursor; with `newer` oldest first and newer than it.

        A page that asks for newer ones always has a cursor to follow the operation with.
        """
        if operation_id.version != 7:
            raise UnknownOperationError
        limit = max(1, min(limit, LARGEST_PAGE))
        place = None
        if cursor is not None:
            at, key = read_cursor(_MESSAGES, cursor)
            place = (at, key.int & 0x7FFFFFFF)
        asked = (text or "").replace("\0", " ").strip() or None
        names = [level.value for level in levels] or None
        async with self._database.connection() as conn:
            if newer:
                start = place or (time_of(operation_id), -1)
                rows = await _store.newer_messages(conn, environment_id, operation_id, start, names, asked, limit)
                last = (rows[-1][0].at, rows[-1][1]) if rows else start
                return Page([m for m, _ in rows], write_cursor(_MESSAGES, last[0], uuid.UUID(int=max(last[1], 0))))
            rows = await _store.messages(conn, environment_id, operation_id, place, names, asked, limit + 1)
        following = (
            write_cursor(_MESSAGES, rows[limit - 1][0].at, uuid.UUID(int=rows[limit - 1][1]))
            if len(rows) > limit
            else None
        )
        return Page([m for m, _ in rows[:limit]], following)

    async def counts(
        self, environment_id: EnvironmentId, *, kinds: Sequence[str], days: int
    ) -> list[tuple[date, State, int]]:
        """Return how many operations are in which state, by UTC day."""
        async with self._database.connection() as conn:
            return await _store.count_states(conn, environment_id, _kinds(kinds), days)


def _page(found: Sequence[OperationView], limit: int) -> Page[OperationView]:
    if len(found) <= limit:
        return Page(found, None)
    last = found[limit - 1]
    return Page(found[:limit], write_cursor(_OPERATIONS, last.at, last.id))


def _states(wanted: OperationFilter) -> list[str] | None:
    """Return the states both `states` and `levels` allow; None for any."""
    states = set(wanted.states) if wanted.states else set(State)
    if wanted.levels:
        states &= {state for level in wanted.levels for state in _LEVELS[level]}
    return None if len(states) == len(State) else sorted(state.value for state in states)


def _kinds(wanted: Sequence[str]) -> list[str] | None:
    """Return the kinds meant by kinds and families; None for any."""
    if not wanted:
        return None
    return sorted({k for w in wanted for k in ([w] if ":" in w else [k for k in LIFETIMES if k.startswith(f"{w}:")])})


def _operation_id(text: str) -> OperationId | None:
    try:
        found = uuid.UUID(text)
    except ValueError:
        return None
    return OperationId(found) if found.version == 7 else None
