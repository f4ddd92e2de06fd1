"""At most so many calls of one connection at a time: one customer's flood must not hold every socket of the process."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

K = TypeVar("K")


class Slots(Generic[K]):
    """Counts per key; waiters are served in order. Costs a dictionary entry only while a key is in use."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._used: dict[K, int] = {}
        self._waiting: dict[K, deque[asyncio.Future[None]]] = {}

    def try_take(self, key: K) -> bool:
        """Take a slot if one is free and nobody waits for it."""
        used = self._used.get(key, 0)
        if used >= self.limit:
            return False
        self._used[key] = used + 1
        return True

    async def take(self, key: K, patience: float) -> bool:
        """Take a slot, waiting up to `patience` seconds; False if none became free."""
        if self.try_take(key):
            return True
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue = self._waiting.setdefault(key, deque())
        queue.append(future)
        try:
            async with asyncio.timeout(patience):
                await future
        except BaseException as error:
            if future.done() and not future.cancelled():
                self.give(key)  # handed to us in the same moment as we gave up
            elif (waiting := self._waiting.get(key)) is not None and future in waiting:
                waiting.remove(future)
                if not waiting:
                    del self._waiting[key]
            if isinstance(error, TimeoutError):
                return False
            raise
        return True

    def give(self, key: K) -> None:
        """Return a slot: to the longest waiting caller, if any."""
        queue = self._waiting.get(key)
        while queue:
            future = queue.popleft()
            if not queue:
                del self._waiting[key]
            if not future.done():
                future.set_result(None)
                return
        used = self._used[key] - 1
        if used:
            self._used[key] = used
        else:
            del self._used[key]

    def in_use(self, key: K) -> int:
        return self._used.get(key, 0)
