"""The only code that knows the records tables. Never commits; callers open transactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID

from dragoman_server.db import Conn, Row, read_sql
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.records.canonical import HASH_VERSION, Prepared
from dragoman_server.records.model import Fence, Pruned, Stream, StreamKey

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
READ_CHECKPOINTS = read_sql(_PART, "read_checkpoints")
SAVE_CHECKPOINT = read_sql(_PART, "save_checkpoint")
ADD_TOTALS = read_sql(_PART, "add_totals")
RUN_TOTALS = read_sql(_PART, "run_totals")
COUNTS = read_sql(_PART, "counts")
COUNT_SEALED = read_sql(_PART, "count_sealed")
DROP_GENERATION = read_sql(_PART, "drop_generation")
DROP_GENERATIONS_OF_OWNERS = read_sql(_PART, "drop_generations_of_owners")
DROP_GENERATIONS_OF_STREAM = read_sql(_PART, "drop_generations_of_stream")
ERASE_CONNECTION = read_sql(_PART, "erase_connection")
ERASE_ENVIRONMENT = read_sql(_PART, "erase_environment")
FIND_GENERATION = read_sql(_PART, "find_generation")
FINISH_PURGE = read_sql(_PART, "finish_purge")
FORGET_OWNERS = read_sql(_PART, "forget_owners")
FORGET_RESEAL = read_sql(_PART, "forget_reseal")
IDLE_STREAMS = read_sql(_PART, "idle_streams")
MARK_CLOSING = read_sql(_PART, "mark_closing")
NEXT_STREAM = read_sql(_PART, "next_stream")
OPEN_GENERATION = read_sql(_PART, "open_generation")
PRUNABLE = read_sql(_PART, "prunable")
PRUNE = read_sql(_PART, "prune")
PURGE_CHUNK = read_sql(_PART, "purge_chunk")
RESEAL = read_sql(_PART, "reseal")
RESEAL_POSITION = read_sql(_PART, "reseal_position")
RESUME_GENERATION = read_sql(_PART, "resume_generation")
SAVE_RESEAL_POSITION = read_sql(_PART, "save_reseal_position")
SAW_ANYTHING = read_sql(_PART, "saw_anything")
SEALED_AFTER = read_sql(_PART, "sealed_after")
SEEN_RANGES = read_sql(_PART, "seen_ranges")
STILL_IDLE = read_sql(_PART, "still_idle")
SWAP_STREAM = read_sql(_PART, "swap_stream")
SWEEP_UNSEEN = read_sql(_PART, "sweep_unseen")
TAKE_PURGE = read_sql(_PART, "take_purge")
TIDY_BATCHES = read_sql(_PART, "tidy_batches")
TIDY_GENERATIONS = read_sql(_PART, "tidy_generations")
TIDY_SEEN = read_sql(_PART, "tidy_seen")
TIDY_TOTALS = read_sql(_PART, "tidy_totals")


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
    modified_after: int | None,
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


async def read_checkpoints(conn: Conn, environment_id: EnvironmentId, owners: Sequence[UUID]) -> dict[UUID, bytes]:
    rows = await conn.fetch(READ_CHECKPOINTS, environment_id, list(owners))
    return {row["owner"]: row["body"].encode() for row in rows}


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


# Generations


@dataclass(frozen=True, slots=True)
class Generation:
    """An open generation of an owner on a stream."""

    run_id: UUID
    attempt: int
    stream_id: int
    first_chunk: int
    start_seq: int
    closing: bool
    deleted: int


async def find_generation(conn: Conn, environment_id: EnvironmentId, stream_key: int, owner: UUID) -> Generation | None:
    """The owner's generation on the stream, if open."""
    row = await conn.fetchrow(FIND_GENERATION, environment_id, stream_key, owner)
    return None if row is None else Generation(*row)


async def open_generation(conn: Conn, environment_id: EnvironmentId, stream: Stream, fence: Fence) -> None:
    """Start a generation afresh where the (locked) stream stands."""
    await conn.execute(
        OPEN_GENERATION,
        environment_id,
        stream.key,
        fence.owner,
        fence.run_id,
        fence.attempt,
        stream.stream_id,
        stream.last_seq,
    )


