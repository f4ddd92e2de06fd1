from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.db import Database
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.records import Closed, Fence, Records, StaleAttemptError, StreamKey, Totals
from dragoman_server.records.tracking import SeenSet
from dragoman_server.vault import Vault
from tests.records.conftest import ENVIRONMENT, Writer, begin, record


async def open_(writer: Writer) -> None:
    assert writer.fence is not None
    await writer.records.open_generation(ENVIRONMENT, writer.fence, writer.stream)


async def close(writer: Writer, **options: object) -> Closed:
    assert writer.fence is not None
    return await writer.records.close_generation(ENVIRONMENT, writer.fence, writer.stream, **options)  # type: ignore[arg-type]


async def test_what_a_run_did_not_see_is_deleted(records: Records, stream: StreamKey, writer: Writer) -> None:
    await writer.save(*[record(f"r{i}", x=0) for i in range(10)])
    assert writer.fence is not None
    second = await begin(records, stream, writer.fence.owner)

    await open_(second)
    await second.save(record("r1", x=0), record("r2", x=1), record("new"))
    closed = await close(second, rows=3)

    assert closed == Closed(deleted=8)
    feed = await second.feed()
    assert {i for i, a in zip(feed.ids, feed.actions, strict=True) if a != "DELETED"} == {"r1", "r2", "new"}
    assert second.fence is not None
    assert (await records.run_totals(ENVIRONMENT, [second.fence.run_id]))[second.fence.run_id] == {
        "Contact": Totals(1, 1, 8)
    }
    assert (await records.counts(ENVIRONMENT, [stream.connection_row_id]))[stream.connection_row_id] == {"Contact": 3}
    assert await close(second) == Closed()


async def test_what_another_writer_saw_meanwhile_stays(
    records: Records, stream: StreamKey, writer: Writer, guest: Writer
) -> None:
    await writer.save(record("a"), record("b"), record("c"), record("d"))

    await open_(writer)
    await writer.save(record("a"))
    await guest.save(record("b"))
    await guest.save(record("c", x=1))

    assert await close(writer) == Closed(deleted=1)


async def test_a_run_that_saw_nothing_deletes_only_when_allowed(writer: Writer, guest: Writer) -> None:
    await writer.save(record("a"))
    await open_(writer)
    await guest.save(record("a"))
    assert await close(writer) == Closed(refused_empty=True)

    await open_(writer)
    assert await close(writer, allow_empty=True) == Closed(deleted=1)


async def test_an_attempt_that_resumes_from_a_checkpoint_keeps_what_was_seen(
    records: Records, stream: StreamKey, writer: Writer
) -> None:
    assert writer.fence is not None
    await writer.save(record("a"), record("b"), record("c"))
    await open_(writer)
    await writer.save(record("a"), checkpoint=b'{"page":1}')

    second = await begin(records, stream, writer.fence.owner, 2, writer.fence.run_id)
    await open_(second)
    await second.save(record("b"))

    assert await close(second) == Closed(deleted=1)


async def test_an_attempt_that_starts_over_starts_its_seen_set_over(
    records: Records, stream: StreamKey, writer: Writer
) -> None:
    assert writer.fence is not None
    await writer.save(record("a"), record("b"))
    await open_(writer)
    await writer.save(record("a"))

    second = await begin(records, stream, writer.fence.owner)
    await open_(second)
    await second.save(record("b"))

    assert await close(second) == Closed(deleted=1)
    assert (await second.feed(filter=None)).actions == ["ADDED", "DELETED"]


class Interrupted(Records):
    """Calls `between` before each chunk of a close."""

    between: Callable[[], Awaitable[None]]

    async def _sweep(
        self, environment_id: EnvironmentId, fence: Fence, stream: StreamKey, seen: SeenSet, rows: int
    ) -> Closed | None:
        await self.between()
        return await super()._sweep(environment_id, fence, stream, seen, rows)


async def test_an_interrupted_close_goes_on_where_it_stopped(database: Database, vault: Vault, writer: Writer) -> None:
    await writer.save(*[record(f"r{i}") for i in range(10)])
    await open_(writer)
    await writer.save(record("r9"))
    turns = iter(range(2))

    async def crash() -> None:
        if next(turns, None) is None:
            raise ConnectionError

    crashing = Interrupted(database=database, vault=vault)
    crashing.between = crash
    with pytest.raises(ConnectionError):
        await close(Writer(crashing, writer.stream, writer.fence), rows=3)

    assert (await writer.feed()).actions.count("DELETED") == 6
    assert await close(writer, rows=3) == Closed(deleted=9)


async def test_a_record_saved_while_closing_stays_or_comes_back(
    database: Database, vault: Vault, writer: Writer, guest: Writer
) -> None:
    await writer.save(*[record(f"r{i}") for i in range(6)])
    await open_(writer)
    await writer.save(record("r5"))

    async def save() -> None:
        await guest.save(record("r0"), record("r4"))

    interrupted = Interrupted(database=database, vault=vault)
    interrupted.between = save
    await close(Writer(interrupted, writer.stream, writer.fence), rows=2)
    untouched = next(r for r in (await writer.feed()).records if r["id"] == "r4")["_nango_metadata"]
    assert untouched["first_seen_at"] == untouched["last_modified_at"]
    await save()

    feed = await writer.feed()
    assert {i for i, a in zip(feed.ids, feed.actions, strict=True) if a != "DELETED"} == {"r0", "r4", "r5"}


async def test_an_older_attempt_cannot_close(records: Records, stream: StreamKey, writer: Writer) -> None:
    assert writer.fence is not None
    await writer.save(record("a"))
    await open_(writer)
    await begin(records, stream, writer.fence.owner, 2, writer.fence.run_id)

    with pytest.raises(StaleAttemptError):
        await close(writer, allow_empty=True)


async def test_emptying_ends_the_tracking(records: Records, stream: StreamKey, writer: Writer) -> None:
    await writer.save(record("a"), record("b"))
    await open_(writer)
    await writer.save(record("a"))
    await records.empty(ENVIRONMENT, stream)
    await writer.save(record("z"))

    assert await close(writer) == Closed()
    assert (await writer.feed()).actions == ["ADDED"]


@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 40))))
def test_a_seen_set_holds_exactly_its_ranges(ranges: list[tuple[int, int]]) -> None:
    seen = SeenSet(0)
    for low, width in ranges:
        seen.add(low, low + width)

    wanted = {n for low, width in ranges for n in range(low, low + width)}
    assert {n for n in range(400) if n in seen} == wanted
