"""Searches find exactly what is there, page by page, in one environment, across days."""

import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.db import Database
from dragoman_server.kit.clock import ManualClock
from dragoman_server.kit.ids import EnvironmentId, OperationId
from dragoman_server.logs import Level, Logs, LogsKeeper, OperationFilter, OperationView, State, search
from dragoman_server.logs.cursor import read_cursor, write_cursor
from dragoman_server.logs.errors import InvalidCursorError, UnknownOperationError
from tests.conftest import MoveClock
from tests.logs.reading import read_messages, read_operations

ENV, OTHER = EnvironmentId(7), EnvironmentId(8)
START = datetime(2030, 1, 1, 22, tzinfo=UTC)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture
async def logs(database: Database, clock: ManualClock) -> Logs:
    """Sixty operations, four minutes apart, across two midnights of which each says its number, some a word."""
    made = Logs(database=database, clock=clock)
    for number in range(60):
        operation = made.start(
            ENV if number % 10 else OTHER,
            ("sync:run", "proxy:call", "auth:refresh_token")[number % 3],
            integration=("github", "slack")[number % 2],
            connection=f"conn-{number % 5}",
            sync="issues" if number % 3 == 0 else None,
            meta={"number": number},
        )
        operation.info(f"common number {number} {'needle' if number % 17 == 3 else 'hay'}", number=number)
        operation.finish(
            "failed" if number % 7 == 0 else "success",
            {"type": "x", "message": "broken pipe"} if number % 7 == 0 else None,
        )
        clock.advance(timedelta(minutes=30))
    await made.flush()
    return made


async def _all(logs: Logs, wanted: OperationFilter, *, limit: int = 7, env: EnvironmentId = ENV) -> list[OperationView]:
    found: list[OperationView] = []
    cursor: str | None = None
    while True:
        page = await logs.search_operations(env, wanted, cursor=cursor, limit=limit)
        found += page.items
        assert len(page.items) <= limit
        if (cursor := page.cursor) is None:
            return found


def _numbers(found: Sequence[OperationView]) -> list[int]:
    return [int(view.meta["number"]) for view in found]


EXPECTED = [n for n in reversed(range(60)) if n % 10]


CASES: list[tuple[OperationFilter, Callable[[int], bool]]] = [
    (OperationFilter(), lambda _: True),
    (OperationFilter(states=[State.FAILED]), lambda n: n % 7 == 0),
    (OperationFilter(states=[State.FAILED, State.SUCCESS]), lambda _: True),
    (OperationFilter(levels=[Level.ERROR]), lambda n: n % 7 == 0),
    (OperationFilter(levels=[Level.DEBUG]), lambda _: False),
    (OperationFilter(kinds=["sync"]), lambda n: n % 3 == 0),
    (OperationFilter(kinds=["sync:run", "proxy"]), lambda n: n % 3 in {0, 1}),
    (OperationFilter(kinds=["nothing"]), lambda _: False),
    (OperationFilter(integrations=["github"]), lambda n: n % 2 == 0),
    (OperationFilter(connections=["conn-1", "conn-3"]), lambda n: n % 5 in {1, 3}),
    (OperationFilter(connections=["conn-1"], integrations=["slack"], states=[State.SUCCESS]), lambda n: n % 5 == 1 and n % 2 == 1 and n % 7 > 0),
    (OperationFilter(syncs=["issues"]), lambda n: n % 3 == 0),
    (OperationFilter(since=START + timedelta(minutes=300), until=START + timedelta(minutes=900)), lambda n: 10 <= n < 30),
    (OperationFilter(text="needle"), lambda n: n % 17 == 3),
    (OperationFilter(text="COMMON Needle"), lambda n: n % 17 == 3),
    (OperationFilter(text="nowhere"), lambda _: False),
    (OperationFilter(text="common"), lambda _: True),
    (OperationFilter(text="common", connections=["conn-2"]), lambda n: n % 5 == 2),
    (OperationFilter(text="number 13"), lambda n: n == 13),
    (OperationFilter(text="slack"), lambda n: n % 2 == 1),
    (OperationFilter(text="broken pipe"), lambda n: n % 7 == 0),
    (OperationFilter(text="needle", states=[State.FAILED]), lambda n: n % 17 == 3 and n % 7 == 0),
    (OperationFilter(text="'; DROP TABLE & | ! ( :* \\ "), lambda _: False),
]  # fmt: skip


