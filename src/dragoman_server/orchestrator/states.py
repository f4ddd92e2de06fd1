"""What may follow what. The SQL repeats each move as a `WHERE state = …`, so two processes cannot both win."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class TaskState(StrEnum):
    CREATED = "created"
    DELAYED = "delayed"
    STARTED = "started"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    EXPIRED = "expired"


_S = TaskState

MOVES: Mapping[TaskState, frozenset[TaskState]] = MappingProxyType(
    {
        _S.DELAYED: frozenset({_S.CREATED, _S.CANCELLED, _S.EXPIRED}),
        _S.CREATED: frozenset({_S.STARTED, _S.CANCELLED, _S.EXPIRED}),
        _S.STARTED: frozenset(
            # back to created: the lease was lost; to delayed: another attempt after a pause
            {_S.SUCCEEDED, _S.FAILED, _S.CANCELLED, _S.INTERRUPTED, _S.CREATED, _S.DELAYED}
        ),
    }
)

FINAL = frozenset(TaskState) - frozenset(MOVES)


class IllegalMoveError(ValueError):
    """A state cannot follow another; a programming error, never shown to users."""

    def __init__(self, current: TaskState, wanted: TaskState) -> None:
        super().__init__(f"a task cannot go from {current} to {wanted}")


def is_final(state: TaskState) -> bool:
    """True if nothing follows `state`."""
    return state in FINAL


def move(current: TaskState, wanted: TaskState) -> TaskState:
    """Return `wanted` if it may follow `current`; raise `IllegalMoveError` otherwise."""
    if wanted not in MOVES.get(current, frozenset()):
        raise IllegalMoveError(current, wanted)
    return wanted
