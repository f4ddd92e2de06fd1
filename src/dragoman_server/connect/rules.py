"""When a token is refreshed, how failures add up. Pure."""

from datetime import datetime, timedelta

from dragoman_server.connect.model import Failures, Stored, Times

LONGEST_MARGIN = timedelta(minutes=15)
MARGIN_SHARE = 0.2
AHEAD = 1.25
"""The due-queue refreshes this many margins before expiry, so that readers rarely wait."""
COOL_DOWN = timedelta(seconds=30)
LONGEST_PAUSE = timedelta(hours=1)
COUNT_TRANSIENT_EVERY = timedelta(hours=24)
COUNT_DEAD_EVERY = timedelta(hours=1)
EXHAUSTED_AFTER = 4
SHORTEST_LEARNED_LIFE = timedelta(minutes=5)
REJECT_COOL_DOWN = timedelta(seconds=60)


def margin(life: timedelta, buffer: timedelta | None = None) -> timedelta:
    """How long before expiry a token is refreshed: the entry's buffer, else min(15 min, 20 % of its life)."""
    share = max(life, timedelta()) * MARGIN_SHARE
    if buffer is not None:
        return min(buffer, max(life, timedelta()))
    return min(LONGEST_MARGIN, share)


def times(
    issued_at: datetime, expires_at: datetime | None, learned: timedelta | None, buffer: timedelta | None = None
) -> Times:
    """Return when the token gets stale and when the due-queue takes it. A learned life counts where none is stated."""
    if expires_at is None:
        if learned is None:
            return Times(None, None)
        expires_at = issued_at + learned
    wide = margin(expires_at - issued_at, buffer)
    return Times(expires_at - wide, max(expires_at - wide * AHEAD, issued_at))


def learn(known: timedelta | None, age: timedelta) -> timedelta:
    """Return the life learned from a 401 on a token of this age: it only shrinks, and not below five minutes."""
    shorter = age if known is None else min(known, age)
    return max(shorter, SHORTEST_LEARNED_LIFE)


def is_stale(stored: Stored, now: datetime) -> bool:
    return stored.grant is not None and stored.times.stale_at is not None and now >= stored.times.stale_at


def is_expired(stored: Stored, now: datetime) -> bool:
    """True when handing the token out is pointless."""
    return stored.credential.expires_at is not None and now >= stored.credential.expires_at


def may_retry_rejected(stored: Stored, now: datetime) -> bool:
    """True when a 401 may be about expiry: not on a token we got a moment ago, or every 401 would cost a refresh."""
    if stored.grant is None:
        return False
    age = now - stored.issued_at
    expires_at = stored.credential.expires_at
    life = None if expires_at is None else expires_at - stored.issued_at
    return age >= (REJECT_COOL_DOWN if life is None else min(REJECT_COOL_DOWN, life / 2))


def cool_down_left(failures: Failures, now: datetime) -> timedelta:
    """How long until the next automatic attempt."""
    if failures.failed_at is None:
        return timedelta()
    return max(failures.failed_at + COOL_DOWN - now, timedelta())


def after_failure(failures: Failures, now: datetime, *, dead: bool) -> Failures:
    """Count one more failure: outages once a day, refusals of the grant once an hour; four exhaust it."""
    every = COUNT_DEAD_EVERY if dead else COUNT_TRANSIENT_EVERY
    counts = failures.counted_at is None or now - failures.counted_at >= every
    counted = failures.counted + counts
    return Failures(
        attempts=failures.attempts + 1,
        counted=counted,
        counted_at=now if counts else failures.counted_at,
        failed_at=now,
        exhausted=failures.exhausted or counted >= EXHAUSTED_AFTER,
    )


def next_background_attempt(failures: Failures, now: datetime) -> datetime | None:
    """When the due-queue tries again: 30 s, doubling to an hour; never once exhausted."""
    if failures.exhausted:
        return None
    return now + min(COOL_DOWN * 2 ** min(max(failures.attempts - 1, 0), 10), LONGEST_PAUSE)
