"""What can be wrong with a question to the logs."""

from dragoman_server.kit.errors import InvalidInputError, Issue, NotFoundError


class InvalidCursorError(InvalidInputError):
    """The cursor is not one of ours (cut, forged, or of another listing)."""

    code = "invalid_query_params"

    def __init__(self) -> None:
        super().__init__(
            "The cursor is not valid. Start again without it.",
            issues=[Issue("custom", "not a cursor of this listing", ("cursor",))],
        )


class UnknownOperationError(NotFoundError):
    """No such operation in this environment, or it is older than the logs are kept."""

    code = "not_found"

    def __init__(self) -> None:
        super().__init__("There is no such operation, or it is older than the logs are kept.")
