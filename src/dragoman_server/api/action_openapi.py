"""The OpenAPI operation of POST /action/trigger, which is no FastAPI route."""

from collections.abc import Mapping
from typing import Any

from dragoman_server.api.common import FUNCTION_NAME, INTEGRATION_KEY

_NAMED = {"type": "string", "minLength": 1, "maxLength": 255}
_KEY = {**_NAMED, "pattern": INTEGRATION_KEY}


def _header(name: str, schema: Mapping[str, Any], description: str, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": description, "schema": dict(schema)}


BODY: Mapping[str, Any] = {
    "type": "object",
    "required": ["action_name"],
    "properties": {
        "action_name": {**_NAMED, "pattern": FUNCTION_NAME},
        "input": {"description": "Whatever the action takes; leaving it out is not the same as null."},
    },
    "additionalProperties": False,
}

OPERATION: Mapping[str, Any] = {
    "operationId": "trigger_action_trigger_post",
    "summary": "Run an action",
    "tags": ["Actions"],
    "parameters": [
        _header("Connection-Id", _NAMED, "The connection to run it for.", required=True),
        _header(
            "Provider-Config-Key",
            _KEY,
            "The integration's unique key.",
            required=True,
        ),
        _header("X-Async", {"type": "string", "default": "false"}, "`true`: queue it and answer 202 at once."),
        _header(
            "X-Max-Retries",
            {"type": "integer", "minimum": 0, "maximum": 5, "default": 0},
            "How often a queued action that failed is tried again.",
        ),
    ],
    "requestBody": {"required": True, "content": {"application/json": {"schema": dict(BODY)}}},
    "responses": {
        "200": {"description": "The action's output.", "content": {"application/json": {"schema": {}}}},
        "202": {
            "description": "Queued; ask `statusUrl` for the output.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["id", "statusUrl"],
                        "properties": {
                            "id": {"type": "string", "format": "uuid"},
                            "statusUrl": {"type": "string"},
                        },
                    }
                }
            },
        },
    },
}

PATHS: Mapping[str, Any] = {"/action/trigger": {"post": OPERATION}}
