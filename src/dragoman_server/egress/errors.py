"""What can go wrong on the way out. No message carries a path, a query string, a header or a body: hosts only."""

from typing import ClassVar

from dragoman_server.kit.errors import DragomanError, Reaction


class EgressRefusedError(DragomanError):
    """The address, scheme or port is not one this server may talk to."""

    code: ClassVar[str] = "egress_refused"
    default_status: ClassVar[int] = 400
    reaction: ClassVar[Reaction] = Reaction.FIX

    def __init__(self, host: str) -> None:
        super().__init__(
            f"`{host}` is not a public address this server may call. "
            "An operator can allow a private range with DRAGOMAN_EGRESS_ALLOW.",
        )
        self.host = host


class RedirectRefusedError(EgressRefusedError):
    """The upstream redirected to a place we may not follow it to."""

    code: ClassVar[str] = "proxy_redirect_to_denied_host"

    def __init__(self, host: str, why: str = "is not a public address this server may call") -> None:
        super().__init__(host)
        self.message = f"The upstream redirected to `{host}`, which {why}."
        self.args = (self.message,)


class InvalidRequestError(DragomanError):
    """The URL, method or a header cannot be sent as HTTP."""

    code: ClassVar[str] = "invalid_outbound_request"
    default_status: ClassVar[int] = 400
    reaction: ClassVar[Reaction] = Reaction.FIX


class UpstreamTimeoutError(DragomanError):
    """The upstream did not answer in time. `sent` says whether it may have received the request."""

    code: ClassVar[str] = "upstream_timeout"
    default_status: ClassVar[int] = 504
    reaction: ClassVar[Reaction] = Reaction.RETRY

    def __init__(self, host: str, phase: str, *, sent: bool) -> None:
        super().__init__(f"`{host}` did not answer in time ({phase}).")
        self.phase = phase
        self.sent = sent


class UpstreamUnreachableError(DragomanError):
    """The upstream could not be reached or broke the connection. `sent` as in `UpstreamTimeoutError`.

    `stale`: the connection was a pooled one, which upstreams close after a while: most likely nobody read the request.
    """

    code: ClassVar[str] = "upstream_unreachable"
    default_status: ClassVar[int] = 502
    reaction: ClassVar[Reaction] = Reaction.RETRY

    def __init__(self, host: str, why: str, *, sent: bool) -> None:
        super().__init__(f"`{host}` could not be reached: {why}.")
        self.why = why
        self.sent = sent
        self.stale = False


class InvalidUpstreamAnswerError(DragomanError):
    """The upstream answered something that is not acceptable HTTP (or redirected without end)."""

    code: ClassVar[str] = "upstream_invalid_response"
    default_status: ClassVar[int] = 502
    reaction: ClassVar[Reaction] = Reaction.GIVE_UP

    def __init__(self, host: str, why: str) -> None:
        super().__init__(f"The answer of `{host}` cannot be used: {why}.")


class ResponseTooLargeError(InvalidUpstreamAnswerError):
    """The answer is larger than the caller is ready to hold."""

    code: ClassVar[str] = "upstream_response_too_large"

    def __init__(self, host: str, limit: int) -> None:
        super().__init__(host, f"its body is larger than {limit} bytes")
