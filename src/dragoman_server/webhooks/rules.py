"""Decisions about deliveries, pure: who gets a message, what an answer means, when to try again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

MAX_ATTEMPTS = 10
FIRST_WAIT = 5.0
GROWTH = 3.6
LONGEST_WAIT = 8 * 3600.0
GIVE_UP_AFTER = timedelta(hours=36)
"""Also for deliveries that never got a turn because their destination's circuit stayed open."""

CIRCUIT_FAILURES = 5
CIRCUIT_FIRST_PAUSE = timedelta(seconds=30)
CIRCUIT_LONGEST_PAUSE = timedelta(minutes=15)

FIRST_AT_ONCE = 2
MOST_AT_ONCE = 32


class WebhookTargets(Protocol):
    """What an environment says about its webhooks; `control.WebhookSettings` is one."""

    @property
    def primary_url(self) -> str | None: ...
    @property
    def secondary_url(self) -> str | None: ...
    @property
    def on_auth_creation(self) -> bool: ...
    @property
    def on_auth_refresh_error(self) -> bool: ...
    @property
    def on_sync_completion_always(self) -> bool: ...
    @property
    def on_sync_error(self) -> bool: ...
    @property
    def on_async_action_completion(self) -> bool: ...


def is_wanted(payload: Mapping[str, Any], targets: WebhookTargets) -> bool:
    """Return whether the environment asked for this message. A sync that changed nothing is sent only on `always`."""
    match payload.get("type"):
        case "auth" if payload.get("operation") == "refresh":
            return targets.on_auth_refresh_error
        case "auth":
            return targets.on_auth_creation
        case "sync" if payload.get("success"):
            results: Mapping[str, int] = payload.get("responseResults") or {}
            return targets.on_sync_completion_always or any(results.values())
        case "sync":
            return targets.on_sync_error
        case "async_action":
            return targets.on_async_action_completion
        case _:
            return True


def urls_for(override: str | None, targets: WebhookTargets) -> list[str]:
    """Return where a message goes: the connection's own URL instead of the environment's one or two."""
    wanted = [override] if override else [targets.primary_url, targets.secondary_url]
    return list(dict.fromkeys(url for url in wanted if url))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an attempt means for its delivery: the new state, and in how many seconds to try again."""

    state: str
    again_in: float | None = None


def judge(status: int | None, attempt: int, chance: float, retry_after: float | None = None) -> Verdict:
    """2xx is success; 410 ends it; anything else and no answer at all is tried again, with growing waits."""
    if status is not None and 200 <= status < 300:
        return Verdict("success")
    if status == 410 or attempt >= MAX_ATTEMPTS:
        return Verdict("failed")
    return Verdict("pending", max(wait_before(attempt + 1, chance), min(retry_after or 0.0, 3600.0)))


def wait_before(attempt: int, chance: float) -> float:
    """Return the seconds before attempt 2, 3, …: about 5 s, 18 s, 65 s, 4 min, 14 min, 50 min, 3 h, 8 h, 8 h."""
    return min(FIRST_WAIT * GROWTH ** (attempt - 2), LONGEST_WAIT) * (0.8 + 0.4 * chance)


@dataclass(slots=True)
class Pace:
    """How many requests at once one destination may hold: grows with each success, shrinks with each failure."""

    limit: int = FIRST_AT_ONCE
    under_way: int = 0

    @property
    def room(self) -> int:
        return max(0, self.limit - self.under_way)

    def ended(self, *, succeeded: bool) -> None:
        self.under_way -= 1
        self.limit = min(self.limit + 1, MOST_AT_ONCE) if succeeded else max(1, self.limit // 2)


def streak(results: Sequence[bool]) -> tuple[bool, int]:
    """Return whether any result was a success, and how many failures follow the last one."""
    failures = 0
    for result in reversed(results):
        if result:
            return True, failures
        failures += 1
    return False, failures
