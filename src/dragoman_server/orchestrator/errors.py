"""What callers of the engine may have to handle."""

from typing import ClassVar

from dragoman_server.kit.errors import DragomanError, InvalidInputError, Reaction


class OrchestratorError(DragomanError):
    """The root of this part's errors."""


class QueueFullError(OrchestratorError):
    """As many tasks of this environment wait as may wait; nothing of the request was queued."""

    code: ClassVar[str] = "too_many_request"
    default_status: ClassVar[int] = 429
    reaction: ClassVar[Reaction] = Reaction.RETRY

    def __init__(self, queue: str, environment_id: int, *, retry_after_seconds: int = 5) -> None:
        super().__init__(
            f"Too many tasks are waiting in the queue `{queue}`. Try again later.",
            headers={"Retry-After": str(retry_after_seconds)},
        )
        self.queue = queue
        self.environment_id = environment_id


class InvalidTaskError(InvalidInputError):
    """A task or schedule that cannot be taken: no payload version, or a negative or zero duration."""

    code: ClassVar[str] = "invalid_task"
