"""The nouns of the engine's port."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from dragoman_server.orchestrator.states import TaskState

INTERACTIVE_SUFFIX = ":interactive"


def lane(queue: str, *, interactive: bool) -> str:
    """Return the name under which a task waits: interactive tasks have a lane, and slots, of their own."""
    return queue + INTERACTIVE_SUFFIX if interactive else queue


@dataclass(frozen=True, slots=True)
class GroupKey:
    """Whom a task is for: turns go round environments, then round each environment's connections."""

    environment_id: int
    connection: str = ""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often a task is tried, and the pause before attempt n+1: `first * factor ** (n - 1)`, at most `ceiling`."""

    max_attempts: int = 1
    first: timedelta = timedelta(seconds=3)
    factor: float = 2.0
    ceiling: timedelta = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """A task to run once.

    `payload` carries its version as `v`. At most one active task has a given `lock_key`. `start_by` counts from the
    moment the task may start; a task not started by then expires. `idempotency_key` counts within the environment.
    """

    queue: str
    group: GroupKey
    payload: Mapping[str, Any]
    run_timeout: timedelta
    priority: int = 0
    lock_key: str | None = None
    start_after: timedelta | None = None
    start_by: timedelta | None = None
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    requeue_on_lost_lease: bool = False
    idempotency_key: str | None = None
    interactive: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """Run `task` at `starts_at + k * every`. Without `starts_at` a new one starts now, an old one keeps its grid."""

    key: str
    task: TaskSpec
    every: timedelta
    starts_at: datetime | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class ScheduleInfo:
    """`next_run_at` is None while paused; `last_state` is how the newest finished run ended."""

    key: str
    every: timedelta
    next_run_at: datetime | None
    paused: bool
    running_task_id: UUID | None
    last_state: TaskState | None


class TriggerStatus(StrEnum):
    STARTED = "started"
    ALREADY_RUNNING = "already_running"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True)
class TriggerOutcome:
    """`task_id` is the task started now, or the active one that stood in the way (None when that just ended)."""

    key: str
    status: TriggerStatus
    task_id: UUID | None


@dataclass(frozen=True, slots=True)
class SubmitOutcome:
    """`created` is False when an earlier submission, or an active task with the same lock key, stands for this one."""

    task_id: UUID
    created: bool


@dataclass(frozen=True, slots=True)
class ClaimedTask:
    """A task this worker must run now. `queue` is the lane it was claimed from; `ready_at` is when it was due."""

    id: UUID
    attempt: int
    queue: str
    group: GroupKey
    payload: Mapping[str, Any]
    schedule_key: str | None
    deadline: datetime
    created_at: datetime
    ready_at: datetime
    run_timeout: timedelta


@dataclass(frozen=True, slots=True)
class Succeeded:
    output: bytes | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    error: Mapping[str, Any]
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class Cancelled:
    pass


@dataclass(frozen=True, slots=True)
class Interrupted:
    reason: str


Outcome = Succeeded | Failed | Cancelled | Interrupted


@dataclass(frozen=True, slots=True)
class Finish:
    """How one attempt of a task ended; refused when the task has moved on to another attempt."""

    task_id: UUID
    attempt: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TaskResult:
    """How a task ended; readable for days."""

    task_id: UUID
    state: TaskState
    attempt: int
    output: bytes | None
    error: Mapping[str, Any] | None
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """Of one lane. `connection_cap` None leaves only the share of slots no connection may exceed."""

    max_queued: int = 10_000
    environment_cap: int = 500
    connection_cap: int | None = None
