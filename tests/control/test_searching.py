"""Finding connections among very many: the plan walks the index of the search, and reading leaves the loop free."""

import asyncio
from typing import Any

import pytest

from dragoman_server.control._store.connections import LIST_BY_SEARCH
from dragoman_server.control.connections import SLICE
from dragoman_server.control.model import ConnectionFilter, EndUser
from dragoman_server.db.driver import connect
from tests.control.conftest import Control

MANY = 4_000
FILL = """INSERT INTO control.connections (uuid, environment_id, integration_id, connection_id, end_user, metadata)
SELECT gen_random_uuid(), $1, $2, gen_random_uuid()::text,
    jsonb_build_object('id', 'u' || n, 'email', 'user-' || n || '@acme.example', 'display_name', 'Ärger ' || n),
    jsonb_build_object('n', n)
FROM generate_series(1, $3::int) AS n"""


async def fill(control: Control, database_url: str, count: int) -> Any:
    integration = await control.integration()
    raw: Any = await connect(database_url)
    await raw.execute(FILL, control.environment.id, integration.id, count)
    await raw.execute("ANALYZE control.connections")
    return raw


@pytest.mark.parametrize("text", ["user-3999@", "ärger 3999", "dead-beef"])
async def test_a_search_among_many_walks_its_index(control: Control, database_url: str, text: str) -> None:
    raw = await fill(control, database_url, MANY)

    arguments: tuple[Any, ...] = (control.environment.id, None, f"%{text}%", [], None, None, "{}", False, 100, 0, text)
    plan = "\n".join(row[0] for row in await raw.fetch(f"EXPLAIN {LIST_BY_SEARCH.text}", *arguments))
    await raw.close()

    assert "Bitmap Index Scan on connections_search" in plan
    assert "Seq Scan on connections" not in plan


async def test_letters_of_any_language_and_case_are_found(control: Control) -> None:
    integration = await control.integration()
    await control.connect(integration, "one", end_user=EndUser("u1", "ann@acme.example", "Zoë ÅNGSTRÖM"))
    await control.connect(integration, "two", end_user=EndUser("u2", "bob@acme.example", "Bob"))

    async def found(text: str) -> list[str]:
        page = await control.connections.list(control.environment.id, ConnectionFilter(search=text))
        return [c.connection_id for c in page]

    assert await found("ångs") == ["one"]
    assert await found("OB") == ["two"]
    assert await found("ACME.EXAMPLE") == ["two", "one"]
    assert await found("acme_example") == []


async def test_a_long_page_comes_in_slices_that_make_the_whole(control: Control, database_url: str) -> None:
    raw = await fill(control, database_url, 3 * SLICE + 1)
    await raw.close()

    slices = [found async for found in control.connections.slices(control.environment.id)]

    assert [len(found) for found in slices] == [SLICE] * 3 + [1]
    assert [c.id for found in slices for c in found] == [
        c.id for c in await control.connections.list(control.environment.id)
    ]
    assert len({c.id for found in slices for c in found}) == 3 * SLICE + 1


async def test_others_run_between_the_slices(control: Control, database_url: str) -> None:
    raw = await fill(control, database_url, 3 * SLICE)
    await raw.close()
    seen: list[int] = []

    async def look() -> None:
        while True:
            seen.append(len(read))
            await asyncio.sleep(0)

    read: list[int] = []
    looking = asyncio.create_task(look())
    async for found in control.connections.slices(control.environment.id):
        read.extend(c.id for c in found)
    looking.cancel()

    assert {0, SLICE, 2 * SLICE} <= set(seen)
