from datetime import timedelta

from dragoman_server.db import Database, Invalidations
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
