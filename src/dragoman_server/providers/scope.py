"""What templates may name: the connection, its credential, the integration and the request at hand. Pure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

from dragoman_server.providers.model import Credential
from dragoman_server.providers.sigv4 import canonical_query

_CAMEL = {
    "accessToken": "access_token",
    "refreshToken": "refresh_token",
    "clientId": "client_id",
    "clientSecret": "client_secret",
    "api_key": "apiKey",
    "tokenId": "token_id",
    "tokenSecret": "token_secret",
    "sessionId": "session_id",
    "userId": "user_id",
    "oauthToken": "oauth_token",
    "oauthTokenSecret": "oauth_token_secret",
}


@dataclass(frozen=True, slots=True, repr=False)
class RequestScope:
    """The connection and integration a request is made for."""

    connection_config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    credential: Credential | None = None
    integration: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """client_id, client_secret, custom, integration_config."""
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def __repr__(self) -> str:
        return f"RequestScope(credential={self.credential!r})"


def template_scope(scope: RequestScope) -> dict[str, Any]:
    """Return the names a template of the catalogue may use for this connection."""
    credential = scope.credential
    values: Mapping[str, Any] = credential.values if credential else {}
    override = values.get("config_override")
    own: Mapping[str, Any] = cast("Mapping[str, Any]", override) if isinstance(override, Mapping) else {}
    integration = scope.integration
    credentials = dict(values)
    for alias, name in _CAMEL.items():
        if name in values and alias not in credentials:
            credentials[alias] = values[name]
    token = credential.token() if credential else None
    return {
        "connectionConfig": scope.connection_config,
        "credentials": credentials,
        "metadata": scope.metadata,
        "integrationConfig": integration.get("integration_config") or {},
        "custom": integration.get("custom") or {},
        "accessToken": token,
        "token": token,
        "refreshToken": values.get("refresh_token"),
        "apiKey": credential.api_key() if credential else None,
        "username": values.get("username"),
        "password": values.get("password"),
        "clientId": own.get("client_id") or values.get("client_id") or integration.get("client_id"),
        "clientSecret": own.get("client_secret") or values.get("client_secret") or integration.get("client_secret"),
    }


def request_values(
    method: str, url: str, endpoint: str, headers: Sequence[tuple[str, str]], body: bytes | None
) -> dict[str, Any]:
    """Return the names that stand for the request itself: `${method}`, `${host}`, `${urlCanonicalParams}` ..."""
    parts = urlsplit(url)
    content_type = next((v for k, v in headers if k.lower() == "content-type"), None)
    return {
        "method": method,
        "endpoint": endpoint,
        "host": parts.netloc,
        "path": parts.path,
        "params": parts.query,
        "urlCanonicalParams": canonical_query(parts.query),
        "bodyCanonicalParams": _canonical_body(content_type or "", body or b""),
        "contentType": content_type,
    }


def _canonical_body(content_type: str, body: bytes) -> str | None:
    """Return a form or flat JSON body as sorted, encoded pairs; None for anything else."""
    from dragoman_server.providers.urls import encode_query

    text = body.decode("utf-8", "replace")
    if "json" in content_type:
        try:
            parsed: Any = json.loads(text) if text else {}
        except ValueError:
            return None
        if not isinstance(parsed, dict):
            return None
        items = cast("dict[str, Any]", parsed).items()
        pairs = [(k, v if isinstance(v, str) else json.dumps(v, separators=(",", ":"))) for k, v in items]
    elif "x-www-form-urlencoded" in content_type or not content_type:
        pairs = parse_qsl(text, keep_blank_values=True)
    else:
        return None
    return canonical_query(encode_query(pairs))
