"""Every fact is acted on at least once, none is lost, and a bad one holds up nobody."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest

from dragoman_server.db import Database
from dragoman_server.kit.errors import UnavailableError
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.outbox import (
    Fact,
    FactsFailedError,
    Handler,
    NotYetError,
    Nudger,
    Relay,
    StoredFact,
    backlog,
    parked,
    put,
    release,
)
from tests.conftest import MoveClock

ENV = EnvironmentId(1)


def fact(key: str, kind: str = "k", **more: object) -> Fact:
    return Fact(kind, ENV, key, {"v": 1, **more})


async def commit(database: Database, *facts: Fact) -> None:
    async with database.transaction() as conn:
        await put(conn, facts)


async def drain(relay: Relay) -> None:
    while await relay.once() is not None:
        pass


class Recorder:
    """A handler that remembers its facts, and fails where told."""

    def __init__(self, *, fails: Sequence[str] = (), error: Exception | None = None) -> None:
        self.seen: list[StoredFact] = []
        self.batches: list[int] = []
        self.fails = set(fails)
        self.error = error or ValueError("no")

    async def __call__(self, facts: Sequence[StoredFact]) -> None:
        self.batches.append(len(facts))
        if any(fact.key in self.fails for fact in facts):
            raise self.error
        self.seen.extend(facts)

    def keys(self) -> list[str]:
        return [fact.key for fact in self.seen]


def relay(database: Database, handler: Handler, **more: object) -> Relay:
    return Relay(database=database, handlers={"k": handler}, chance=lambda: 0.5, **more)  # type: ignore[arg-type]


async def test_a_fact_of_a_rolled_back_transaction_never_happened(database: Database) -> None:
    recorder = Recorder()

    with pytest.raises(RuntimeError):
        async with database.transaction() as conn:
            await put(conn, [fact("a")])
            raise RuntimeError
    await relay(database, recorder).once()

    assert recorder.seen == []


async def test_a_handled_fact_is_gone(database: Database) -> None:
    recorder = Recorder()
    await commit(database, fact("a", x=1), fact("b"))

    await relay(database, recorder).once()
    await relay(database, recorder).once()

    assert sorted(recorder.keys()) == ["a", "b"]
    assert recorder.batches == [2]
    assert recorder.seen[0].body == {"v": 1, "x": 1}


async def test_equal_keys_not_yet_handled_are_one_fact_with_the_latest_body(database: Database) -> None:
    recorder = Recorder()
    await commit(database, fact("a", n=1), fact("a", n=2))
    await commit(database, fact("a", n=3))

    await relay(database, recorder).once()

    assert [found.body["n"] for found in recorder.seen] == [3]


async def test_equal_keys_of_two_environments_are_two_facts(database: Database) -> None:
    recorder = Recorder()
    await commit(database, fact("a"), Fact("k", EnvironmentId(2), "a", {"v": 1}))

    await relay(database, recorder).once()

    assert recorder.keys() == ["a", "a"]


async def test_a_fact_waits_for_its_time(database: Database, database_url: str, move_clock: MoveClock) -> None:
    recorder = Recorder()
    async with database.connection() as conn:
        later = await conn.now() + timedelta(hours=1)
    await commit(database, Fact("k", ENV, "a", {"v": 1}, not_before=later))

    await relay(database, recorder).once()
    assert recorder.seen == []
    await move_clock(database_url, timedelta(hours=2))
    await relay(database, recorder).once()

    assert recorder.keys() == ["a"]


async def test_two_relays_racing_handle_each_fact_once(database: Database) -> None:
    recorder = Recorder()
    await commit(database, *(fact(f"{number}") for number in range(300)))

    await asyncio.gather(*(drain(relay(database, recorder, batch=7)) for _ in range(4)))

    assert Counter(recorder.keys()) == Counter(f"{number}" for number in range(300))


async def test_a_bad_fact_does_not_hold_up_its_batch(
    database: Database, database_url: str, move_clock: MoveClock
) -> None:
    recorder = Recorder(fails=["b"])
    await commit(database, fact("a"), fact("b"), fact("c"))

    await relay(database, recorder).once()
    assert sorted(recorder.keys()) == ["a", "c"]
    recorder.fails.clear()
    await relay(database, recorder).once()
    assert sorted(recorder.keys()) == ["a", "c"]  # it backs off
    await move_clock(database_url, timedelta(minutes=1))
    await relay(database, recorder).once()

    assert sorted(recorder.keys()) == ["a", "b", "c"]


async def test_a_handler_may_fail_only_some_facts(database: Database) -> None:
    calls: list[int] = []

    async def handler(facts: Sequence[StoredFact]) -> None:
        calls.append(len(facts))
        raise FactsFailedError({found.id: ValueError("no") for found in facts if found.key == "b"})

    await commit(database, fact("a"), fact("b"), fact("c"))
    await relay(database, handler).once()

    assert calls == [3]
    async with database.connection() as conn:
        assert await backlog(conn) == {"k": (0, 0)}  # only b is left, later


async def test_a_fact_that_always_fails_is_parked_visible_and_can_be_released(
    database: Database, database_url: str, move_clock: MoveClock
) -> None:
    recorder = Recorder(fails=["a"], error=ValueError("bad body"))
    await commit(database, fact("a"))

    for _ in range(5):
        await relay(database, recorder, max_strikes=3).once()
        await move_clock(database_url, timedelta(hours=1))

    assert len(recorder.batches) == 3
    async with database.connection() as conn:
        [found] = await parked(conn, ENV)
        assert (found.key, found.last_error) == ("a", "ValueError: bad body")
        assert await parked(conn, EnvironmentId(2)) == []
        recorder.fails.clear()
        assert await release(conn, EnvironmentId(2), [found.id]) == 0
        assert await release(conn, ENV, [found.id]) == 1
    await relay(database, recorder).once()
    assert recorder.keys() == ["a"]


async def test_a_dependency_that_is_away_parks_nothing(
    database: Database, database_url: str, move_clock: MoveClock
) -> None:
    recorder = Recorder(fails=["a"], error=UnavailableError("away"))
    await commit(database, fact("a"))

    for _ in range(6):
        await relay(database, recorder, max_strikes=2).once()
        await move_clock(database_url, timedelta(hours=1))
    recorder.fails.clear()
    await relay(database, recorder, max_strikes=2).once()

    assert recorder.keys() == ["a"]


async def test_a_relay_killed_between_handling_and_record_repeats_the_fact(
    database: Database, database_url: str, move_clock: MoveClock
) -> None:
    recorder = Recorder()

    async def handle_and_die(facts: Sequence[StoredFact]) -> None:
        await recorder(facts)
        raise asyncio.CancelledError

    await commit(database, fact("a"))
    with pytest.raises(asyncio.CancelledError):
        await relay(database, handle_and_die).once()
    await relay(database, recorder).once()
    assert recorder.keys() == ["a"]  # the lease still runs

    await move_clock(database_url, timedelta(minutes=2))
    await relay(database, recorder).once()
    await relay(database, recorder).once()

    assert recorder.keys() == ["a", "a"]


async def test_a_fact_that_kills_its_relay_is_parked_in_the_end(
    database: Database, database_url: str, move_clock: MoveClock
) -> None:
    recorder = Recorder(fails=["a"], error=None)

    async def die(_facts: Sequence[StoredFact]) -> None:
        raise asyncio.CancelledError

    await commit(database, fact("a"))
    for _ in range(2):
        with pytest.raises(asyncio.CancelledError):
            await relay(database, die, max_strikes=2).once()
        await move_clock(database_url, timedelta(minutes=2))
    await relay(database, recorder, max_strikes=2).once()

    assert recorder.batches == []
    async with database.connection() as conn:
        assert len(await parked(conn, ENV)) == 1


async def test_a_fact_put_again_while_it_is_handled_is_handled_again_and_never_at_once(database: Database) -> None:
    seen: list[object] = []

    async def handler(facts: Sequence[StoredFact]) -> None:
        seen.append(facts[0].body["n"])
        if len(seen) == 1:
            await commit(database, fact("a", n=2))
            await relay(database, Recorder(fails=["a"])).once()  # another relay: it must not get it now

    await commit(database, fact("a", n=1))
    await relay(database, handler).once()
    await relay(database, handler).once()
    await relay(database, handler).once()

    assert seen == [1, 2]


async def test_a_late_relay_cannot_undo_its_successor(
    database: Database, database_url: str, move_clock: MoveClock
) -> None:
    recorder = Recorder()

    async def slow(_facts: Sequence[StoredFact]) -> None:
        await move_clock(database_url, timedelta(minutes=2))
        await relay(database, recorder).once()
        raise ValueError

    await commit(database, fact("a"))
    await relay(database, slow).once()
    await relay(database, recorder).once()

    assert recorder.keys() == ["a"]


async def test_a_late_failure_does_not_end_its_successors_lease(
    database: Database, database_url: str, move_clock: MoveClock
) -> None:
    recorder, third = Recorder(), Recorder()
    entered, proceed = asyncio.Event(), asyncio.Event()

    async def successor(facts: Sequence[StoredFact]) -> None:
        entered.set()
        await proceed.wait()
        await recorder(facts)

    async def slow(_facts: Sequence[StoredFact]) -> None:
        await move_clock(database_url, timedelta(minutes=2))
        tasks.append(asyncio.create_task(relay(database, successor).once()))
        await entered.wait()
        raise ValueError

    tasks: list[asyncio.Task[float | None]] = []
    await commit(database, fact("a"))
    await relay(database, slow).once()
    await move_clock(database_url, timedelta(seconds=10))
    await relay(database, third).once()
    proceed.set()
    await asyncio.gather(*tasks)

    assert (recorder.keys(), third.keys()) == (["a"], [])


async def test_kinds_without_a_handler_here_are_left_alone(database: Database) -> None:
    recorder = Recorder()
    await commit(database, fact("a", kind="other"))

    await relay(database, recorder).once()

    async with database.connection() as conn:
        assert await backlog(conn) == {"other": (1, 0)}


async def test_a_hint_wakes_a_running_relay_and_stopping_waits_for_the_batch(
    database: Database, database_url: str
) -> None:
    started, proceed, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handler(_facts: Sequence[StoredFact]) -> None:
        started.set()
        await proceed.wait()
        done.set()

    running = Relay(database=database, handlers={"k": handler}, listen_url=database_url)
    nudger = Nudger(database=database)
    tasks = [asyncio.create_task(running.run()), asyncio.create_task(nudger.run())]
    await commit(database, fact("a"))
    nudger.nudge()
    async with asyncio.timeout(5):
        await started.wait()
    await running.stop()
    await nudger.stop()
    assert not done.is_set()

    proceed.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks)

    assert done.is_set()
    async with database.connection() as conn:
        assert await backlog(conn) == {}


async def test_a_slow_kind_does_not_hold_up_another(database: Database) -> None:
    proceed, quick = asyncio.Event(), asyncio.Event()

    async def slow_handler(_facts: Sequence[StoredFact]) -> None:
        await proceed.wait()

    async def quick_handler(_facts: Sequence[StoredFact]) -> None:
        quick.set()

    running = Relay(database=database, handlers={"slow": slow_handler, "quick": quick_handler})
    task = asyncio.create_task(running.run())
    await commit(database, fact("a", kind="slow"))
    running.wake()
    async with asyncio.timeout(5):
        while True:
            async with database.connection() as conn:
                if (await backlog(conn)).get("slow") == (0, 0):
                    break
    await commit(database, fact("b", kind="quick"))
    running.wake()
    async with asyncio.timeout(5):
        await quick.wait()

    proceed.set()
    await running.stop()
    async with asyncio.timeout(5):
        await task


async def test_a_fact_that_is_not_due_yet_after_all_comes_back_later_and_not_before(
    database: Database, database_url: str, move_clock: MoveClock
) -> None:
    await commit(database, fact("a"), fact("b"))
    recorder = Recorder(fails=["a"], error=NotYetError(timedelta(seconds=60)))
    working = relay(database, recorder)

    await drain(working)
    await drain(working)

    assert recorder.batches == [2]
    recorder.fails.clear()
    await move_clock(database_url, timedelta(seconds=61))
    await drain(working)
    assert sorted(recorder.keys()) == ["a", "b"]
    async with database.connection() as conn:
        assert await parked(conn, ENV) == []