async def resume_generation(conn: Conn, environment_id: EnvironmentId, stream_key: int, fence: Fence) -> None:
    """Hand the generation to another attempt."""
    await conn.execute(RESUME_GENERATION, environment_id, stream_key, fence.owner, fence.run_id, fence.attempt)


async def mark_closing(conn: Conn, environment_id: EnvironmentId, stream_key: int, owner: UUID) -> None:
    """Note that the close has begun."""
    await conn.execute(MARK_CLOSING, environment_id, stream_key, owner)


async def drop_generation(conn: Conn, environment_id: EnvironmentId, stream_key: int, owner: UUID) -> None:
    """End a generation."""
    await conn.execute(DROP_GENERATION, environment_id, stream_key, owner)


async def drop_generations_of_stream(conn: Conn, environment_id: EnvironmentId, stream_key: int) -> None:
    """End every generation on a stream."""
    await conn.execute(DROP_GENERATIONS_OF_STREAM, environment_id, stream_key)


async def drop_generations_of_owners(conn: Conn, environment_id: EnvironmentId, owners: Sequence[UUID]) -> None:
    """End every generation of owners."""
    await conn.execute(DROP_GENERATIONS_OF_OWNERS, environment_id, owners)


async def saw_anything(
    conn: Conn, environment_id: EnvironmentId, stream_key: int, first_chunk: int, owner: UUID
) -> bool:
    """Whether the owner itself left a chunk."""
    return bool(await conn.fetchval(SAW_ANYTHING, environment_id, stream_key, first_chunk, owner))


async def seen_ranges(
    conn: Conn, environment_id: EnvironmentId, stream_key: int, after_chunk: int, chunks: int
) -> Sequence[Row]:
    """Rows of (chunk, low, high) of the next chunks."""
    return await conn.fetch(SEEN_RANGES, environment_id, stream_key, after_chunk, chunks)


async def sweep_unseen(
    conn: Conn,
    environment_id: EnvironmentId,
    stream_key: int,
    owner: UUID,
    bitmap: bytes,
    writer: int,
    limit: int,
) -> tuple[int, int]:
    """One chunk of a close: rows looked at, rows deleted."""
    row = await conn.fetchrow(SWEEP_UNSEEN, environment_id, stream_key, owner, bitmap, writer, limit)
    assert row is not None  # a function always answers
    return row["swept"], row["deleted"]


# Upkeep


async def swap_stream(conn: Conn, environment_id: EnvironmentId, stream_key: int) -> None:
    """Empty a locked stream at once."""
    await conn.execute(SWAP_STREAM, environment_id, stream_key)


async def erase_connection(conn: Conn, environment_id: EnvironmentId, connection_row_id: int) -> None:
    """Mark a connection erased and queue its contents for the purge."""
    await conn.fetchval(LOCK_CONNECTION, connection_row_id)
    await conn.execute(ERASE_CONNECTION, environment_id, connection_row_id)


async def erase_environment(conn: Conn, environment_id: EnvironmentId) -> None:
    """Queue an environment's contents for the purge and forget its runs."""
    await conn.execute(ERASE_ENVIRONMENT, environment_id)


async def forget_owners(conn: Conn, environment_id: EnvironmentId, owners: Sequence[UUID]) -> None:
    """Forget the progress of owners."""
    await conn.execute(FORGET_OWNERS, environment_id, owners)


async def take_purge(conn: Conn) -> tuple[EnvironmentId, int] | None:
    """Take (environment, stream id) of contents to purge, or None."""
    row = await conn.fetchrow(TAKE_PURGE)
    return None if row is None else (row["environment_id"], row["stream_id"])


async def purge_chunk(conn: Conn, environment_id: EnvironmentId, stream_id: int, limit: int) -> int:
    """Delete a chunk; return how many rows it had."""
    return cast("int", await conn.fetchval(PURGE_CHUNK, environment_id, stream_id, limit))


