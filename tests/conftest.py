"""Fixtures every test may use: one real Postgres per test run and worker, a database per test cloned from a template."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import settings

from dragoman_server.db import Database
from dragoman_server.db.driver import connect
from dragoman_server.db.embedded import EmbeddedPostgres
from dragoman_server.db.migrate import migrate

# How long an example takes is a benchmark's business; a failing one prints how to repeat it.
settings.register_profile("suite", deadline=None, print_blob=True)
settings.load_profile("suite")

pytest_plugins = ["tests.support.fixtures"]

FAST = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "48MB",
    "max_connections": "200",
}

MAIN_PARTS = ("outbox", "vault", "control", "records", "logs", "scripts", "connect", "webhooks")
ORCHESTRATOR_PARTS = ("orchestrator",)


def _packages(parts: Sequence[str]) -> list[str]:
    root = Path(__file__).parent.parent / "src" / "dragoman_server"
    return [f"dragoman_server.{part}" for part in parts if (root / part / "migrations").is_dir()]


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A Postgres of this test process's own, without fsync."""
    folder = Path(tempfile.mkdtemp(prefix="dgt-", dir="/tmp"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "pg", settings=FAST)
    server.start()
    try:
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _execute(url: str, sql: str) -> None:
    connection = await connect(url)
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def _make_template(server: EmbeddedPostgres, name: str, parts: Sequence[str]) -> str:
    async def make() -> None:
        await _execute(server.url("postgres"), f'CREATE DATABASE "{name}"')
        await migrate(server.url(name), _packages(parts))

    asyncio.run(make())
    return name


@pytest.fixture(scope="session")
def main_template(postgres: EmbeddedPostgres) -> str:
    return _make_template(postgres, "template_main", MAIN_PARTS)


@pytest.fixture(scope="session")
def orchestrator_template(postgres: EmbeddedPostgres) -> str:
    return _make_template(postgres, "template_orchestrator", ORCHESTRATOR_PARTS)


async def _clone(server: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    name = f"t_{uuid.uuid4().hex[:12]}"
    await _execute(server.url("postgres"), f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')
    yield server.url(name)
    await _execute(server.url("postgres"), f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def database_url(postgres: EmbeddedPostgres, main_template: str) -> AsyncIterator[str]:
    """A fresh main database with every part's schema."""
    async for url in _clone(postgres, main_template):
        yield url


@pytest.fixture
async def orchestrator_url(postgres: EmbeddedPostgres, orchestrator_template: str) -> AsyncIterator[str]:
    """A fresh orchestrator database."""
    async for url in _clone(postgres, orchestrator_template):
        yield url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    made = Database(database_url, min_size=1, max_size=8)
    await made.open()
    yield made
    await made.close()


@pytest.fixture
async def orchestrator_database(orchestrator_url: str) -> AsyncIterator[Database]:
    made = Database(orchestrator_url, min_size=1, max_size=8)
    await made.open()
    yield made
    await made.close()


MoveClock = Callable[[str, timedelta], Awaitable[None]]


@pytest.fixture
def move_clock() -> MoveClock:
    """`await move_clock(database_url, timedelta(hours=1))`: that database's kit.now() is so much later from now on."""
    moved: dict[str, timedelta] = {}

    async def move(url: str, by: timedelta) -> None:
        moved[url] = moved.get(url, timedelta()) + by
        micros = moved[url] // timedelta(microseconds=1)
        await _execute(
            url,
            "CREATE OR REPLACE FUNCTION kit.now() RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE "
            f"AS $$ SELECT statement_timestamp() + interval '{micros} microseconds' $$",
        )

    return move


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reads a DRAGOMAN_* setting of the person who runs it."""
    for name in [n for n in os.environ if n.startswith("DRAGOMAN_")]:
        monkeypatch.delenv(name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first, so that no worker ends the run alone with one."""
    items.sort(key=lambda item: item.get_closest_marker("chaos") is None and item.get_closest_marker("real") is None)
