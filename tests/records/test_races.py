"""Writers and readers at the same time, on real connections."""

import asyncio
import random
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman_server import outbox
from dragoman_server.db import Conn, Database
from dragoman_server.db.driver import connect
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.records import Fence, Records, SaveResult, StaleAttemptError, StreamKey
from dragoman_server.records.model import DeleteResult
from dragoman_server.vault import Vault
from tests.records.conftest import ENVIRONMENT, Writer, begin, new_stream, parse, record


class Paused(Records):
    """Stops inside its transaction, after the records were written and before the commit."""

    reached: asyncio.Event
    go_on: asyncio.Event

    async def _finish(
        self,
        conn: Conn,
        work: Any,
        result: SaveResult | DeleteResult,
        added: int,
        updated: int,
        deleted: int,
        facts: Any,
    ) -> None:
        await super()._finish(conn, work, result, added, updated, deleted, facts)
        self.reached.set()
        await self.go_on.wait()


@pytest.fixture
def paused(database: Database, vault: Vault) -> Paused:
    made = Paused(database=database, vault=vault)
    made.reached, made.go_on = asyncio.Event(), asyncio.Event()
    return made


async def read_all(records: Records, cursor: str | None, seen: list[dict[str, Any]]) -> str | None:
    """Follow the feed to its end; return the cursor to save."""
    while True:
        feed = parse(await records.page(ENVIRONMENT, 10, "Contact", cursor=cursor, limit=7))
        seen += feed.records
        if feed.records:
            cursor = feed.last_cursor
        if feed.next_cursor is None:
            return cursor
        cursor = feed.next_cursor


async def test_a_later_writer_never_gets_an_earlier_position_than_one_that_commits_after_it(
    records: Records, stream: StreamKey, paused: Paused
) -> None:
    await records.save(ENVIRONMENT, None, 0, stream, [record("first")])
    slow = asyncio.create_task(paused.save(ENVIRONMENT, None, 1, stream, [record("slow")]))
    await paused.reached.wait()
    quick = asyncio.create_task(records.save(ENVIRONMENT, None, 2, stream, [record("quick")]))
    seen: list[dict[str, Any]] = []
    cursor = await read_all(records, None, seen)
    paused.go_on.set()
    await asyncio.gather(slow, quick)
    await read_all(records, cursor, seen)

    assert [r["id"] for r in seen] == ["first", "slow", "quick"]


async def test_a_writer_killed_in_its_transaction_leaves_nothing_and_blocks_nobody(
    records: Records, stream: StreamKey, paused: Paused, database_url: str
) -> None:
    writer = await begin(records, stream)
    await writer.save(record("first"))
    fact = outbox.Fact("webhook", ENVIRONMENT, "k", {"v": 1})
    doomed = asyncio.create_task(
        paused.save(ENVIRONMENT, writer.fence, 50, stream, [record("doomed")], checkpoint=b'{"page":9}', facts=[fact])
    )
    await paused.reached.wait()
    waiting = asyncio.create_task(writer.save(record("next")))

    raw: Any = await connect(database_url)
    await raw.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database()"
        " AND state = 'idle in transaction' AND pid <> pg_backend_pid()"
    )
    paused.go_on.set()
    with pytest.raises(Exception):  # whichever of the driver's errors it is
        await doomed
    await waiting

    assert (await writer.feed()).ids == ["first", "next"]
    assert writer.fence is not None
    assert (await records.checkpoint(ENVIRONMENT, writer.fence.owner)).checkpoint is None
    assert (await raw.fetchrow("SELECT count(*) FROM outbox.facts"))[0] == 0
    totals = (await records.run_totals(ENVIRONMENT, [writer.fence.run_id]))[writer.fence.run_id]
    assert totals["Contact"].added == 2
    retried = await records.save(ENVIRONMENT, writer.fence, 50, stream, [record("doomed")], facts=[fact])
    assert retried == SaveResult(added=1)
    assert (await raw.fetchrow("SELECT count(*) FROM outbox.facts"))[0] == 1
    await raw.close()


