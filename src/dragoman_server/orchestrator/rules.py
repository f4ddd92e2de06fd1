"""Decisions, pure: who is admitted to a nearly full queue, and when a reaper may trust the silence it sees."""

from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

Pair = tuple[str, int]
"""A lane and an environment."""


def admit(requests: Sequence[Mapping[Pair, int]], room: Mapping[Pair, int]) -> list[Pair | None]:
    """Return for each request, in order, None if it fits or else the pair that is full; refused ones take no room."""
    left: MutableMapping[Pair, int] = dict(room)
    answers: list[Pair | None] = []
    for wanted in requests:
        full = next((pair for pair, count in wanted.items() if count > left[pair]), None)
        answers.append(full)
        if full is None:
            for pair, count in wanted.items():
                left[pair] -= count
    return answers


@dataclass(slots=True)
class Patience:
    """Tells a reaper when it has watched long enough to call a silent worker dead.

    Workers cannot beat while the database is away, its machine sleeps or its clock jumps; each shows as a gap between
    two turns of the reaper, in database time. After a gap, and at first, it waits one lease.
    """

    lease: timedelta
    _since: datetime | None = None
    _last: datetime | None = None

    def watched_long_enough(self, now: datetime) -> bool:
        """Say whether workers silent at `now` have had a whole lease to be heard. Call once a turn."""
        gap = self._last is None or not timedelta(0) <= now - self._last <= self.lease / 2
        self._last = now
        if gap or self._since is None:
            self._since = now
        return now - self._since >= self.lease

    def forget(self) -> None:
        """The connection was lost: start watching anew."""
        self._last = None
