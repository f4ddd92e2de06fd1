import pytest

from dragoman_server.db.driver import connect
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.records import (
    Fence,
    InvalidCheckpointError,
    InvalidRecordError,
    Records,
    SaveResult,
    StaleAttemptError,
    StreamKey,
    Totals,
)
from tests.records.conftest import ENVIRONMENT, Writer, begin, record


async def test_what_is_saved_is_read_back_with_its_metadata(writer: Writer) -> None:
    result = await writer.save(record("a", name="Ann"), record("b", name="Bob"))

    feed = await writer.feed()
    assert result == SaveResult(added=2)
    assert feed.ids == ["a", "b"]
    assert feed.records[0]["name"] == "Ann"
    metadata = feed.records[0]["_nango_metadata"]
    assert list(metadata) == ["first_seen_at", "last_modified_at", "last_action", "deleted_at", "pruned_at", "cursor"]
    assert metadata["first_seen_at"].endswith("+00:00")
    assert len(metadata["first_seen_at"]) == len("2030-01-01T00:00:00.000000+00:00")
    assert metadata["last_action"] == "ADDED"
    assert metadata["deleted_at"] is None
    assert feed.next_cursor is None


async def test_an_unchanged_record_does_not_move(writer: Writer) -> None:
    await writer.save(record("a", x=1), record("b", x=1))
    cursor = (await writer.feed()).last_cursor

    result = await writer.save(("a", b'{"x": 1, "id": "a"}'), record("b", x=2))

    assert result == SaveResult(updated=1, unchanged=1)
    assert (await writer.feed()).ids == ["a", "b"]
    later = await writer.feed(cursor=cursor)
    assert (later.ids, later.actions) == (["b"], ["UPDATED"])


async def test_of_one_id_in_a_batch_the_last_counts(writer: Writer) -> None:
    assert await writer.save(record("a", x=1), record("b"), record("a", x=2)) == SaveResult(added=2)

    feed = await writer.feed()
    assert [(r["id"], r.get("x")) for r in feed.records] == [("b", None), ("a", 2)]


async def test_a_delete_keeps_the_payload_and_a_later_save_adds_again(writer: Writer) -> None:
    await writer.save(record("a", name="Ann"), record("b"))

    assert await writer.delete("a", "unknown") == 1
    assert await writer.delete("a") == 0

    feed = await writer.feed()
    deleted = feed.records[-1]
    assert feed.ids == ["b", "a"]
    assert deleted["name"] == "Ann"
    assert deleted["_nango_metadata"]["last_action"] == "DELETED"
    assert deleted["_nango_metadata"]["deleted_at"] == deleted["_nango_metadata"]["last_modified_at"]

    assert await writer.save(record("a", name="Ann")) == SaveResult(added=1)
    assert (await writer.feed()).actions == ["ADDED", "ADDED"]


async def test_a_batch_of_many_parts_is_one_save(writer: Writer) -> None:
    batch = [record(f"{i:05}", x=i) for i in range(2500)]

    assert await writer.save(*batch) == SaveResult(added=2500)
    assert await writer.save(*batch) == SaveResult(unchanged=2500)
    assert (await writer.feed(limit=10_000)).ids == [i for i, _ in batch]


async def test_an_older_attempt_gets_a_conflict(records: Records, stream: StreamKey, writer: Writer) -> None:
    assert writer.fence is not None
    newer = await begin(records, stream, writer.fence.owner, 2, writer.fence.run_id)

    with pytest.raises(StaleAttemptError):
        await writer.save(record("a"))
    with pytest.raises(StaleAttemptError):
        await writer.delete("a")
    with pytest.raises(StaleAttemptError):
        await records.save_checkpoint(ENVIRONMENT, writer.fence, b"{}")
    with pytest.raises(StaleAttemptError):
        await begin(records, stream, writer.fence.owner, 1, writer.fence.run_id)
    assert await newer.save(record("a")) == SaveResult(added=1)


async def test_a_run_that_was_followed_by_another_never_comes_back(
    records: Records, stream: StreamKey, writer: Writer
) -> None:
    assert writer.fence is not None
    await begin(records, stream, writer.fence.owner)

    with pytest.raises(StaleAttemptError):
        await begin(records, stream, writer.fence.owner, 5, writer.fence.run_id)


