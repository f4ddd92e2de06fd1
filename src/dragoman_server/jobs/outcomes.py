"""How a run's end is told: to the engine, in the logs, on the wire. Pure."""

from collections.abc import Mapping
from typing import Any, cast

from dragoman_server.runners.port import Failed, Interrupted, RunError

STATUS: Mapping[str, int] = {
    "script_http_error": 424,
    "invalid_action_input": 400,
    "invalid_sync_record": 400,
    "script_aborted": 410,
}
"""Statuses that are not 500 (wire contract sections 2 and 10)."""
UPSTREAM_BODY_CHARACTERS = 16_000


def error_of(error: RunError) -> dict[str, Any]:
    """A failed run as the engine keeps it and `flows.actions` answers it."""
    told: dict[str, Any] = {
        "code": error.code,
        "message": error.message,
        "status": STATUS.get(error.code, 500),
    }
    if error.payload is not None:
        payload: Any = error.payload
        told["payload"] = cast("Any", payload) if isinstance(payload, dict) else {"message": payload}
    if error.upstream is not None:
        told["upstream"] = dict(error.upstream)
    if error.issues:
        told["errors"] = [dict(i) for i in error.issues]
    return told


def log_error(error: RunError) -> dict[str, Any]:
    """The same for the log: with the author's frames, without the payload."""
    return {"type": error.code, "message": error.message, **({"traceback": error.traceback} if error.traceback else {})}


def interrupted_error(outcome: Interrupted) -> dict[str, Any]:
    return {
        "code": "script_aborted",
        "message": f"The run was interrupted ({outcome.reason}); how far it came is not known.",
        "status": 410,
    }


def is_retryable(outcome: Failed) -> bool:
    """An action is tried again only if asked to be; what was wrong with the input stays wrong."""
    return outcome.error.code not in {"invalid_action_input", "invalid_action_output", "script_invalid_error"}