async def test_a_new_attempt_waits_for_the_old_ones_write_and_then_refuses_it(
    records: Records, stream: StreamKey, paused: Paused
) -> None:
    writer = await begin(records, stream)
    assert writer.fence is not None
    fence: Fence = writer.fence
    last = asyncio.create_task(paused.save(ENVIRONMENT, fence, 1, stream, [record("last")], checkpoint=b'{"page":1}'))
    await paused.reached.wait()
    beginning = asyncio.create_task(records.begin_attempt(ENVIRONMENT, fence.owner, fence.run_id, 2))
    await asyncio.sleep(0.05)  # between two looks
    assert not beginning.done()

    paused.go_on.set()
    await last

    assert (await beginning).checkpoint == b'{"page":1}'
    with pytest.raises(StaleAttemptError):
        await writer.save(record("late"))


async def test_the_same_batch_sent_twice_at_once_is_stored_once(records: Records, stream: StreamKey) -> None:
    writer = await begin(records, stream)
    answers = await asyncio.gather(
        *[records.save(ENVIRONMENT, writer.fence, 1, stream, [record("a"), record("b")]) for _ in range(5)]
    )

    assert set(answers) <= {SaveResult(added=2), SaveResult(unchanged=2)}
    assert writer.fence is not None
    totals = (await records.run_totals(ENVIRONMENT, [writer.fence.run_id]))[writer.fence.run_id]
    assert totals["Contact"].added == 2
    assert (await writer.feed()).ids == ["a", "b"]


async def test_emptying_under_a_writer_loses_nothing_that_is_saved_after(
    records: Records, stream: StreamKey, paused: Paused
) -> None:
    await records.save(ENVIRONMENT, None, 0, stream, [record("old")])
    slow = asyncio.create_task(paused.save(ENVIRONMENT, None, 1, stream, [record("slow")]))
    await paused.reached.wait()
    emptying = asyncio.create_task(records.empty(ENVIRONMENT, stream))
    late = asyncio.create_task(records.save(ENVIRONMENT, None, 2, stream, [record("old"), record("late")]))
    await asyncio.sleep(0.05)  # between two looks
    paused.go_on.set()
    await asyncio.gather(slow, emptying, late)

    ids = parse(await records.page(ENVIRONMENT, 10, "Contact")).ids
    assert "late" in ids
    assert "slow" not in ids


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["save", "save", "save", "delete"]),
        st.lists(st.tuples(st.integers(0, 11), st.integers(0, 2)), min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=8,
)
STREAM_NUMBERS = iter(range(1_000, 1_000_000))


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(OPERATIONS, OPERATIONS, st.randoms(use_true_random=False))
async def test_a_reader_with_a_saved_cursor_ends_with_what_is_stored_whatever_two_writers_do(
    records: Records, first: Any, second: Any, chance: random.Random
) -> None:
    number = next(STREAM_NUMBERS)
    stream = StreamKey(new_stream(number).connection_row_id, uuid.UUID(int=number), "Contact")
    writers = [Writer(records, stream, None), await begin(records, stream)]
    mirror: dict[str, Any] = {}
    done = asyncio.Event()

    async def write(writer: Writer, operations: Any) -> None:
        for verb, changes in operations:
            ids = [f"r{n}" for n, _ in changes]
            if verb == "save":
                await writer.save(*[record(f"r{n}", x=x) for n, x in changes])
            elif verb == "delete":
                await writer.delete(*ids)

    async def follow() -> None:
        cursor: str | None = None
        while True:
            last_round = done.is_set()
            feed = await writers[0].feed(cursor=cursor, limit=chance.randint(1, 5))
            assert len(set(feed.ids)) == len(feed.ids)
            for item in feed.records:
                metadata = item.pop("_nango_metadata")
                assert cursor is None or metadata["cursor"] > cursor or len(metadata["cursor"]) != len(cursor)
                mirror[item["id"]] = None if metadata["last_action"] == "DELETED" else item
                cursor = metadata["cursor"]
            if last_round and feed.next_cursor is None:
                return
            await asyncio.sleep(0)

    async def write_both() -> None:
        await asyncio.gather(*[write(w, ops) for w, ops in zip(writers, (first, second), strict=True)])
        done.set()

    await asyncio.gather(follow(), write_both())

    final = await writers[0].feed(limit=1000)
    stored = {
        r["id"]: None
        if r["_nango_metadata"]["last_action"] == "DELETED"
        else {k: v for k, v in r.items() if k != "_nango_metadata"}
        for r in final.records
    }
    assert mirror == stored
    live = sum(value is not None for value in stored.values())
    row_id = stream.connection_row_id
    assert (await records.counts(EnvironmentId(1), [row_id]))[row_id].get("Contact", 0) == live