async def finish_purge(conn: Conn, environment_id: EnvironmentId, stream_id: int) -> None:
    """Take contents off the queue."""
    await conn.execute(FINISH_PURGE, environment_id, stream_id)


async def prune(
    conn: Conn, environment_id: EnvironmentId, stream_key: int, until: int, before: int | None, limit: int
) -> Pruned:
    """Empty the oldest payloads."""
    row = await conn.fetchrow(PRUNE, environment_id, stream_key, until, before, limit)
    assert row is not None  # a function always answers
    return Pruned(row["pruned"], row["has_more"])


async def prunable(conn: Conn, after_key: int, window: int, age: timedelta) -> list[tuple[EnvironmentId, int, bool]]:
    """The next streams: (environment, key, has something to prune)."""
    return [(row[0], row[1], row[2]) for row in await conn.fetch(PRUNABLE, after_key, window, age)]


async def idle_streams(conn: Conn, age: timedelta, limit: int) -> list[tuple[EnvironmentId, StreamKey]]:
    """Streams with contents nobody saved to for so long."""
    return [(row[0], StreamKey(*tuple(row)[1:])) for row in await conn.fetch(IDLE_STREAMS, age, limit)]


async def still_idle(conn: Conn, environment_id: EnvironmentId, stream_key: int, age: timedelta) -> bool:
    """Whether nobody saved meanwhile."""
    return bool(await conn.fetchval(STILL_IDLE, environment_id, stream_key, age))


async def tidy(conn: Conn, *, unclosed: timedelta, repeatable: timedelta, totals_kept: timedelta) -> None:
    """Delete what no run needs anymore."""
    await conn.execute(TIDY_GENERATIONS, unclosed)
    await conn.execute(TIDY_SEEN, 10_000)
    await conn.execute(TIDY_BATCHES, repeatable)
    await conn.execute(TIDY_TOTALS, totals_kept)


# Key rotation


async def reseal_position(conn: Conn, environment_id: EnvironmentId, data_key_id: int) -> tuple[int, int]:
    """(stream key, position) up to which payloads were looked at."""
    row = await conn.fetchrow(RESEAL_POSITION, environment_id, data_key_id)
    return (0, 0) if row is None else (row["stream_key"], row["seq"])


async def save_reseal_position(
    conn: Conn, environment_id: EnvironmentId, data_key_id: int, stream_key: int, seq: int
) -> None:
    """Note up to where payloads were looked at."""
    await conn.execute(SAVE_RESEAL_POSITION, environment_id, data_key_id, stream_key, seq)


async def forget_reseal(conn: Conn, environment_id: EnvironmentId, data_key_id: int) -> None:
    """Start over."""
    await conn.execute(FORGET_RESEAL, environment_id, data_key_id)


async def next_stream(conn: Conn, environment_id: EnvironmentId, from_key: int) -> tuple[int, UUID] | None:
    """(key, connection) of the stream at or after `from_key`."""
    row = await conn.fetchrow(NEXT_STREAM, environment_id, from_key)
    return None if row is None else (row["key"], row["connection_uuid"])


async def sealed_after(
    conn: Conn, environment_id: EnvironmentId, stream_key: int, seq: int, limit: int
) -> Sequence[Row]:
    """Rows of (seq, external_id, stream_id, payload_seq, payload) after a position."""
    return await conn.fetch(SEALED_AFTER, environment_id, stream_key, seq, limit)


async def reseal(
    conn: Conn,
    environment_id: EnvironmentId,
    stream_id: int,
    seqs: Sequence[int],
    old: Sequence[bytes],
    fresh: Sequence[bytes],
) -> int:
    """Replace ciphertexts that are still `old`; return how many."""
    tag = await conn.execute(RESEAL, environment_id, stream_id, seqs, old, fresh)
    return int(tag.rpartition(" ")[2])


async def count_sealed(conn: Conn, environment_id: EnvironmentId, header: bytes) -> int:
    """How many payloads begin with `header`."""
    return cast("int", await conn.fetchval(COUNT_SEALED, environment_id, header))
