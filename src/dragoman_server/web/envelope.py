"""The one shape of an error: `{"error": {"code", "message", "errors"?, "payload"?}}`, rendered once at the door."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from dragoman_server.db.database import DatabaseUnavailableError
from dragoman_server.db.driver import UNAVAILABLE, UNSTORABLE_TEXT
from dragoman_server.kit.errors import DragomanError, InvalidInputError, Issue
from dragoman_server.kit.telemetry import get_logger

log = get_logger("web")


@dataclass(frozen=True, slots=True)
class Rendered:
    """An answer ready to send."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


def error_body(
    code: str,
    message: str,
    *,
    issues: Sequence[Issue] = (),
    payload: Any = None,
    extra: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the envelope as a dict."""
    error: dict[str, Any] = {"code": code, "message": message, **(extra or {})}
    if issues:
        error["errors"] = [{"code": i.code, "message": i.message, "path": list(i.path)} for i in issues]
    if payload is not None:
        error["payload"] = payload
    return {"error": error}


def render(error: BaseException) -> Rendered:
    """Render any exception: ours as they say, a lost database as 503, anything else as a logged 500 with a number."""
    if isinstance(error, DragomanError):
        extra = getattr(error, "envelope_extra", None)
        body = error_body(error.public_code, error.message, issues=error.issues, payload=error.payload, extra=extra)
        return Rendered(error.status, msgspec.json.encode(body), error.headers)
    if _is_unstorable_text(error):  # before the outage: the driver calls a value it cannot encode an interface's error
        message = "Text may not contain NUL characters or lone surrogates."
        return render(InvalidInputError(message, issues=[Issue("invalid_format", message)]))
    if isinstance(error, UNAVAILABLE):
        log.warning("database_unavailable", error=type(error).__name__)
        return render(DatabaseUnavailableError())
    return render_unexpected(error)


def _is_unstorable_text(error: BaseException | None) -> bool:
    """Whether it is text of the input that nobody can store; the driver hides that behind errors of its own."""
    for _ in range(4):
        if error is None:
            return False
        if isinstance(error, UNSTORABLE_TEXT):
            return True
        if isinstance(error, UnicodeEncodeError):
            return "surrogates" in error.reason
        error = error.__cause__ or error.__context__
    return False


def render_unexpected(error: BaseException) -> Rendered:
    """Log the traceback under a number and show only the number."""
    number = str(uuid.uuid4())
    log.error("unexpected_error", number=number, error=type(error).__name__, exc_info=error)
    message = f"An unexpected error; the server's log has it under {number}."
    return Rendered(500, msgspec.json.encode(error_body("generic_error_support", message, payload=number)))
