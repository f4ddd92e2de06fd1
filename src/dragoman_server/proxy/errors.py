"""What can be wrong with a proxied call before or beside the upstream's own answer."""

from typing import ClassVar

from dragoman_server.kit.errors import DragomanError, NotFoundError, Reaction


class UnknownIntegrationError(NotFoundError):
    """The environment has no integration of that name."""

    code: ClassVar[str] = "unknown_provider_config"

    def __init__(self, key: str) -> None:
        super().__init__(f"There is no integration `{key[:255]}` in this environment.")


class UnknownConnectionError(DragomanError):
    """The integration has no connection of that name. The wire calls it `server_error` on this route."""

    code: ClassVar[str] = "server_error"
    default_status: ClassVar[int] = 400
    reaction: ClassVar[Reaction] = Reaction.FIX

    def __init__(self, connection_id: str, key: str) -> None:
        super().__init__(f"Integration `{key[:255]}` has no connection `{connection_id[:255]}`.")


class RequestBodyTooLargeError(DragomanError):
    """The caller's body is over the limit, or too large for what must be done with it."""

    code: ClassVar[str] = "request_too_large"
    default_status: ClassVar[int] = 413
    reaction: ClassVar[Reaction] = Reaction.FIX

    def __init__(self, limit: int, why: str = "") -> None:
        super().__init__(f"The request body is larger than {limit / 1_000_000:g} MB{why}.")


class ConnectionBusyError(DragomanError):
    """Too many calls of one connection are under way and none ended in time."""

    code: ClassVar[str] = "too_many_request"
    default_status: ClassVar[int] = 429
    reaction: ClassVar[Reaction] = Reaction.RETRY

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"This connection already has {limit} calls under way; try again shortly.", headers={"Retry-After": "1"}
        )


class CallerLeftError(DragomanError):
    """The caller closed its connection while sending its body; nobody reads this."""

    code: ClassVar[str] = "client_closed_request"
    default_status: ClassVar[int] = 499
    reaction: ClassVar[Reaction] = Reaction.GIVE_UP

    def __init__(self) -> None:
        super().__init__("The caller closed the connection before its request was complete.")
