"""What a soak counts: requests, errors in and out of outages, recoveries, memory."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field

from dragoman.client import ApiError, ConnectionFailedError

GRACE = 3.0
"""Seconds after the first answer in which what was under way at the kill may still fail."""


@dataclass
class Outage:
    """From a kill to the first answered probe; times are `time.monotonic()`."""

    kind: str
    began: float
    ended: float | None = None

    def covers(self, begin: float, end: float) -> bool:
        return end >= self.began and (self.ended is None or begin <= self.ended + GRACE)


@dataclass
class Tally:
    """What happened so far."""

    done: Counter[str] = field(default_factory=Counter[str])
    excused: Counter[str] = field(default_factory=Counter[str])
    """Errors of requests that were under way in an outage."""
    faults: list[str] = field(default_factory=list[str])
    """Errors in peace, and answers that are wrong whenever they come."""
    latencies: dict[str, list[float]] = field(default_factory=dict[str, list[float]])
    outages: list[Outage] = field(default_factory=list[Outage])
    memory: list[float] = field(default_factory=list[float])
    """Megabytes of all processes, over time."""

    def begin(self, kind: str) -> Outage:
        """An outage begins: just before the kill."""
        self.outages.append(Outage(kind, time.monotonic()))
        return self.outages[-1]

    def fault(self, what: str) -> None:
        self.faults.append(what)

    def judge(self, kind: str, began: float, error: BaseException) -> None:
        """File an error: of an outage, or a fault. A 500 is never excused, but for an action told to be interrupted."""
        now = time.monotonic()
        said = f"{kind}: {error}"
        named = error.code if isinstance(error, ApiError) else type(error).__name__
        if isinstance(error, ApiError) and error.status == 500 and error.code != "interrupted":
            self.fault(said)
        elif any(outage.covers(began, now) for outage in self.outages):
            self.excused[f"{kind} {named}"] += 1
        else:
            self.fault(said)

    def took(self, kind: str, began: float) -> None:
        self.done[kind] += 1
        self.latencies.setdefault(kind, []).append(time.monotonic() - began)

    def recoveries(self, kind: str) -> list[float]:
        """Seconds from each kill to the first answer."""
        return [o.ended - o.began for o in self.outages if o.kind == kind and o.ended is not None]


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


FAILED = (ApiError, ConnectionFailedError, asyncio.TimeoutError)
