"""What can go wrong with records."""

from dragoman_server.kit.errors import ConflictError, InvalidInputError, Issue, NotFoundError, Reaction


class StaleAttemptError(ConflictError):
    """A newer attempt of this run, or a newer run, has begun: this one must stop writing."""

    code = "conflict"

    def __init__(self) -> None:
        super().__init__("A newer attempt has taken over; nothing of this one is stored anymore.")


class CheckpointConflictError(ConflictError):
    """The checkpoint was changed since it was read."""

    code = "conflict"
    reaction = Reaction.RETRY

    def __init__(self) -> None:
        super().__init__("The checkpoint has another version; read it again.")


class ConnectionErasedError(NotFoundError):
    """The connection's records were erased; nothing is stored for it anymore."""

    code = "unknown_connection"

    def __init__(self) -> None:
        super().__init__("This connection was deleted.")


class InvalidRecordError(InvalidInputError):
    """A record that cannot be stored; the message names its place in the batch."""

    code = "invalid_sync_record"

    def __init__(self, index: int, reason: str) -> None:
        super().__init__(f"Record {index} of the batch: {reason}", issues=[Issue("custom", reason, ("records", index))])


class InvalidCheckpointError(InvalidInputError):
    """A checkpoint that is not a flat map of strings, numbers and booleans."""

    code = "invalid_body"

    def __init__(self, reason: str) -> None:
        super().__init__(f"checkpoint: {reason}", issues=[Issue("custom", reason, ("checkpoint",))])


class InvalidCursorError(InvalidInputError):
    """A cursor we did not make, or made for another connection, model or variant."""

    code = "invalid_query_params"

    def __init__(self, place: str = "cursor") -> None:
        message = "Not a cursor of this connection, model and variant."
        super().__init__(f"{place}: {message}", issues=[Issue("invalid_format", message, (place,))])
