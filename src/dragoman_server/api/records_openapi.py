"""The OpenAPI operation of GET /records, which is no FastAPI route."""

from collections.abc import Mapping
from typing import Any

_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
_MAYBE_TIME = {"type": ["string", "null"], "format": "date-time"}


_METADATA = {
    "type": "object",
    "required": ["first_seen_at", "last_modified_at", "last_action", "deleted_at", "pruned_at", "cursor"],
    "properties": {
        "first_seen_at": _TIME,
        "last_modified_at": _TIME,
        "last_action": {"type": "string", "enum": ["ADDED", "UPDATED", "DELETED"]},
        "deleted_at": _MAYBE_TIME,
        "pruned_at": _MAYBE_TIME,
        "cursor": _TEXT,
    },
    "additionalProperties": False,
}
_RECORD = {
    "type": "object",
    "description": "What the sync saved, with its metadata. A pruned record has only `id` and the metadata.",
    "required": ["id", "_nango_metadata"],
    "properties": {"id": {"type": ["string", "number"]}, "_nango_metadata": _METADATA},
    "additionalProperties": True,
}


def _error(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Error"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _query(name: str, schema: Mapping[str, Any], description: str, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "description": description, "schema": schema}


def _header(name: str, description: str) -> dict[str, Any]:
    schema = {"type": "string", "minLength": 1, "maxLength": 255}
    return {"name": name, "in": "header", "required": True, "description": description, "schema": schema}


OPERATION: Mapping[str, Any] = {
    "operationId": "list_records",
    "summary": "List records in the order of their last change",
    "description": (
        "Each record's `_nango_metadata.cursor` resumes after it; save the last one and poll with it. `next_cursor` is "
        "null when you have caught up; a page may be shorter than `limit`, even empty, while it is set."
    ),
    "tags": ["records"],
    "parameters": [
        _header("Connection-Id", "The connection whose records to list."),
        _header("Provider-Config-Key", "The integration's unique key."),
        _query(
            "model",
            {"type": "string", "pattern": "^[A-Z][a-zA-Z0-9_-]+$", "maxLength": 255},
            "The model; one that was never saved is an empty page.",
            required=True,
        ),
        _query(
            "variant",
            {"type": "string", "pattern": "^[a-zA-Z0-9_-]+$", "maxLength": 255, "default": "base"},
            "The sync variant.",
        ),
        _query("cursor", {"type": "string", "minLength": 1, "maxLength": 1000}, "Resume after this cursor."),
        _query("limit", {"type": "integer", "minimum": 1, "maximum": 10000, "default": 100}, "Records per page."),
        _query("filter", _TEXT, "Comma-separated: added, updated, deleted (either case)."),
        _query("modified_after", _TIME, "Only records changed at or after this time; at most 12 months back."),
        {**_query("delta", _TIME, "An older name of `modified_after`; wins over it."), "deprecated": True},
        {
            **_query(
                "ids",
                {"type": "array", "maxItems": 100, "items": {"type": "string", "minLength": 1, "maxLength": 256}},
                "Only these records; repeat the key.",
            ),
            "style": "form",
            "explode": True,
        },
    ],
    "responses": {
        "200": {
            "description": "A page of records.",
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["records", "next_cursor"],
                        "properties": {
                            "records": {"type": "array", "items": _RECORD},
                            "next_cursor": {"type": ["string", "null"]},
                        },
                    }
                }
            },
        },
        "400": _error("invalid_query_params, invalid_headers or unknown_connection"),
        "401": _error("No or an unknown API key"),
        "403": _error("The key lacks `environment:records:read`"),
        "429": _error("Too many requests"),
    },
}

PATHS: Mapping[str, Any] = {"/records": {"get": OPERATION}}
