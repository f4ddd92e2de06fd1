"""`world`: an engine on a fresh database, its services running, its loops run by hand, its clock moved."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from dragoman_server.db import Database
from dragoman_server.orchestrator.model import QueueLimits
from dragoman_server.orchestrator.pg import PgEngine
from tests.conftest import MoveClock
from tests.orchestrator.conformance import ENVIRONMENT_CAP, QUEUED_CAP

LIMITS = {"small": QueueLimits(max_queued=QUEUED_CAP, environment_cap=ENVIRONMENT_CAP)}


@dataclass
class PgWorld:
    engine: PgEngine
    database: Database
    url: str
    move: MoveClock

    async def pass_time(self, by: timedelta, *, beating: tuple[str, ...] = ()) -> None:
        while by > timedelta(0):
            await self.jump(min(by, timedelta(seconds=2)))
            by -= timedelta(seconds=2)
            for worker in beating:
                await self.engine.beat(worker)
            await self.turn()

    async def jump(self, by: timedelta) -> None:
        await self.move(self.url, by)

    async def turn(self) -> None:
        await self.engine.turn()


@pytest.fixture
async def world(
    orchestrator_database: Database, orchestrator_url: str, move_clock: MoveClock
) -> AsyncIterator[PgWorld]:
    engine = PgEngine(database=orchestrator_database, listen_url=orchestrator_url, limits=LIMITS)
    services = engine.services(loops=False)
    async with asyncio.TaskGroup() as group:
        for service in services:
            group.create_task(service.run())
        yield PgWorld(engine, orchestrator_database, orchestrator_url, move_clock)
        for service in services:
            await service.stop()