@pytest.mark.parametrize(("wanted", "matches"), CASES, ids=[str(wanted)[16:80] for wanted, _ in CASES])
async def test_a_search_finds_exactly_what_matches(
    logs: Logs, wanted: OperationFilter, matches: Callable[[int], bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [n for n in EXPECTED if matches(n)]

    assert _numbers(await _all(logs, wanted)) == expected

    # Again with the first window too small to see anything, with every word common, and with walks cut short.
    monkeypatch.setattr(search, "FIRST_WINDOW", 1)
    assert _numbers(await _all(logs, wanted)) == expected
    monkeypatch.setattr(search, "HITS_LIMIT", 1)
    monkeypatch.setattr(search, "WINDOW", 3)
    monkeypatch.setattr(search, "MOST_WINDOWS", 2)
    assert _numbers(await _all(logs, wanted)) == expected


async def test_another_environments_operations_are_not_found(logs: Logs) -> None:
    assert _numbers(await _all(logs, OperationFilter(), env=OTHER)) == [50, 40, 30, 20, 10, 0]
    assert _numbers(await _all(logs, OperationFilter(text="common"), env=OTHER)) == [50, 40, 30, 20, 10, 0]
    [mine, *_] = await _all(logs, OperationFilter())
    with pytest.raises(UnknownOperationError):
        await logs.operation(OTHER, mine.id)
    assert (await logs.messages(OTHER, mine.id)).items == []
    assert (await logs.search_operations(OTHER, OperationFilter(text=str(mine.id)))).items == []


async def test_an_operation_is_found_by_its_id(logs: Logs) -> None:
    [view, *_] = await _all(logs, OperationFilter())

    assert (await logs.search_operations(ENV, OperationFilter(text=str(view.id)))).items == [view]
    assert await logs.operation(ENV, view.id) == view


async def test_an_id_that_is_none_is_unknown(logs: Logs) -> None:
    for unknown in (uuid.uuid4(), uuid.UUID(int=0x7 << 76 | 0x2 << 62)):
        with pytest.raises(UnknownOperationError):
            await logs.operation(ENV, OperationId(unknown))


async def test_messages_page_both_ways_and_filter(database: Database, clock: ManualClock) -> None:
    logs = Logs(database=database, clock=clock)
    operation = logs.start(ENV, "function:invoke")
    for number in range(25):
        operation.custom("error" if number % 5 == 0 else "info", f"line {number}", {"n": number})
    await logs.flush()

    older: list[int] = []
    cursor: str | None = None
    while True:
        page = await logs.messages(ENV, operation.id, cursor=cursor, limit=10)
        older += [m.body["n"] for m in page.items]
        if (cursor := page.cursor) is None:
            break
    first = await logs.messages(ENV, operation.id, newer=True, limit=20)
    then = await logs.messages(ENV, operation.id, newer=True, cursor=first.cursor, limit=20)
    operation.info("late")
    await logs.flush()
    late = await logs.messages(ENV, operation.id, newer=True, cursor=then.cursor)

    assert older == list(reversed(range(25)))
    assert [m.body["n"] for m in (*first.items, *then.items)] == list(range(25))
    assert [m.message for m in late.items] == ["late"]
    errors = await logs.messages(ENV, operation.id, levels=[Level.ERROR])
    assert [m.body["n"] for m in errors.items] == [20, 15, 10, 5, 0]
    assert [m.body["n"] for m in (await logs.messages(ENV, operation.id, text="line 7")).items] == [7]


@given(st.text(max_size=80))
def test_what_is_not_our_cursor_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidCursorError):
        read_cursor(b"o", cursor)


@given(
    st.integers(0, 4_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    st.uuids(),
    st.integers(0, 42),
    st.integers(1, 255),
)
def test_a_cursor_comes_back_whole_and_a_changed_one_is_refused(
    at: datetime, key: uuid.UUID, where: int, by: int
) -> None:
    cursor = write_cursor(b"o", at, key)

    assert read_cursor(b"o", cursor) == (at, key)
    where %= len(cursor)
    changed = cursor[:where] + chr((ord(cursor[where]) + by) % 256) + cursor[where + 1 :]
    for bad in (changed, cursor[:-1]):
        with pytest.raises(InvalidCursorError):
            read_cursor(b"o", bad)
    with pytest.raises(InvalidCursorError):
        read_cursor(b"m", cursor)


async def test_counts_are_by_day_and_state(database: Database) -> None:
    logs = Logs(database=database)
    for state in ("success", "success", "failed"):
        logs.start(ENV, "proxy:call").finish(state)
    logs.start(OTHER, "proxy:call").finish("success")
    await logs.flush()

    counts = await logs.counts(ENV)

    assert [(state, count) for _, state, count in counts] == [(State.FAILED, 1), (State.SUCCESS, 2)]


async def test_operations_of_a_silent_process_are_timed_out_and_of_a_living_one_are_not(
    database: Database, move_clock: MoveClock, database_url: str
) -> None:
    dead, alive = Logs(database=database), Logs(database=database)
    dead.start(ENV, "proxy:call", meta={"who": "dead"})
    dead.start(ENV, "sync:run", waiting=True)
    await dead.flush()
    await dead.writer._beat()  # pyright: ignore[reportPrivateUsage]
    keeper = LogsKeeper(database=database)
    await keeper.once()
    before = {o["state"] for o in await read_operations(database)}

    await move_clock(database_url, timedelta(seconds=61))
    alive.start(ENV, "proxy:call", meta={"who": "alive"})
    await alive.flush()
    await alive.writer._beat()  # pyright: ignore[reportPrivateUsage]
    await keeper.once()

    assert before == {"running", "waiting"}
    assert sorted(o["state"] for o in await read_operations(database)) == ["running", "timeout", "waiting"]
    await move_clock(database_url, timedelta(hours=27))
    await keeper.once()
    assert {o["state"] for o in await read_operations(database)} == {"timeout"}


async def test_the_truth_wins_over_a_guessed_time_out(
    database: Database, move_clock: MoveClock, database_url: str
) -> None:
    logs = Logs(database=database)
    operation = logs.start(ENV, "sync:run")
    await logs.flush()
    await move_clock(database_url, timedelta(hours=27))
    await LogsKeeper(database=database).once()

    operation.finish("success")
    await logs.flush()

    assert [o["state"] for o in await read_operations(database)] == ["success"]


async def test_days_are_made_ahead_and_dropped_after_a_fortnight(
    database: Database, move_clock: MoveClock, database_url: str
) -> None:
    logs = Logs(database=database)
    logs.start(ENV, "proxy:call").info("old")
    await logs.flush()
    keeper = LogsKeeper(database=database)

    await move_clock(database_url, timedelta(days=15))
    await keeper.once()
    kept = len(await read_messages(database))
    await move_clock(database_url, timedelta(days=1))
    await keeper.once()

    assert kept == 1
    assert await read_messages(database) == []
    assert await read_operations(database) == []
