from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.connect.world import World
from tests.connect.world import world as make_world


@pytest.fixture
async def world(database_url: str, tmp_path: Path) -> AsyncGenerator[World]:
    async with make_world(database_url, tmp_path) as made:
        yield made
