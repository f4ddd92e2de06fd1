from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.connect.vendors import Market
from tests.connect.vendors import market as make_market
from tests.connect.world import World
from tests.connect.world import world as make_world


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncGenerator[World]:
    async with make_world(database_url, tmp_path) as made:
        yield made


@pytest.fixture
async def market(database_url: str, tmp_path: Path) -> AsyncGenerator[Market]:
    async with make_market(database_url, tmp_path) as made:
        yield made
