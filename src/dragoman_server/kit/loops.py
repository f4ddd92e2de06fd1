"""Start and stop: one contract for everything that lives long, and the loop that runs turns."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from dragoman_server.kit.telemetry import get_logger

log = get_logger("loops")


class Service(Protocol):
    """Something that lives long. `run` returns after `stop`; both are idempotent."""

    async def run(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass(slots=True)
class Loop:
    """Calls `once` every `every` seconds, or as soon as `wake()` is called, until stopped; one bad turn never ends it.

    `once` returns how long to wait for the next turn in seconds, or None for `every`. Tests await `loop.once()` and
    never sleep.
    """

    name: str
    once: Callable[[], Awaitable[float | None]]
    every: float
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _failures: int = 0

    def wake(self) -> None:
        """End the current wait."""
        self._wake.set()

    async def run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            wait = self.every
            try:
                answer = await self.once()
                self._failures = 0
                if answer is not None:
                    wait = answer
            except Exception as error:  # a turn may meet anything (a database away, a bug); the loop must live
                self._failures += 1
                wait = min(max(self.every, 0.1) * 2 ** min(self._failures, 6), 15.0)
                log.warning("loop_turn_failed", loop=self.name, error=type(error).__name__, detail=str(error)[:300])
            if wait > 0 and not self._stopping.is_set():
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)

    async def stop(self) -> None:
        self._stopping.set()
        self._wake.set()


async def run_all(services: Sequence[Service], stopping: asyncio.Event, *, patience: float = 60.0) -> None:
    """Run `services` until `stopping` is set or one of them ends, then stop them one after the other, last one first.

    Each is waited for before the next is stopped, so that what came later may use what came earlier to its very end;
    one that does not end within `patience` seconds is cancelled. What one of them raised is raised again.
    """
    tasks = [asyncio.create_task(service.run()) for service in services]
    waiter = asyncio.create_task(stopping.wait())
    try:
        done, _ = await asyncio.wait([waiter, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for service, task in zip(services, tasks, strict=True):
            if task in done:
                log.error("service_ended", service=type(service).__name__, error=str(task.exception() or ""))
    finally:
        waiter.cancel()
        for service, task in zip(reversed(services), reversed(tasks), strict=True):
            await _end(service, task, patience)
    for task in tasks:
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error


async def _end(service: Service, task: asyncio.Task[None], patience: float) -> None:
    try:
        await service.stop()
        await asyncio.wait([task], timeout=patience)
    finally:
        if not task.done():
            log.warning("service_cancelled", service=type(service).__name__)
            task.cancel()
            await asyncio.wait([task], timeout=5.0)
