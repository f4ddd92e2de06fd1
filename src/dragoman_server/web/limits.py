"""Rate limits: a fixed window of a minute per API key (or per address for those who have none), in this process."""

from collections import OrderedDict
from dataclasses import dataclass

from dragoman_server.kit.clock import Clock

WINDOW_SECONDS = 60
KEPT = 50_000


@dataclass(slots=True)
class Rate:
    """Where a caller stands: `reset_at` is in epoch seconds."""

    limit: int
    remaining: int
    reset_at: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        return [
            (b"x-ratelimit-limit", b"%d" % self.limit),
            (b"x-ratelimit-remaining", b"%d" % max(0, self.remaining)),
            (b"x-ratelimit-reset", b"%d" % self.reset_at),
        ]


class RateLimiter:
    """`take` counts points; a caller with none left is told so by `remaining < 0`."""

    def __init__(self, *, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._windows: OrderedDict[str, Rate] = OrderedDict()

    def take(self, caller: str, points: int = 1) -> Rate:
        now = self._clock.now().timestamp()
        rate = self._windows.get(caller)
        if rate is None or rate.reset_at <= now:
            rate = Rate(self._per_minute, self._per_minute, int(now // WINDOW_SECONDS + 1) * WINDOW_SECONDS)
            self._windows[caller] = rate
            self._windows.move_to_end(caller)
            if len(self._windows) > KEPT:
                self._windows.popitem(last=False)
        rate.remaining -= points
        return rate

    def retry_after(self, rate: Rate) -> int:
        """Whole seconds until `rate` starts anew."""
        return max(1, int(rate.reset_at - self._clock.now().timestamp()) + 1)
