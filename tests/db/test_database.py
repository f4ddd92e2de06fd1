import asyncio
from datetime import timedelta

from dragoman_server.db import Database, Invalidations
from dragoman_server.db.cache import RESTS_AFTER_SECONDS, announce, announce_all
from dragoman_server.kit.clock import ManualClock
from tests.conftest import MoveClock


async def test_the_database_clock_moves_when_told(database: Database, database_url: str, move_clock: MoveClock) -> None:
    async with database.connection() as conn:
        before = await conn.now()

        await move_clock(database_url, timedelta(hours=3))

        assert await conn.now() - before >= timedelta(hours=3)


async def test_a_cache_is_bypassed_until_its_listener_hears_itself(database_url: str) -> None:
    invalidations = Invalidations(database_url)
    cache = invalidations.cache("things")
    loads: list[int] = []

    async def load() -> str:
        loads.append(1)
        return "value"

    await cache.get("a", load)
    await cache.get("a", load)

    assert len(loads) == 2


async def test_who_announces_a_change_reads_it_as_soon_as_it_has_committed(database: Database) -> None:
    invalidations = Invalidations(database.url)
    listening = asyncio.create_task(invalidations.run())
    cache = invalidations.cache("things")
    async with asyncio.timeout(10):
        while not invalidations.healthy():
            await asyncio.sleep(0)  # until its first pulse comes back

    async def load() -> str:
        return "value"

    async def cached() -> bool:
        await cache.get("a", load)
        return cache.peek("a") is not None

    assert await cached()
    async with database.transaction() as conn:
        await announce(conn, "things", "a")
        assert cache.peek("a") is not None, "not before the commit"
    assert cache.peek("a") is None

    assert await cached()
    async with database.connection() as conn:
        await announce_all(conn, "things", ["a", "b"])
    assert cache.peek("a") is None, "without a transaction at once"
    await invalidations.stop()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def test_a_pulse_that_nobody_asks_for_rests_and_whoever_asks_next_sets_it_going(database_url: str) -> None:
    clock = ManualClock()
    invalidations = Invalidations(database_url, clock=clock)
    listening = asyncio.create_task(invalidations.run())
    async with asyncio.timeout(10):
        while not invalidations.healthy():
            await asyncio.sleep(0.01)  # plays somebody who asks again

        clock.advance(timedelta(seconds=RESTS_AFTER_SECONDS + 1))
        while not invalidations.resting:
            await asyncio.sleep(0.01)  # plays somebody who asks again
        clock.advance(timedelta(seconds=2))

        assert not invalidations.healthy(), "whoever asks first reads past the caches"
        while not invalidations.healthy():
            await asyncio.sleep(0.01)  # plays somebody who asks again
    await invalidations.stop()
    await listening
