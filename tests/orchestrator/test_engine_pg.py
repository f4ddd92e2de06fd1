"""What is particular to Postgres: several processes, crashes, lost answers, plans, upkeep."""

# lost answers and hints without their poll are made by reaching inside:
# pyright: reportPrivateUsage=false

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from dragoman_server.db import Database
from dragoman_server.db.driver import connect
from dragoman_server.db.embedded import EmbeddedPostgres
from dragoman_server.db.migrate import migrate
from dragoman_server.orchestrator.loops import Housekeeper, Vacuum
from dragoman_server.orchestrator.model import ClaimedTask, Finish, GroupKey, QueueLimits, Succeeded
from dragoman_server.orchestrator.pg import PgEngine, _store
from dragoman_server.orchestrator.pg._store import BEGINNING, Want
from tests.conftest import FAST
from tests.orchestrator.conformance import ENVIRONMENT_CAP, done, drain, schedule, task
from tests.orchestrator.conftest import LIMITS, PgWorld

SOON = timedelta(seconds=15)


@asynccontextmanager
async def running(engine: PgEngine, *, loops: bool = False) -> AsyncGenerator[PgEngine, None]:
    services = engine.services(loops=loops)
    async with asyncio.TaskGroup() as group:
        for service in services:
            group.create_task(service.run())
        try:
            yield engine
        finally:
            for service in services:
                await service.stop()


@pytest.fixture
async def other(world: PgWorld) -> AsyncIterator[PgEngine]:
    """A second process's engine on the same database, its services running."""
    database = Database(world.url, max_size=4)
    await database.open()
    engine = PgEngine(database=database, listen_url=world.url)
    async with running(engine):
        await engine._listener.connected.wait()
        await world.engine._listener.connected.wait()
        yield engine
    await database.close()


async def test_a_waiter_in_another_process_is_answered_by_the_hint_long_before_the_poll(
    world: PgWorld, other: PgEngine
) -> None:
    [outcome] = await other.submit([task()])
    other._polled_at = float("inf")  # the poll behind the hint never comes
    waiting = asyncio.create_task(other.wait(outcome.task_id, SOON))
    [claimed] = await world.engine.claim("w", {"sync": 1})

    await world.engine.finish([done(claimed, b"7")])

    result = await waiting
    assert result is not None
    assert result.output == b"7"


async def test_a_submission_in_another_process_wakes_a_sleeping_claimer(world: PgWorld, other: PgEngine) -> None:
    await other.claim("w", {"sync": 1})
    sleeping = asyncio.create_task(other._bell.wait(["sync"], 15))

    await world.engine.submit([task()])

    assert await sleeping
    assert len(await other.claim("w", {"sync": 1})) == 1


async def test_two_processes_submitting_one_key_make_one_task(world: PgWorld, other: PgEngine) -> None:
    spec = task(idempotency_key="i", lock_key="l")

    answers = await asyncio.gather(*(e.submit([spec]) for _ in range(15) for e in (world.engine, other)))

    assert len({a[0].task_id for a in answers}) == 1
    assert sum(a[0].created for a in answers) == 1


async def test_the_cap_on_waiting_tasks_holds_between_processes(world: PgWorld) -> None:
    databases = [Database(world.url, max_size=3) for _ in range(3)]
    await asyncio.gather(*(d.open() for d in databases))
    limits = {"sync": QueueLimits(max_queued=50)}
    engines = [PgEngine(database=d, listen_url=world.url, limits=limits) for d in databases]

    answers = await asyncio.gather(
        *(e.submit([task(f"c{n}")]) for n in range(40) for e in engines), return_exceptions=True
    )

    assert sum(not isinstance(a, BaseException) for a in answers) == 50
    assert await world.database.fetchval(_store.NOW) is not None
    await asyncio.gather(*(d.close() for d in databases))


async def test_claimers_in_several_processes_never_exceed_a_cap_nor_take_a_task_twice(world: PgWorld) -> None:
    databases = [Database(world.url, max_size=4) for _ in range(3)]
    await asyncio.gather(*(d.open() for d in databases))
    limits = {"sync": QueueLimits(environment_cap=4, connection_cap=2)}
    engines = [PgEngine(database=d, listen_url=world.url, limits=limits) for d in databases]
    await engines[0].submit([task(c, environment=e) for e in range(1, 7) for c in "abc" for _ in range(10)])
    held: dict[tuple[int, str], int] = {}
    most = {"environment": 0, "connection": 0}
    seen: list[object] = []

    async def consume(engine: PgEngine, worker: str) -> None:
        while len(seen) < 180:
            for one in await engine.claim(worker, {"sync": 5}):
                seen.append((one.id, one.attempt))
                key = (one.group.environment_id, one.group.connection)
                held[key] = held.get(key, 0) + 1
                most["connection"] = max(most["connection"], held[key])
                most["environment"] = max(
                    most["environment"], sum(n for (e, _), n in held.items() if e == one.group.environment_id)
                )
                await asyncio.sleep(0)
                held[key] -= 1
                await engine.finish([done(one)])

    await asyncio.gather(*(consume(e, f"w{n}{i}") for n, e in enumerate(engines) for i in range(2)))

    assert len(set(seen)) == len(seen) == 180
    assert most["environment"] <= 4
    assert most["connection"] <= 2
    await asyncio.gather(*(d.close() for d in databases))


