"""What can be wrong with a question about deliveries."""

from dragoman_server.kit.errors import InvalidInputError, Issue, NotFoundError


class UnknownDeliveryError(NotFoundError):
    """No such delivery in this environment, or it is older than deliveries are kept."""

    code = "not_found"

    def __init__(self) -> None:
        super().__init__("There is no such delivery, or it is older than deliveries are kept.")


class InvalidDeliveryCursorError(InvalidInputError):
    """The cursor is not one of ours."""

    code = "invalid_query_params"

    def __init__(self) -> None:
        super().__init__(
            "The cursor is not valid. Start again without it.",
            issues=[Issue("custom", "not a cursor of this listing", ("cursor",))],
        )
