"""Wait out a database that is away, for work that may be done twice."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from dragoman_server.db.driver import UNAVAILABLE
from dragoman_server.kit.telemetry import get_logger

log = get_logger("db")

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.0


async def through_outage(work: Callable[[], Awaitable[T]], *, patience: float = PATIENCE_SECONDS) -> T:
    """Do `work`; while the database is away, again and again. Raises what `work` raised when `patience` is over.

    A commit whose answer was lost is repeated as well: `work` must find its own effect and leave it.
    """
    give_up = time.monotonic() + patience
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return await work()
        except UNAVAILABLE as error:
            if isinstance(error, ValueError) or time.monotonic() + pause > give_up:
                raise  # a value that cannot be sent is nobody's outage
            log.info("database_waits", error=type(error).__name__)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
