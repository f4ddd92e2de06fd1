"""What the client raises."""

from collections.abc import Mapping, Sequence
from typing import Any


class ApiError(Exception):
    """The server answered with an error envelope.

    `status` is the HTTP status, `code` the public code (stable), `errors` name each bad field of the input, `payload`
    is what an action raised with `ActionError`, `retry_after` is in seconds where the server said so.
    """

    def __init__(
        self,
        *,
        status: int,
        code: str,
        message: str,
        errors: Sequence[Mapping[str, Any]] = (),
        payload: Any = None,
        retry_after: float | None = None,
        upstream: Any = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = list(errors)
        self.payload = payload
        self.retry_after = retry_after
        self.upstream = upstream


class ConnectionFailedError(Exception):
    """The server could not be reached, or did not answer in time."""


class InvalidSignatureError(Exception):
    """A webhook whose signature does not match, or is too old: do not trust its body."""
