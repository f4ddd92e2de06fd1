"""How often a sync runs: `"1 hour"`, `"every 5 minutes"`, `"every half day"`."""

import re

from dragoman.authoring.errors import DefinitionError

SHORTEST_SECONDS = 30

_UNITS = {
    "s": 1, "sec": 1, "second": 1,
    "m": 60, "min": 60, "minute": 60,
    "h": 3600, "hr": 3600, "hour": 3600,
    "d": 86400, "day": 86400,
    "w": 604800, "week": 604800,
    "month": 2592000,
}  # fmt: skip
_FRACTIONS = {"half": 0.5, "quarter": 0.25}
_PATTERN = re.compile(r"^(?:every\s+)?(?:(\d+)\s*|(half|quarter)\s+(?:an?\s+)?)?([a-z]+?)s?$")


def seconds_of(text: str) -> int:
    """Return the interval in seconds; raises DefinitionError when it is not one or shorter than 30 seconds."""
    match = _PATTERN.match(text.strip().lower())
    unit = _UNITS.get(match.group(3)) if match else None
    if unit is None and text.strip().lower().removeprefix("every ").strip() == "s":
        unit = 1
    if match is None or unit is None:
        raise DefinitionError(
            f"`{text}` is not an interval; write for example `30 seconds`, `5 minutes`, `1 hour`, `1 day`."
        )
    count = float(match.group(1)) if match.group(1) else _FRACTIONS.get(match.group(2) or "", 1.0)
    seconds = int(unit * count)
    if seconds < SHORTEST_SECONDS:
        raise DefinitionError(f"`{text}` is shorter than the shortest interval, {SHORTEST_SECONDS} seconds.")
    return seconds
