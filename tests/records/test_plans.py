"""The plans inside the functions, seen by auto_explain: always index walks, whatever the statistics say."""

import re
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from dragoman_server.db.driver import connect
from dragoman_server.records import Records, StreamKey
from tests.records.conftest import ENVIRONMENT, Writer, begin, new_stream, record

SETTINGS = (
    "LOAD 'auto_explain'",
    "SET auto_explain.log_min_duration = 0",
    "SET auto_explain.log_nested_statements = on",
    "SET auto_explain.log_level = notice",
)
FEED = "SELECT count(*) FROM records.page(1, 10, 'Contact', 'base', $1, 100, $2, $3, 1000000, 1000)"
BY_IDS = "SELECT count(*) FROM records.by_ids(1, 10, 'Contact', 'base', ARRAY['r1', 'r2'])"
LOOK_UP = (
    "SELECT (records.look_up(1, 10, 'Contact', 'base', ARRAY['r1', 'n1'], ARRAY['\\x00', '\\x01']::bytea[], 1::smallint,"
    " 1, NULL)).stream_key"
)
WRITE = (
    "SELECT (records.write(1, s.key, s.stream_id, s.last_seq, ARRAY['r1', 'n1'], ARRAY['\\x00', '\\x01']::bytea[],"
    " ARRAY['\\x00', '\\x01']::bytea[], ARRAY[1, 1], 1::smallint, 1, NULL, NULL, ARRAY[1])).added"
    " FROM records.streams s WHERE environment_id = 1 AND connection_row_id = 10"
)
DELETE = "SELECT (records.delete(1, s.key, ARRAY['r1', 'r2'], 1, NULL)).deleted FROM records.streams s WHERE connection_row_id = 10"
SWEEP = (
    "SELECT (records.sweep_unseen(1, g.stream_key, g.owner, '\\x00', 1, 100)).swept FROM records.generations g"
    " WHERE environment_id = 1"
)
PRUNE = "SELECT (records.prune(1, s.key, 1000, NULL, 10)).pruned FROM records.streams s WHERE connection_row_id = 10"
PRUNABLE = "SELECT * FROM records.prunable(0, 100, 1000)"
SEALED = "SELECT (records.sealed_after(1, s.key, 0, 10)).seq FROM records.streams s WHERE connection_row_id = 10"
PURGE = "SELECT records.purge(1, s.stream_id, 10) FROM records.streams s WHERE connection_row_id = 10"
STATEMENTS: list[tuple[str, tuple[Any, ...]]] = [
    (FEED, (0, None, None)),
    (FEED, (0, [1, 2], None)),
    (FEED, (0, [3], None)),
    (FEED, (0, None, 1)),
    (BY_IDS, ()),
    (LOOK_UP, ()),
    (WRITE, ()),
    (DELETE, ()),
    (SEALED, ()),
    (PRUNABLE, ()),
    (SWEEP, ()),
    (PRUNE, ()),
    (PURGE, ()),
]
Fill = Callable[[Records, Writer], Awaitable[None]]


async def nothing(_records: Records, _writer: Writer) -> None:
    pass


async def a_little(_records: Records, writer: Writer) -> None:
    await writer.save(*[record(f"r{i}") for i in range(10)])


async def much_and_elsewhere(records: Records, writer: Writer) -> None:
    await writer.save(*[record(f"r{i}") for i in range(3000)])
    for connection in range(100, 110):
        other = await begin(records, StreamKey(new_stream(connection).connection_row_id, uuid.uuid4(), "Contact"))
        await other.save(*[record(f"r{i}") for i in range(500)])


@pytest.mark.parametrize("analyzed", [False, True])
@pytest.mark.parametrize("fill", [nothing, a_little, much_and_elsewhere])
async def test_pages_look_ups_and_writes_walk_indexes(
    records: Records, writer: Writer, database_url: str, fill: Fill, analyzed: bool
) -> None:
    await records.save(ENVIRONMENT, None, 0, writer.stream, [record("first")])
    await fill(records, writer)
    assert writer.fence is not None
    await records.open_generation(ENVIRONMENT, writer.fence, writer.stream)
    raw: Any = await connect(database_url)
    if analyzed:
        await raw.execute("ANALYZE")
    for setting in SETTINGS:
        await raw.execute(setting)

    plans = {index: await plan_of(raw, *statement) for index, statement in enumerate(STATEMENTS)}

    await raw.close()
    scans = {i: re.findall(r".*Scan.* on (?:records|payloads)_\d+.*", text) for i, text in plans.items()}
    assert [STATEMENTS[i] for i, found in scans.items() if not found] == []
    assert [
        line for lines in scans.values() for line in lines if not re.search(r"Index (Only )?Scan using", line)
    ] == []
    conditions = [c for text in plans.values() for c in re.findall(r"Index Cond: \((.*)\)", text)]
    assert [c for c in conditions if "stream_id" in c and not re.search("seq|external_id", c)] == []
    feeds = "".join(text for i, text in plans.items() if STATEMENTS[i][0] == FEED)
    assert re.findall(r"(?:->  |^\s*)Sort  \(", feeds, re.MULTILINE) == []


async def plan_of(raw: Any, statement: str, arguments: tuple[Any, ...]) -> str:
    plans: list[str] = []

    def listen(_connection: Any, message: Any) -> None:
        if "typeinfo_tree" not in str(message):  # the driver's own look-up of types
            plans.append(str(message))

    raw.add_log_listener(listen)
    await raw.fetch(statement, *arguments)
    raw.remove_log_listener(listen)
    return "\n".join(plans)
