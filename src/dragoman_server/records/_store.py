"""The only code that knows the records tables. Never commits; callers open transactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import cast
from uuid import UUID

from dragoman_server.db import Conn, Row, read_sql
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.records.canonical import HASH_VERSION, Prepared
from dragoman_server.records.model import Fence, Stream, StreamKey

_PART = __package__ or ""
LOOK_UP = read_sql(_PART, "look_up")
WRITE = read_sql(_PART, "write")
DELETE = read_sql(_PART, "delete")
PAGE = read_sql(_PART, "page")
BY_IDS = read_sql(_PART, "by_ids")
LOCK_CONNECTION = read_sql(_PART, "lock_connection")
OPEN_STREAM = read_sql(_PART, "open_stream")
FIND_STREAM = read_sql(_PART, "find_stream")
LOCK_STREAM = read_sql(_PART, "lock_stream")
TOUCH_STREAM = read_sql(_PART, "touch_stream")
READ_FENCE = read_sql(_PART, "read_fence")
HOLD_FENCE = read_sql(_PART, "hold_fence")
INSERT_FENCE = read_sql(_PART, "insert_fence")
BUMP_FENCE = read_sql(_PART, "bump_fence")
BREAK_FENCE = read_sql(_PART, "break_fence")
DROP_OLD_BATCHES = read_sql(_PART, "drop_old_batches")
INSERT_BATCH = read_sql(_PART, "insert_batch")
READ_CHECKPOINT = read_sql(_PART, "read_checkpoint")
SAVE_CHECKPOINT = read_sql(_PART, "save_checkpoint")
ADD_TOTALS = read_sql(_PART, "add_totals")
RUN_TOTALS = read_sql(_PART, "run_totals")
COUNTS = read_sql(_PART, "counts")


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look-up saw: `changed` are indexes into the batch, `rids` the rest's while a generation is open."""

    stream_key: int
    stream_id: int
    connection_uuid: UUID
    last_seq: int
    tracked: bool
    stale: bool
    changed: Sequence[int]
    rids: Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of a write: written, gone or moved."""

    outcome: str
    added: int
    updated: int
    ignored: int
    last_seq: int


async def look_up(
    conn: Conn,
    environment_id: EnvironmentId,
    stream: StreamKey,
    batch: Sequence[Prepared],
    *,
    writer: int,
    not_after: int | None,
) -> Looked | None:
    """Compare a batch with what is stored; None when the stream does not exist yet."""
    row = await conn.fetchrow(
        LOOK_UP,
        environment_id,
        stream.connection_row_id,
        stream.model,
        stream.variant,
        [p.external_id for p in batch],
        [p.hash for p in batch],
        HASH_VERSION,
        writer,
        not_after,
    )
    if row is None or row[0] is None:
        return None
    key, stream_id, connection_uuid, last_seq, tracked, stale, changed, rids = row
    found = tuple(ordinal - 1 for ordinal in changed or ())
    return Looked(
        key, stream_id, connection_uuid, last_seq, tracked, stale, found, tuple(rids or ()) if tracked else None
    )


async def write(
    conn: Conn,
    environment_id: EnvironmentId,
    *,
    stream_key: int,
    stream_id: int,
    last_seq: int,
    batch: Sequence[Prepared],
    sealed: Sequence[bytes],
    writer: int,
    not_after: int | None,
    owner: UUID | None,
    seen: Sequence[int] | None,
) -> Written:
    """Store what changed; see records.write."""
    row = await conn.fetchrow(
        WRITE,
        environment_id,
        stream_key,
        stream_id,
        last_seq,
        [p.external_id for p in batch],
        [p.hash for p in batch],
        sealed,
        [len(p.raw) for p in batch],
        HASH_VERSION,
        writer,
        not_after,
        owner,
        seen,
    )
    assert row is not None  # a function always answers
    return Written(*row)


async def delete(
    conn: Conn,
    environment_id: EnvironmentId,
    stream_key: int,
    ids: Sequence[str],
    *,
    writer: int,
    not_after: int | None,
) -> int:
    """Mark records deleted and return how many were live."""
    row = await conn.fetchrow(DELETE, environment_id, stream_key, ids, writer, not_after)
    assert row is not None  # a function always answers
    return cast("int", row["deleted"])


async def page(
    conn: Conn,
    environment_id: EnvironmentId,
    place: tuple[int, str, str],
    *,
    after: int,
    limit: int,
    actions: Sequence[int] | None,
    modified_after: datetime | None,
    max_bytes: int,
    budget: int,
) -> Sequence[Row]:
    """The rows of records.page: the stream's, then records, then perhaps marks with action 0."""
    return await conn.fetch(PAGE, environment_id, *place, after, limit, actions, modified_after, max_bytes, budget)


