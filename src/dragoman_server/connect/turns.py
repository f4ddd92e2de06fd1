"""A relay's batch of facts that each call a provider: side by side, and within the relay's patience."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

from dragoman_server.outbox import FactsFailedError, NotYetError, StoredFact

AT_ONCE = 32
TOO_LATE = NotYetError(timedelta(seconds=1))


async def each(
    facts: Sequence[StoredFact], act: Callable[[StoredFact], Awaitable[timedelta | None]], *, seconds: float
) -> None:
    """Do `act` for each; one that returns a wait is handed over again after it. No fact is begun after `seconds`."""
    room = asyncio.Semaphore(AT_ONCE)
    ends_at = asyncio.get_running_loop().time() + seconds
    waits: dict[int, Exception] = {}

    async def one(fact: StoredFact) -> None:
        async with room:
            if asyncio.get_running_loop().time() > ends_at:
                waits[fact.id] = TOO_LATE
                return
            try:
                wait = await act(fact)
            except Exception as error:  # whatever it is, the others go on: they may have a token in hand
                waits[fact.id] = error
                return
        if wait is not None:
            waits[fact.id] = NotYetError(wait)

    await asyncio.gather(*(one(fact) for fact in facts))
    if waits:
        raise FactsFailedError(waits)
