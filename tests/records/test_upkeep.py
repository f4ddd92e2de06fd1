import uuid
from datetime import timedelta

import pytest

from dragoman_server.db import Database
from dragoman_server.db.driver import connect
from dragoman_server.kit.ids import ConnectionRowId
from dragoman_server.records import (
    ConnectionErasedError,
    InvalidCursorError,
    Pruned,
    Records,
    SaveResult,
    StaleAttemptError,
    StreamKey,
)
from dragoman_server.records.loops import AutoDeleter, AutoPruner, Purger, make_loops
from dragoman_server.vault import Vault
from tests.conftest import MoveClock
from tests.records.conftest import ENVIRONMENT, Writer, begin, new_stream, record


async def rows_left(database: Database) -> tuple[int, int]:
    raw = await connect(database.url)
    row = await raw.fetchrow("SELECT (SELECT count(*) FROM records.records), (SELECT count(*) FROM records.payloads)")
    await raw.close()
    return row[0], row[1]


async def purge(records: Records, rows: int = 3) -> None:
    while await records.purge_once(rows):
        pass


async def test_after_emptying_old_cursors_are_valid_and_see_everything_as_added(
    records: Records, stream: StreamKey, writer: Writer, database: Database
) -> None:
    await writer.save(record("a", x=0), record("b"), record("c"))
    await writer.save(record("a", x=1))
    cursor = (await writer.feed()).last_cursor

    await records.empty(ENVIRONMENT, stream)
    assert (await writer.feed()).ids == []
    assert (await writer.feed(cursor=cursor)).ids == []
    assert await writer.save(record("a", x=1), record("b")) == SaveResult(added=2)

    later = await writer.feed(cursor=cursor)
    assert (later.ids, later.actions) == (["a", "b"], ["ADDED", "ADDED"])
    await purge(records)
    assert await rows_left(database) == (2, 2)
    assert (await writer.feed(cursor=cursor)).ids == ["a", "b"]


async def test_an_erased_connection_takes_nothing_and_a_new_one_starts_clean(
    records: Records, stream: StreamKey, writer: Writer, database: Database, vault: Vault
) -> None:
    await writer.save(record("a"))
    other = await begin(records, new_stream(11))
    await other.save(record("other"))

    async with database.transaction() as conn:
        await records.erase_connection(conn, ENVIRONMENT, stream.connection_row_id)
        await vault.shred(conn, ENVIRONMENT, stream.connection_uuid)

    with pytest.raises(ConnectionErasedError):
        await writer.save(record("b"))
    assert (await writer.feed()).ids == []
    await purge(records)
    assert await rows_left(database) == (1, 1)
    assert (await other.feed()).ids == ["other"]
    again = await begin(records, StreamKey(ConnectionRowId(12), uuid.uuid4(), "Contact"))
    assert await again.save(record("a")) == SaveResult(added=1)


async def test_pruning_empties_payloads_and_keeps_hashes_and_places(records: Records, writer: Writer) -> None:
    await writer.save(record("a", x=1), record("b", x=1), record("c", x=1))
    cursors = [r["_nango_metadata"]["cursor"] for r in (await writer.feed()).records]

    assert await records.prune(ENVIRONMENT, 10, "Contact", until_cursor=cursors[1], limit=1) == Pruned(1, True)
    assert await records.prune(ENVIRONMENT, 10, "Contact", until_cursor=cursors[1], limit=1) == Pruned(1, False)
    assert await records.prune(ENVIRONMENT, 10, "Contact", until_cursor=cursors[1], limit=1) == Pruned(0, False)

    feed = await writer.feed()
    assert set(feed.records[0]) == {"id", "_nango_metadata"}
    assert feed.records[0]["_nango_metadata"]["pruned_at"] is not None
    assert feed.records[2]["x"] == 1
    assert await writer.save(record("a", x=1), record("b", x=2)) == SaveResult(updated=1, unchanged=1)
    assert (await writer.feed()).ids == ["a", "c", "b"]
    assert (await records.by_ids(ENVIRONMENT, 10, "Contact", ["a", "b"])) == {"b": b'{"id":"b","x":2}'}
    with pytest.raises(InvalidCursorError):
        await records.prune(ENVIRONMENT, 10, "Other", until_cursor=cursors[0])


async def test_old_unchanged_records_are_pruned_only_where_asked(
    records: Records, writer: Writer, database_url: str, move_clock: MoveClock
) -> None:
    await writer.save(record("old", x=1))
    await move_clock(database_url, timedelta(days=31))
    await writer.save(record("new", x=1))

    await AutoPruner(records, timedelta(days=30)).once()

    pruned = [r["_nango_metadata"]["pruned_at"] is not None for r in (await writer.feed()).records]
    assert pruned == [True, False]
    assert {loop.name for loop in make_loops(records)} == {"records_purge", "records_tidy"}


async def test_streams_nobody_saves_to_are_emptied_and_unchanged_saves_count(
    records: Records, stream: StreamKey, writer: Writer, database_url: str, move_clock: MoveClock
) -> None:
    idle = await begin(records, new_stream(11))
    await writer.save(record("a"))
    await idle.save(record("a"))
    await move_clock(database_url, timedelta(days=50))
    await writer.save(record("a"))
    await move_clock(database_url, timedelta(days=20))

    await AutoDeleter(records, timedelta(days=60)).once()

    assert (await writer.feed()).ids == ["a"]
    assert (await idle.feed()).ids == []


async def test_purging_ends(records: Records, stream: StreamKey, writer: Writer) -> None:
    await writer.save(record("a"))
    await records.empty(ENVIRONMENT, stream)
    purger = Purger(records)

    assert [await purger.once() for _ in range(3)] == [0.0, 0.0, None]


async def test_a_reset_clears_the_checkpoint_and_stops_what_runs(
    records: Records, stream: StreamKey, writer: Writer
) -> None:
    assert writer.fence is not None
    await writer.save(record("a"), checkpoint=b'{"page":1}')

    await records.reset_progress(ENVIRONMENT, writer.fence.owner)

    with pytest.raises(StaleAttemptError):
        await writer.save(record("b"))
    assert (await records.checkpoint(ENVIRONMENT, writer.fence.owner)).checkpoint is None
    after = await begin(records, stream, writer.fence.owner)
    assert await after.save(record("b")) == SaveResult(added=1)


async def test_tidying_keeps_what_is_in_use(records: Records, writer: Writer) -> None:
    assert writer.fence is not None
    await writer.save(record("a"), record("b"))
    await records.open_generation(ENVIRONMENT, writer.fence, writer.stream)
    await writer.save(record("a"))

    await records.tidy_once()

    assert (await records.close_generation(ENVIRONMENT, writer.fence, writer.stream)).deleted == 1


async def test_payloads_are_sealed_anew_and_their_old_key_counts_zero(
    records: Records, writer: Writer, vault: Vault, database: Database
) -> None:
    await writer.save(*[record(f"r{i}", x=i) for i in range(7)])
    await writer.delete("r3")
    other = await begin(records, new_stream(11))
    await other.save(record("other"))
    table = records.sealed_table()
    new = await vault.rotate_data_keys(ENVIRONMENT)
    old = new - 1
    while not await table.count(ENVIRONMENT, old):
        old -= 1
    assert await table.count(ENVIRONMENT, old) == 8

    total = 0
    while done := await table.reseal(ENVIRONMENT, old, 3):
        total += done

    assert total == 8
    assert (await table.count(ENVIRONMENT, old), await table.count(ENVIRONMENT, new)) == (0, 8)
    assert (await writer.feed()).ids == ["r0", "r1", "r2", "r4", "r5", "r6", "r3"]