async def by_ids(
    conn: Conn, environment_id: EnvironmentId, place: tuple[int, str, str], ids: Sequence[str]
) -> Sequence[Row]:
    """The rows of records.by_ids: the stream's, then records."""
    return await conn.fetch(BY_IDS, environment_id, *place, ids)


async def open_stream(conn: Conn, environment_id: EnvironmentId, stream: StreamKey) -> bool:
    """Make the stream if the connection is not erased; True if it was made now. Needs a transaction."""
    await conn.fetchval(LOCK_CONNECTION, stream.connection_row_id)
    tag = await conn.execute(
        OPEN_STREAM,
        environment_id,
        stream.connection_row_id,
        stream.connection_uuid,
        stream.model,
        stream.variant,
    )
    return tag.endswith(" 1")


async def find_stream(
    conn: Conn, environment_id: EnvironmentId, place: tuple[int, str, str], *, lock: bool = False
) -> Stream | None:
    """Resolve a stream, or None; with `lock` keep its contents from changing to the end of the transaction."""
    row = await conn.fetchrow(LOCK_STREAM if lock else FIND_STREAM, environment_id, *place)
    return None if row is None else Stream(*row)


async def touch_stream(conn: Conn, environment_id: EnvironmentId, stream_key: int) -> None:
    """Note that something was saved today."""
    await conn.execute(TOUCH_STREAM, environment_id, stream_key)


async def read_fence(conn: Conn, environment_id: EnvironmentId, fence: Fence, batch: int) -> tuple[bool, str | None]:
    """Whether the attempt is current, and the stored answer of its batch. Takes no lock."""
    row = await conn.fetchrow(READ_FENCE, environment_id, fence.owner, fence.run_id, fence.attempt, batch)
    return (False, None) if row is None else (row["current"], row["answer"])


async def hold_fence(conn: Conn, environment_id: EnvironmentId, fence: Fence) -> bool:
    """Whether the attempt is current; if so it stays current to the end of the transaction."""
    return bool(await conn.fetchval(HOLD_FENCE, environment_id, fence.owner, fence.run_id, fence.attempt))


async def bump_fence(conn: Conn, environment_id: EnvironmentId, fence: Fence) -> bool:
    """Make the attempt the current one; False if a newer one was begun before. Needs a transaction."""
    tag = await conn.execute(INSERT_FENCE, environment_id, fence.owner, fence.run_id, fence.attempt)
    if not tag.endswith(" 1"):
        if not await conn.fetchval(BUMP_FENCE, environment_id, fence.owner, fence.run_id, fence.attempt):
            return False
        await conn.execute(DROP_OLD_BATCHES, environment_id, fence.owner, fence.run_id, fence.attempt)
    return True


async def break_fence(conn: Conn, environment_id: EnvironmentId, owner: UUID) -> None:
    """Make every attempt of `owner` stale."""
    await conn.execute(BREAK_FENCE, environment_id, owner)


async def keep_answer(conn: Conn, environment_id: EnvironmentId, fence: Fence, batch: int, answer: str) -> bool:
    """Keep a batch's answer; False if one is there already."""
    return bool(
        await conn.fetchval(INSERT_BATCH, environment_id, fence.owner, fence.run_id, fence.attempt, batch, answer)
    )


async def read_checkpoint(conn: Conn, environment_id: EnvironmentId, owner: UUID) -> tuple[str | None, int]:
    """The checkpoint's text and version; (None, 0) if there never was one."""
    row = await conn.fetchrow(READ_CHECKPOINT, environment_id, owner)
    return (None, 0) if row is None else (row["body"], row["version"])


async def save_checkpoint(
    conn: Conn, environment_id: EnvironmentId, owner: UUID, body: str | None, expected: int | None
) -> int | None:
    """Store (or with None clear) a checkpoint; return its new version, or None if another version is there."""
    return cast("int | None", await conn.fetchval(SAVE_CHECKPOINT, environment_id, owner, body, expected))


async def add_totals(
    conn: Conn, environment_id: EnvironmentId, run_id: UUID, model: str, added: int, updated: int, deleted: int
) -> None:
    """Add to a run's totals of a model."""
    await conn.execute(ADD_TOTALS, environment_id, run_id, model, added, updated, deleted)


async def run_totals(conn: Conn, environment_id: EnvironmentId, run_ids: Sequence[UUID]) -> Sequence[Row]:
    """Rows of (run_id, model, added, updated, deleted)."""
    return await conn.fetch(RUN_TOTALS, environment_id, run_ids)


async def counts(conn: Conn, environment_id: EnvironmentId, connection_row_ids: Sequence[int]) -> Sequence[Row]:
    """Rows of (connection_row_id, model, variant, live, bytes, last_modified_at)."""
    return await conn.fetch(COUNTS, environment_id, connection_row_ids)
