"""The nouns of the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dragoman_server.kit.ids import EnvironmentId


@dataclass(frozen=True, slots=True)
class Fact:
    """Something to act on after commit. `body` carries its version as `v`; `key` names the effect, not the attempt.

    Until it is handled, a second fact of the same environment, kind and key takes the first one's place.
    """

    kind: str
    environment_id: EnvironmentId
    key: str
    body: Mapping[str, Any]
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class StoredFact:
    """A fact a relay holds a lease on. `attempts` counts this one."""

    id: int
    kind: str
    environment_id: EnvironmentId
    key: str
    body: Mapping[str, Any]
    attempts: int
    strikes: int
    version: int


@dataclass(frozen=True, slots=True)
class ParkedFact:
    """A fact that failed too often: kept until somebody releases it."""

    id: int
    kind: str
    environment_id: EnvironmentId
    key: str
    attempts: int
    last_error: str
    created_at: datetime


class FactsFailedError(Exception):
    """Raised by a handler that succeeded for the rest of its batch: which facts failed, by id, and why."""

    def __init__(self, failures: Mapping[int, Exception]) -> None:
        super().__init__(f"{len(failures)} facts failed")
        self.failures = dict(failures)


class NotYetError(Exception):
    """Raised by a handler, or given as a fact's failure: nothing went wrong, hand the fact over again after `wait`."""

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"not before {wait.total_seconds():.0f} s from now")
        self.wait = wait
