"""Operations reach the database, in groups, whatever happens to it."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from dragoman_server.db import Database
from dragoman_server.kit.clock import ManualClock
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.logs import Logs
from dragoman_server.logs.operation import new_operation_id, time_of
from tests.logs.reading import read_messages, read_operations

ENV = EnvironmentId(7)


async def test_an_operation_is_stored_with_its_messages_and_its_end(database: Database) -> None:
    logs = Logs(database=database)

    operation = logs.start(ENV, "proxy:call", integration="github", connection="c-1", meta={"a": 1})
    operation.info("hello", count=3)
    operation.finish("failed", {"type": "boom", "message": "it broke"})
    await logs.flush()

    [stored] = await read_operations(database)
    assert (stored["kind"], stored["state"], stored["integration"]) == ("proxy:call", "failed", "github")
    assert stored["finished_at"] is not None
    assert [m["message"] for m in await read_messages(database)] == ["hello", "it broke"]


async def test_a_second_process_continues_an_operation_before_the_first_one_has_flushed(database: Database) -> None:
    first, second = Logs(database=database), Logs(database=database)
    started = first.start(ENV, "sync:run", integration="github", sync="issues", waiting=True)

    continued = second.reopen(ENV, started.id)
    continued.info("working")
    continued.finish("success")
    await second.flush()
    await first.flush()

    [stored] = await read_operations(database)
    assert (stored["kind"], stored["state"], stored["sync"]) == ("sync:run", "success", "issues")


async def test_two_handles_of_one_operation_in_one_process_end_as_the_later_one_says(database: Database) -> None:
    logs = Logs(database=database)

    started = logs.start(ENV, "action:run", function="send")
    logs.reopen(ENV, started.id).finish("success")
    await logs.flush()

    [stored] = await read_operations(database)
    assert (stored["kind"], stored["state"], stored["function"]) == ("action:run", "success", "send")


async def test_the_first_end_of_an_operation_counts(database: Database) -> None:
    logs = Logs(database=database)

    operation = logs.start(ENV, "action:run")
    operation.finish("success")
    operation.finish("failed")
    await logs.flush()

    [stored] = await read_operations(database)
    assert stored["state"] == "success"


async def test_the_running_writer_writes_without_being_asked_and_flushes_when_stopped(database: Database) -> None:
    logs = Logs(database=database)
    async with asyncio.TaskGroup() as group:
        group.create_task(logs.run())
        logs.start(ENV, "proxy:call").finish("success")
        async with asyncio.timeout(5):
            await logs.writer.settled()
        first = await read_operations(database)

        logs.start(ENV, "proxy:call").info("last words")
        await logs.stop()

    assert [o["state"] for o in first] == ["success"]
    assert len(await read_operations(database)) == 2
    assert [m["message"] for m in await read_messages(database)] == ["last words"]


async def test_a_day_without_a_partition_is_made_when_its_first_row_arrives(database: Database) -> None:
    logs = Logs(database=database, clock=ManualClock(datetime(2031, 5, 6, 23, 59, 59, tzinfo=UTC)))

    logs.start(ENV, "proxy:call").info("from the future")
    await logs.flush()

    assert len(await read_operations(database)) == 1
    assert len(await read_messages(database)) == 1


async def test_a_full_buffer_drops_messages_but_never_an_operation(database: Database) -> None:
    logs = Logs(database=database, bound_bytes=2000)
    operation = logs.start(ENV, "function:invoke")

    for number in range(100):
        operation.info(f"line {number}")
    operation.finish("success")

    assert not await logs.writer.room(timeout=0.01)
    await logs.flush()
    assert await logs.writer.room(timeout=0.01)
    assert 0 < len(await read_messages(database)) < 100
    assert [o["state"] for o in await read_operations(database)] == ["success"]


async def test_what_is_buffered_survives_a_database_that_is_away(database: Database, database_url: str) -> None:
    away = Database(database_url.rsplit("/", 1)[0] + "/does_not_exist", min_size=0)
    await away.open()
    logs = Logs(database=away)
    logs.start(ENV, "proxy:call").info("kept")

    with pytest.raises(Exception):
        await logs.flush()
    logs.writer._database = database  # pyright: ignore[reportPrivateUsage] - the same server, back again
    await logs.flush()

    await away.close()
    assert [m["message"] for m in await read_messages(database)] == ["kept"]


async def test_messages_are_in_order_even_within_one_microsecond(database: Database) -> None:
    logs = Logs(database=database, clock=ManualClock())
    operation = logs.start(ENV, "function:invoke")

    for number in range(50):
        operation.info(str(number))
    await logs.flush()

    assert [m["message"] for m in await read_messages(database)] == [str(n) for n in range(50)]


async def test_a_row_the_database_refuses_does_not_hold_up_the_others(database: Database) -> None:
    logs = Logs(database=database)
    operation = logs.start(ENV, "proxy:call")
    operation.info("before")
    refused = (operation.at, operation.id, 2**40, operation.at, ENV, "log", "info", "user", "seq is no int4", None)
    logs.writer.add(refused)
    operation.info("after")

    await logs.flush()

    assert [m["message"] for m in await read_messages(database)] == ["before", "after"]


async def test_erasing_a_connection_leaves_nothing_of_it_and_everything_of_others(database: Database) -> None:
    logs = Logs(database=database)
    for row_id in (1, 2):
        operation = logs.start(ENV, "proxy:call", connection=f"c-{row_id}", connection_row_id=ConnectionRowId(row_id))
        operation.info(f"about {row_id}")

    erased = await logs.erase_connection(ENV, ConnectionRowId(1))

    assert erased == 1
    assert [o["connection"] for o in await read_operations(database)] == ["c-2"]
    assert [m["message"] for m in await read_messages(database)] == ["about 2"]


async def test_another_environments_process_cannot_change_an_operation(database: Database) -> None:
    logs = Logs(database=database)
    started = logs.start(ENV, "proxy:call")
    await logs.flush()

    logs.reopen(EnvironmentId(8), started.id).finish("failed")
    await logs.flush()

    [stored] = await read_operations(database)
    assert stored["state"] == "running"


def test_an_operation_id_tells_its_time() -> None:
    at = datetime(2026, 3, 4, 5, 6, 7, 89_123, tzinfo=UTC)

    made = new_operation_id(at)

    assert (made.version, made.variant) == (7, uuid.RFC_4122)
    assert time_of(made) == at.replace(microsecond=89_000)
    assert made < new_operation_id(at + timedelta(microseconds=1)) < new_operation_id(at + timedelta(milliseconds=1))
