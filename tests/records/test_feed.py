from datetime import datetime, timedelta

import pytest

from dragoman_server.db import Database
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.records import Action, InvalidCursorError, Merging, MergingStrategy, Records, SaveResult, StreamKey
from tests.conftest import MoveClock
from tests.records.conftest import ENVIRONMENT, Writer, begin, new_stream, record


async def test_each_records_cursor_resumes_right_after_it(writer: Writer) -> None:
    await writer.save(*[record(f"r{i}") for i in range(5)])
    feed = await writer.feed()

    for index, item in enumerate(feed.records):
        assert (await writer.feed(cursor=item["_nango_metadata"]["cursor"])).ids == feed.ids[index + 1 :]


async def test_a_page_is_cut_by_bytes_with_a_next_cursor(writer: Writer) -> None:
    await writer.save(*[record(f"r{i}", text="x" * 1000) for i in range(5)])

    first = await writer.feed(max_bytes=1500)
    second = await writer.feed(max_bytes=1, cursor=first.next_cursor)
    third = await writer.feed(cursor=second.next_cursor)

    assert (first.ids, second.ids, third.ids) == (["r0", "r1"], ["r2"], ["r3", "r4"])
    assert third.next_cursor is None


@pytest.mark.parametrize(
    "actions", [{Action.ADDED}, {Action.UPDATED}, {Action.DELETED}, {Action.UPDATED, Action.DELETED}, set(Action)]
)
@pytest.mark.parametrize("limit", [1, 2, 100])
async def test_a_filter_shows_exactly_its_actions_however_it_is_paged(
    writer: Writer, actions: set[Action], limit: int
) -> None:
    await writer.save(*[record(f"r{i}") for i in range(6)])
    await writer.save(record("r1", x=1), record("r4", x=1))
    await writer.delete("r2", "r5")
    everything = await writer.feed()
    wanted = [i for i, a in zip(everything.ids, everything.actions, strict=True) if Action[a] in actions]

    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await writer.feed(filter=actions, limit=limit, cursor=cursor)
        seen += page.ids
        cursor = page.next_cursor
        if cursor is None:
            break

    assert seen == wanted


async def test_a_filtered_walk_that_finds_nothing_in_its_budget_goes_on(writer: Writer) -> None:
    await writer.save(*[record(f"r{i}") for i in range(9)])
    await writer.save(record("r0", x=1))

    pages = [await writer.feed(filter={Action.UPDATED}, limit=1, budget=3)]
    while pages[-1].next_cursor is not None:
        pages.append(await writer.feed(filter={Action.UPDATED}, limit=1, budget=3, cursor=pages[-1].next_cursor))

    assert [p.ids for p in pages] == [[], [], ["r0"]]


async def test_modified_after_is_inclusive_and_ordered(
    writer: Writer, database: Database, database_url: str, move_clock: MoveClock
) -> None:
    marks: list[datetime] = []
    for i in range(7):
        await move_clock(database_url, timedelta(minutes=1))
        async with database.connection() as conn:
            marks.append(await conn.now())
        await writer.save(record(f"r{i}"))

    for i, mark in enumerate(marks):
        assert (await writer.feed(modified_after=mark)).ids == [f"r{n}" for n in range(i, 7)]
    assert (await writer.feed(modified_after=marks[-1] + timedelta(days=1))).ids == []


async def test_times_never_fall_along_the_feed_when_the_clock_does(
    writer: Writer, database_url: str, move_clock: MoveClock
) -> None:
    await writer.save(record("a"))
    await move_clock(database_url, timedelta(hours=-5))
    await writer.save(record("b"), record("c"))
    await writer.delete("b")

    times = [r["_nango_metadata"]["last_modified_at"] for r in (await writer.feed()).records]
    assert times == sorted(times)


async def test_a_cursor_of_another_stream_is_refused(records: Records, writer: Writer) -> None:
    other = await begin(records, new_stream(model="Other"))
    await writer.save(record("a"))
    await other.save(record("a"))
    cursor = (await writer.feed()).last_cursor

    with pytest.raises(InvalidCursorError):
        await other.feed(cursor=cursor)
    with pytest.raises(InvalidCursorError):
        await records.page(EnvironmentId(2), 10, "Contact", cursor=cursor)
    with pytest.raises(InvalidCursorError):
        await records.page(ENVIRONMENT, 10, "Unknown", cursor=cursor)


async def test_by_ids_finds_the_live_ones(records: Records, writer: Writer) -> None:
    await writer.save(record("a", x=1), record("b"), record("c"))
    await writer.delete("b")

    found = await records.by_ids(ENVIRONMENT, 10, "Contact", ["a", "b", "zzz", "a"])

    assert found == {"a": b'{"id":"a","x":1}'}


async def test_variants_are_streams_of_their_own(records: Records, writer: Writer) -> None:
    variant = await begin(records, new_stream(variant="eu"))
    await writer.save(record("a"))
    await variant.save(record("b"), record("c"))

    assert ((await writer.feed()).ids, (await variant.feed()).ids) == (["a"], ["b", "c"])
    row_id = writer.stream.connection_row_id
    assert await records.counts(ENVIRONMENT, [row_id]) == {row_id: {"Contact": 1, "Contact::eu": 2}}


async def test_merging_leaves_alone_what_others_changed_after_the_cursor(
    records: Records, stream: StreamKey, writer: Writer, guest: Writer
) -> None:
    await writer.save(record("a", x=0), record("b", x=0))
    merging = Merging(MergingStrategy.IGNORE_IF_MODIFIED_AFTER_CURSOR, await records.position(ENVIRONMENT, stream))
    await guest.save(record("a", x="webhook"))

    result = await writer.save(record("a", x="stale"), record("b", x=1), record("c"), merging=merging)
    again = await writer.save(record("b", x=2), merging=merging)

    assert result == SaveResult(added=1, updated=1, unchanged=1)
    assert again == SaveResult(updated=1)
    assert {r["id"]: r.get("x") for r in (await writer.feed()).records} == {"a": "webhook", "b": 2, "c": None}
    assert await writer.delete("a", merging=merging) == 0


async def test_update_merges_deeply_and_reports_what_is_missing(
    records: Records, stream: StreamKey, writer: Writer
) -> None:
    await writer.save(record("a", tags=[1, 2], address={"city": "x", "zip": 1}), record("gone"))
    await writer.delete("gone")

    result = await records.update(
        ENVIRONMENT,
        writer.fence,
        99,
        stream,
        [record("a", tags=[3], address={"zip": 2}), record("gone"), record("never")],
    )

    assert result == SaveResult(updated=1, missing=("gone", "never"))
    stored = (await records.by_ids(ENVIRONMENT, 10, "Contact", ["a"]))["a"]
    assert stored == b'{"id":"a","tags":[3],"address":{"city":"x","zip":2}}'