async def test_a_repeated_batch_returns_the_stored_answer(records: Records, stream: StreamKey, writer: Writer) -> None:
    fence = writer.fence
    assert fence is not None
    first = await records.save(ENVIRONMENT, fence, 7, stream, [record("a", x=1)])
    await writer.save(record("a", x=2))

    again = await records.save(ENVIRONMENT, fence, 7, stream, [record("a", x=1)])

    assert again == first == SaveResult(added=1)
    assert (await writer.feed()).records[0]["x"] == 2
    assert await records.run_totals(ENVIRONMENT, [fence.run_id]) == {fence.run_id: {"Contact": Totals(1, 1, 0)}}


async def test_a_checkpoint_commits_with_its_save(records: Records, writer: Writer) -> None:
    assert writer.fence is not None
    await writer.save(record("a"), checkpoint=b'{"page":2,"done":false}')

    with pytest.raises(InvalidRecordError):
        await writer.save(("b", b"[]"), checkpoint=b'{"page":3}')

    progress = await records.checkpoint(ENVIRONMENT, writer.fence.owner)
    assert (progress.checkpoint, progress.version) == (b'{"page":2,"done":false}', 1)


@pytest.mark.parametrize("body", [b"[]", b"1", b"{", b'{"a":null}', b'{"a":{}}', b'{"a":[1]}'])
async def test_a_checkpoint_is_a_flat_map_of_scalars(records: Records, writer: Writer, body: bytes) -> None:
    assert writer.fence is not None
    with pytest.raises(InvalidCheckpointError):
        await records.save_checkpoint(ENVIRONMENT, writer.fence, body)


@pytest.mark.parametrize(
    "bad",
    [
        ("a", b"[]"),
        ("a", b"{"),
        ("", b"{}"),
        ("x" * 256, b"{}"),
        ("a\0b", b"{}"),
        ("\ud800", b"{}"),
        ("a", b'{"x":"\xff"}'),
        ("a", b"NaN"),
    ],
)
async def test_a_bad_record_refuses_the_whole_batch_and_names_its_place(writer: Writer, bad: tuple[str, bytes]) -> None:
    with pytest.raises(InvalidRecordError) as caught:
        await writer.save(record("good"), bad)

    assert caught.value.issues[0].path == ("records", 1)
    assert (await writer.feed()).records == []


async def test_records_of_one_environment_are_unknown_in_another(
    records: Records, stream: StreamKey, writer: Writer
) -> None:
    await writer.save(record("a"))

    page = await records.page(EnvironmentId(2), stream.connection_row_id, stream.model)

    assert page.body == b'{"records":[],"next_cursor":null}'


async def test_our_metadata_in_a_record_is_not_stored_twice(writer: Writer) -> None:
    await writer.save(("a", b'{"id":"a","_nango_metadata":{"cursor":"x"}}'), ("b", b' { "x" : 1 } '))

    feed = await writer.feed()

    assert feed.ids == ["a", "b"]
    assert feed.records[0]["_nango_metadata"]["last_action"] == "ADDED"


async def test_payloads_are_sealed_at_rest(writer: Writer, database_url: str) -> None:
    await writer.save(record("a", name="a very secret name"))

    raw = await connect(database_url)
    stored = (await raw.fetchrow("SELECT payload FROM records.payloads"))[0]
    await raw.close()
    assert b"secret" not in stored


async def test_counts_follow_every_change(records: Records, writer: Writer) -> None:
    row_id = writer.stream.connection_row_id
    await writer.save(record("a"), record("b"), record("c"))
    await writer.delete("a")
    await writer.save(record("b", x=1))

    assert await records.counts(ENVIRONMENT, [row_id]) == {row_id: {"Contact": 2}}


async def test_a_fence_belongs_to_its_environment(records: Records, stream: StreamKey, writer: Writer) -> None:
    assert isinstance(writer.fence, Fence)
    with pytest.raises(StaleAttemptError):
        await records.save(EnvironmentId(2), writer.fence, 1, stream, [record("a")])
