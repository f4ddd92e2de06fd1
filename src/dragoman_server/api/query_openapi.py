"""Query parameters of the routes that read their query themselves, for the OpenAPI document.

What is described is what is accepted: `app.py` refuses every query key of a documented route that is not in it.
"""

from collections.abc import Mapping
from typing import Any

_TEXT: Mapping[str, Any] = {"type": "string", "maxLength": 500}
_TIME: Mapping[str, Any] = {"type": "string", "format": "date-time"}


def _whole(lowest: int, highest: int, default: int | None = None) -> dict[str, Any]:
    shape: dict[str, Any] = {"type": "integer", "minimum": lowest, "maximum": highest}
    return shape if default is None else {**shape, "default": default}


def _parameter(name: str, schema: Mapping[str, Any], description: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "description": description, "schema": dict(schema), **more}


def _list(name: str, description: str, *choices: str) -> dict[str, Any]:
    items: dict[str, Any] = {"type": "string", "enum": list(choices)} if choices else {"type": "string"}
    schema = {"type": "array", "maxItems": 100, "items": {**items, "maxLength": 255}}
    return _parameter(name, schema, f"{description} Repeat the key.", style="form", explode=True)


def _object(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "object", "additionalProperties": {"type": "string"}}
    return _parameter(name, schema, description, style="deepObject", explode=True)


def _extra(*parameters: dict[str, Any]) -> dict[str, Any]:
    return {"parameters": list(parameters)}


_CURSOR = _parameter("cursor", {"type": "string", "maxLength": 1000}, "Resume after this cursor.")
_LEVELS = ("debug", "info", "warn", "error")
_SESSION_TOKEN = _parameter("connect_session_token", {"type": "string"}, "The session, where no header can be sent.")

CONNECTIONS = _extra(
    _parameter("connectionId", {"type": "string", "maxLength": 255}, "Only this connection id."),
    _parameter(
        "search",
        {"type": "string", "maxLength": 255},
        "Part of a connection id, or of an end user's name or e-mail. Fewer than 3 letters look at the newest 10,000.",
    ),
    _parameter("integrationId", {"type": "string"}, "Only these integrations, comma-separated."),
    _parameter("endUserId", {"type": "string", "maxLength": 255}, "Only this end user's."),
    _parameter("endUserOrganizationId", {"type": "string", "maxLength": 255}, "Only this organization's."),
    _object("tags", "Only connections with all of these tags."),
    _parameter("limit", _whole(1, 2000), "Connections per page; without it 10,000."),
    _parameter("page", _whole(0, 1_000_000, 0), "The page, from 0."),
)
OPERATIONS = _extra(
    _parameter("search", _TEXT, "Words in messages, errors and names."),
    _list("states", "Only these states.", "waiting", "running", "success", "failed", "timeout", "cancelled"),
    _list("types", "Only these types, e.g. `sync` or `sync:run`."),
    _list("levels", "Only operations whose worst message has one of these levels.", *_LEVELS),
    _list("integrations", "Only these integrations."),
    _list("connections", "Only these connection ids."),
    _list("syncs", "Only these syncs."),
    _parameter("from", _TIME, "Started at or after this time."),
    _parameter("to", _TIME, "Started before this time."),
    _parameter("limit", _whole(1, 500, 50), "Operations per page."),
    _CURSOR,
)
MESSAGES = _extra(
    _parameter("search", _TEXT, "Words in the message."),
    _list("levels", "Only these levels.", *_LEVELS),
    _parameter("limit", _whole(1, 500, 100), "Messages per page."),
    _CURSOR,
    _parameter("order", {"type": "string", "enum": ["asc", "desc"], "default": "desc"}, "`asc` follows an operation."),
)
DELIVERIES = _extra(
    _list("states", "Only these states.", "pending", "success", "failed"),
    _list("types", "Only these types.", "auth", "sync", "async_action", "forward"),
    _list("connections", "Only these connection ids."),
    _list("integrations", "Only these integrations."),
    _parameter("webhook_id", _TEXT, "Deliveries of this webhook."),
    _parameter("limit", _whole(1, 100, 50), "Deliveries per page."),
    _CURSOR,
)
SESSION = _extra(_SESSION_TOKEN)
CONNECTING = _extra(
    _SESSION_TOKEN,
    _object("params", "The connection's configuration, by key."),
    _object("authorization_params", "More parameters of the provider's authorization page."),
    _object("credentials", "`oauth_client_id_override`, `oauth_client_secret_override`."),
    _parameter("user_scope", {"type": "string"}, "Scopes asked of the user, comma-separated."),
    _parameter("ws_client_id", {"type": "string", "maxLength": 255}, "The page's socket."),
    _parameter("hmac", {"type": "string"}, "Accepted from older clients.", deprecated=True),
    _parameter("installation", {"type": "string"}, "Accepted from older clients.", deprecated=True),
    _parameter("connection_id", {"type": "string"}, "Refused: a session chooses the id itself.", deprecated=True),
    _parameter("public_key", {"type": "string"}, "Refused: use a connect session.", deprecated=True),
)
