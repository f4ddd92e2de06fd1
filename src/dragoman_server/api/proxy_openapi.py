"""The proxy route's OpenAPI operations, by hand; a test holds them against the parser."""

from typing import Any

from dragoman_server.api.proxy_headers import MAX_RETRIES

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")


def _header(name: str, description: str, schema: dict[str, Any], *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": description, "schema": schema}


_NAME = {"type": "string", "minLength": 1, "maxLength": 255}

PARAMETERS: list[dict[str, Any]] = [
    {
        "name": "path",
        "in": "path",
        "required": True,
        "description": "Path of the upstream's API, below its base URL. The query string is passed on as it is.",
        "schema": {"type": "string"},
    },
    _header(
        "Connection-Id",
        "The connection to call with.",
        _NAME,
        required=True,
    ),
    _header(
        "Provider-Config-Key",
        "Its integration's id.",
        _NAME,
        required=True,
    ),
    _header(
        "Retries",
        "Extra tries after a network error, a 429, a 5xx or what the provider's entry lists.",
        {"type": "integer", "minimum": 0, "maximum": MAX_RETRIES, "default": 0},
    ),
    _header("Retry-On", "More statuses to try again after.", {"type": "string", "pattern": r"^(\d{3}(,\d{3})*)?$"}),
    _header(
        "Base-Url-Override",
        "Another base URL; only an origin of the provider's entry or one the integration lists. Empty means none.",
        {"type": "string"},
    ),
    _header("Decompress", "Decompress the answer's body.", {"type": "string", "enum": ["true", "false"]}),
    _header(
        "Forward-Headers-On-Redirect",
        "Send credentials along where a redirect leads to another origin.",
        {"type": "string", "enum": ["true", "false"]},
    ),
    _header("Nango-Activity-Log-Id", "Accepted from older clients.", {"type": "string", "maxLength": 255}),
    _header("Nango-Is-Sync", "Accepted from older clients.", {"type": "string", "enum": ["true", "false"]}),
    _header("Nango-Is-Dry-Run", "Accepted from older clients.", {"type": "string", "enum": ["true", "false"]}),
]

_ERRORS = {
    "400": "invalid_headers, server_error (unknown connection), base_url_override_not_allowed, egress_refused, "
    "proxy_redirect_to_denied_host, missing_api_url, unsupported_auth",
    "401": "The API key is missing or unknown; or the upstream's own 401",
    "404": "unknown_provider_config; or the upstream's own 404",
    "413": "request_too_large",
    "424": "connection_refresh_backoff, connection_refresh_exhausted",
    "429": "too_many_request; or the upstream's own 429",
    "502": "upstream_unreachable, upstream_invalid_response",
    "504": "upstream_timeout",
}
_ENVELOPE = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}


def _operation(method: str) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": f"proxy_{method}",
        "summary": f"{method.upper()} a provider's API with a connection's credential",
        "description": "Sends the request with the connection's credential and streams the provider's answer back: "
        "status, headers and body unchanged, whatever the status. Headers prefixed `Nango-Proxy-` are sent without it. "
        "An error of the platform itself has the header `X-Dragoman-Error: true`.",
        "tags": ["proxy"],
        "security": [{"apiKey": []}],
        "parameters": PARAMETERS,
        "responses": {
            "default": {"description": "The upstream's answer.", "content": {"*/*": {"schema": {}}}},
            **{status: {"description": text, "content": _ENVELOPE} for status, text in _ERRORS.items()},
        },
    }
    if method in {"post", "put", "patch", "delete"}:
        operation["requestBody"] = {"required": False, "content": {"*/*": {"schema": {}}}}
    return operation


PATHS: dict[str, Any] = {"/proxy/{path}": {method: _operation(method) for method in METHODS}}
"""For the `paths` of the whole document; wants `Error` and `apiKey` among its components."""
