"""Dynamic client registration (RFC 7591) and client id metadata documents: clients nobody had to create by hand."""

from collections.abc import Mapping
from typing import Any

from dragoman_server.connect.errors import TokenRequestError
from dragoman_server.connect.grants.discovery import Steps
from dragoman_server.connect.grants.token_request import encode
from dragoman_server.connect.grants.token_response import decode_body, refusal, text_or_none

NAME = "Dragoman"
_PREFERRED = ("none", "client_secret_post", "client_secret_basic")


def description(redirect_uri: str, credentials: Mapping[str, Any], *, scopes: str = "") -> dict[str, Any]:
    """Return what a client says of itself; name, home and logo are the integration's."""
    found = {
        "client_name": str(credentials.get("client_name") or NAME),
        "client_uri": credentials.get("client_uri"),
        "logo_uri": credentials.get("client_logo_uri"),
        "redirect_uris": [redirect_uri],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": scopes,
    }
    return {k: v for k, v in found.items() if v}


def auth_method(supported: tuple[str, ...]) -> str:
    """Return how the client will authenticate: not at all (PKCE protects it) where that is taken."""
    return next((m for m in _PREFERRED if not supported or m in supported), "client_secret_post")


def register(url: str, wanted: Mapping[str, Any]) -> Steps[tuple[dict[str, str], str]]:
    """Register; return the client's id and secret, and how it authenticates. Raises TokenRequestError."""
    answer = yield encode("POST", url, [("accept", "application/json")], dict(wanted), "json")
    raw = decode_body(answer.body) or {}
    client_id = text_or_none(raw.get("client_id"))
    if not 200 <= answer.status < 300 or client_id is None:
        found = refusal(answer.status, raw)
        told = f"HTTP {answer.status}" + (f", error `{found.error}`" if found.error else "")
        raise TokenRequestError(f"The authorization server registered no client ({told}).", oauth_error=found.error)
    secret = text_or_none(raw.get("client_secret"))
    method = text_or_none(raw.get("token_endpoint_auth_method")) or str(wanted["token_endpoint_auth_method"])
    return {"client_id": client_id, **({"client_secret": secret} if secret else {})}, method
