"""Notes of use ("last used", "last fetched") that never cost the hot path a statement."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

from dragoman_server.kit.clock import Clock, SystemClock

K = TypeVar("K", bound=Hashable)

QUIET_SECONDS = 60.0
MOST_REMEMBERED = 100_000


class Touches(Generic[K]):
    """Collects keys; `flush` writes them in one statement. A key is written at most once a minute by this process."""

    def __init__(self, write: Callable[[Sequence[K]], Awaitable[None]], *, clock: Clock | None = None) -> None:
        self._write = write
        self._clock = clock or SystemClock()
        self._recent: set[K] = set()
        self._waiting: set[K] = set()
        self._since = self._clock.monotonic()

    def note(self, key: K) -> None:
        """Remember that `key` was used now."""
        if key not in self._recent:
            self._recent.add(key)
            self._waiting.add(key)

    async def flush(self) -> None:
        """Write what was noted; what cannot be written is noted again."""
        if self._clock.monotonic() - self._since > QUIET_SECONDS or len(self._recent) > MOST_REMEMBERED:
            self._recent.clear()
            self._since = self._clock.monotonic()
        waiting, self._waiting = self._waiting, set()
        if not waiting:
            return
        try:
            await self._write(sorted(waiting))  # type: ignore[type-var]
        except BaseException:
            self._waiting |= waiting
            raise