async def test_a_claim_not_yet_committed_counts_against_the_cap(world: PgWorld) -> None:
    engine = world.engine
    limits = LIMITS["small"]
    await engine.submit([task(f"m{n}", queue="small") for n in range(ENVIRONMENT_CAP)])

    async with world.database.transaction() as conn:
        got = await _store.claim(conn, "w1", [Want("small", 9, limits, BEGINNING, 64)], timedelta(seconds=6))
        await engine.submit([task("a", queue="small")])  # its turn comes before those taken
        meanwhile = await engine.claim("w2", {"small": 9})
    afterwards = await engine.claim("w2", {"small": 9})

    assert len(got["small"].tasks) == ENVIRONMENT_CAP
    assert meanwhile == afterwards == []


async def test_a_task_whose_claim_was_never_answered_goes_back_after_two_beats(world: PgWorld) -> None:
    engine = world.engine
    await engine.register("w", {"sync": 1})
    [outcome] = await engine.submit([task(requeue_on_lost_lease=True)])
    await engine._claimer.claim("w", {"sync": 1})  # taken in the database, but nobody here runs it

    await engine.beat("w")
    await engine.beat("w")

    [again] = await engine.claim("w", {"sync": 1})
    assert (again.id, again.attempt) == (outcome.task_id, 2)


async def test_after_a_crash_of_postgres_nothing_is_lost_and_a_finish_waits_it_out() -> None:
    folder = Path(tempfile.mkdtemp(prefix="dgt-", dir="/tmp"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "pg", settings=FAST | {"fsync": "on", "synchronous_commit": "on"})
    server.start()
    raw = await connect(server.url("postgres"))
    await raw.execute("CREATE DATABASE o")
    await raw.close()
    await migrate(server.url("o"), ["dragoman_server.orchestrator"])
    database = Database(server.url("o"), max_size=4)
    await database.open()
    try:
        async with running(PgEngine(database=database, listen_url=server.url("o")), loops=True) as engine:
            await engine.register("w", {"sync": 5})
            outcomes = await engine.submit([task(f"c{n}", requeue_on_lost_lease=True) for n in range(10)])
            claimed = await drain(engine, "w", {"sync": 5})
            await engine.finish([done(t) for t in claimed[:2]])

            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
            finishing = asyncio.create_task(engine.finish([done(t) for t in claimed[2:5]]))
            waiting = asyncio.create_task(engine.wait(claimed[4].id, timedelta(seconds=60)))
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)

            assert await finishing == [True, True, True]
            assert await waiting is not None
            rest = list(claimed[5:]) + await drain(engine, "w", {"sync": 10})
            assert await engine.finish([done(t) for t in rest]) == [True] * len(rest)
            results = [await engine.result(o.task_id) for o in outcomes]
            assert {r.attempt for r in results if r} == {1}
            assert None not in results
    finally:
        await database.close()
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def test_an_unseen_answer_of_a_finish_is_looked_up_not_taken_for_fenced(world: PgWorld) -> None:
    engine = world.engine
    await engine.submit([task()])
    [claimed] = await engine.claim("w", {"sync": 1})
    finish = Finish(claimed.id, claimed.attempt, Succeeded())
    async with world.database.connection() as conn:
        await _store.finish(conn, [finish])  # committed, but the answer never arrived

        found = await _store.finished_before(conn, [finish])

    assert set(found) == {claimed.id}


async def test_partitions_are_made_ahead_and_dropped_after_their_days_results_with_them(world: PgWorld) -> None:
    engine = world.engine
    housekeeper = Housekeeper(world.database, keep_days=2)
    await housekeeper.once()
    [outcome] = await engine.submit([task()])
    [claimed] = await engine.claim("w", {"sync": 1})
    await engine.finish([done(claimed)])
    made = await _partitions(world.url)

    await world.jump(timedelta(days=1))
    await housekeeper.once()
    kept = await engine.result(outcome.task_id)
    await world.jump(timedelta(days=3))
    await housekeeper.once()

    assert len(made) == 5 + 1
    assert kept is not None
    assert await engine.result(outcome.task_id) is None
    assert len(await _partitions(world.url)) == 6 + 1


