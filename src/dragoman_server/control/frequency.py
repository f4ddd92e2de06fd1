"""How often a sync runs, as people write it. Pure."""

import re
from datetime import timedelta

from dragoman_server.control.errors import InvalidFrequencyError, SyncIntervalTooShortError

SHORTEST = timedelta(seconds=30)
LONGEST = timedelta(days=366)
_UNITS: dict[str, timedelta] = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
}
_NAMED: dict[str, timedelta] = {
    "month": timedelta(days=30),
    "week": timedelta(days=7),
    "half day": timedelta(hours=12),
    "half hour": timedelta(minutes=30),
    "quarter hour": timedelta(minutes=15),
}
_NUMBERED = re.compile(r"(?:([0-9]{1,9}) ?)?([a-z]+)")


def parse_frequency(text: str) -> timedelta:
    """Return the interval that e.g. `every 5 minutes`, `every 30s` or `every half hour` names; a month is 30 days.

    Raises `InvalidFrequencyError`, and `SyncIntervalTooShortError` below 30 seconds.
    """
    words = " ".join(text.lower().split())
    if not words.startswith("every "):
        raise InvalidFrequencyError(text)
    rest = words.removeprefix("every ")
    interval = _NAMED.get(rest)
    if interval is None:
        match = _NUMBERED.fullmatch(rest)
        if match is None or match[2] not in _UNITS:
            raise InvalidFrequencyError(text)
        number, unit = int(match[1] or 1), _UNITS[match[2]]
        if number > LONGEST // unit:
            raise InvalidFrequencyError(text)
        interval = number * unit
    if interval < SHORTEST:
        raise SyncIntervalTooShortError(int(SHORTEST.total_seconds()))
    return interval


def describe_interval(interval: timedelta) -> str:
    """Return the frequency text of an interval in whole seconds; `parse_frequency` reads it back."""
    seconds = int(interval.total_seconds())
    for name, size in (("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1)):
        if seconds % size == 0:
            number = seconds // size
            return f"every {name}" if number == 1 else f"every {number} {name}s"
    raise AssertionError("unreachable: any whole number of seconds divides by one")
