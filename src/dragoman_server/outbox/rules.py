"""When a failed fact is tried again; pure."""

from datetime import timedelta

FIRST_WAIT = timedelta(seconds=1)
LONGEST_WAIT = timedelta(minutes=10)
MAX_STRIKES = 12
"""Failures of a fact's own (a dependency being away is none) after which it is parked."""


def wait_before_retry(attempts: int, chance: float) -> timedelta:
    """Return how long to wait after attempt number `attempts` (from 1): doubling, capped.

    `chance` in [0, 1) puts it between half of the full wait and all of it, so that facts that failed together part.
    """
    full = min(FIRST_WAIT * 2 ** min(max(attempts, 1) - 1, 20), LONGEST_WAIT)
    return full * (0.5 + chance / 2)