async def test_a_day_without_a_partition_goes_to_the_default_one_and_is_dropped_by_age(world: PgWorld) -> None:
    engine = world.engine
    [outcome] = await engine.submit([task()])
    [claimed] = await engine.claim("w", {"sync": 1})
    await engine.finish([done(claimed)])
    housekeeper = Housekeeper(world.database, keep_days=2)

    await housekeeper.once()
    kept = await engine.result(outcome.task_id)
    await world.jump(timedelta(days=4))
    await housekeeper.once()

    assert kept is not None
    assert await engine.result(outcome.task_id) is None


async def _partitions(url: str) -> list[str]:
    raw = await connect(url)
    try:
        rows = await raw.fetch(
            "SELECT inhrelid::regclass::text AS name FROM pg_inherits WHERE inhparent = 'orchestrator.task_log'::regclass"
        )
        return [row["name"] for row in rows]
    finally:
        await raw.close()


async def test_idempotency_keys_are_forgotten_after_a_week_not_before(world: PgWorld) -> None:
    engine = world.engine
    housekeeper = Housekeeper(world.database, keep_days=2)
    spec = task(idempotency_key="i")
    [first] = await engine.submit([spec])

    await world.jump(timedelta(days=6))
    await housekeeper.once()
    [same] = await engine.submit([spec])
    await world.jump(timedelta(days=2))
    await housekeeper.once()
    [new] = await engine.submit([spec])

    assert same.task_id == first.task_id != new.task_id


async def test_the_hot_table_is_vacuumed_after_thousands_of_finishes(world: PgWorld) -> None:
    vacuum = Vacuum(world.database)

    early = vacuum.note(3999)
    due = vacuum.note(1)
    await vacuum.once()

    assert (early, due, vacuum.note(1)) == (False, True, False)


async def test_claim_reads_few_rows_of_a_deep_backlog(world: PgWorld) -> None:
    limits = {"sync": QueueLimits(max_queued=100_000)}
    engine = PgEngine(database=world.database, listen_url=world.url, limits=limits)
    await engine.register("w", {"sync": 64})
    for environment in range(1, 21):
        await engine.submit([task(f"c{n % 5}", environment=environment) for n in range(250)])

    await _flush_statistics(world.database)
    before = await _rows_read(world.url)
    claimed = await engine.claim("w", {"sync": 20})
    await _flush_statistics(world.database)
    after = await _rows_read(world.url)

    assert len(claimed) == 20
    assert after - before < 1000, "the claim reads the backlog instead of seeking through it"


async def _flush_statistics(database: Database) -> None:
    """Closing the pool makes its sessions report what they read."""
    await database.close()
    await database.open()


async def _rows_read(url: str) -> int:
    raw = await connect(url)
    try:
        row = await raw.fetchrow(
            "SELECT coalesce(sum(idx_tup_fetch + seq_tup_read), 0)::bigint AS n FROM pg_stat_user_tables"
            " WHERE relname = 'tasks'"
        )
        return row["n"]
    finally:
        await raw.close()


async def test_an_unchanged_schedule_is_not_written(world: PgWorld) -> None:
    engine = world.engine
    await engine.upsert_schedules([schedule()])
    before = await _version_of("s", world.url)

    await engine.upsert_schedules([schedule(), schedule()])

    assert await _version_of("s", world.url) == before
    await engine.upsert_schedules([schedule(every=timedelta(hours=1))])
    assert await _version_of("s", world.url) != before


async def _version_of(key: str, url: str) -> str:
    raw = await connect(url)
    try:
        return await raw.fetchval("SELECT xmin::text FROM orchestrator.schedules WHERE key = $1", key)
    finally:
        await raw.close()


async def test_the_loops_run_a_schedule_and_return_a_dead_workers_task_by_themselves(world: PgWorld) -> None:
    engine = PgEngine(database=world.database, listen_url=world.url, lease=timedelta(milliseconds=300))
    async with running(engine, loops=True):
        await engine.upsert_schedules([schedule(task=task(requeue_on_lost_lease=True))])
        await engine.register("dead", {"sync": 1})
        first = await _claimed_by("dead", engine)

        again = await _claimed_by("alive", engine)

    assert (first.schedule_key, first.attempt, again.attempt) == ("s", 1, 2)
    assert first.group == again.group == GroupKey(1, "a")


async def _claimed_by(worker: str, engine: PgEngine) -> ClaimedTask:
    async with asyncio.timeout(20):
        while True:
            if got := await engine.claim(worker, {"sync": 1}):
                return got[0]
            await engine.wait_for_work(["sync"], timedelta(seconds=1))
