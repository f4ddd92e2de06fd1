"""The OpenAPI document: FastAPI's for ordinary routes, hand-written operations for the raw doors, demands for both."""

from typing import Any, cast

from fastapi import FastAPI

from dragoman_server.api.action_openapi import PATHS as ACTION_PATHS
from dragoman_server.api.demands import DEMANDS, HOT
from dragoman_server.api.proxy_openapi import PATHS as PROXY_PATHS
from dragoman_server.api.records_openapi import PATHS as RECORDS_PATHS
from dragoman_server.web.authenticate import Demand

ERROR_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code"],
            "properties": {
                "code": {"type": "string", "description": "Stable; see docs/reference/errors.md."},
                "message": {"type": "string"},
                "errors": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {
                            "code": {"type": "string"},
                            "message": {"type": "string"},
                            "path": {"type": "array", "items": {"type": ["string", "integer"]}},
                        },
                    },
                },
                "payload": {},
            },
        }
    },
}
SECURITY_SCHEMES = {
    "apiKey": {"type": "http", "scheme": "bearer", "description": "An environment's API key."},
    "accountKey": {"type": "http", "scheme": "bearer", "description": "The account key."},
    "connectSession": {"type": "http", "scheme": "bearer", "description": "A connect session token."},
}


def build_openapi(app: FastAPI) -> dict[str, Any]:
    """Return the whole document."""
    document = app.openapi()
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    schemas["Error"] = ERROR_SCHEMA
    document["components"]["securitySchemes"] = SECURITY_SCHEMES
    document["paths"] = document["paths"] | PROXY_PATHS | RECORDS_PATHS | ACTION_PATHS
    demands = {(method, path.replace(":path}", "}")): demand for (method, path), demand in DEMANDS.items()}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if isinstance(operation, dict):
                demand = demands.get((method.upper(), path)) or _hot(method, path)
                _finish(cast("dict[str, Any]", operation), demand)
    return document


def _hot(method: str, path: str) -> Demand | None:
    return HOT.get((method.upper(), path)) or HOT.get(("*", path))


def _finish(operation: dict[str, Any], demand: Demand | None) -> None:
    responses: dict[str, Any] = operation.setdefault("responses", {})
    responses.pop("422", None)
    error = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    responses.setdefault("4XX", {"description": "Refused; the envelope says why.", **error})
    responses.setdefault("5XX", {"description": "The server failed; the envelope has a number.", **error})
    if demand is None or demand.public:
        operation["security"] = []
        return
    ways: list[dict[str, list[str]]] = []
    if demand.account:
        ways.append({"accountKey": []})
    if demand.key and not demand.account:
        ways.append({"apiKey": []})
    if demand.session:
        ways.append({"connectSession": []})
    operation["security"] = ways
    if demand.scope:
        operation["x-scope"] = demand.scope
