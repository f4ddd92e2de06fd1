"""Asking how long a token lives that came without an expiry (token introspection, RFC 7662)."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from dragoman_server.connect.grants.discovery import Steps
from dragoman_server.connect.grants.model import Client, Entry
from dragoman_server.connect.grants.token_request import build, template_scope
from dragoman_server.connect.grants.token_response import decode_body, life_until
from dragoman_server.providers.urls import render_url

_AUTHENTICATION = ("token_request_auth_method", "authorization_method")


def offered(entry: Entry) -> bool:
    return bool(entry.get("introspection_url"))


def life(
    entry: Entry, client: Client, config: Mapping[str, Any], token: str, *, now: datetime
) -> Steps[timedelta | None]:
    """Return how long the token still lives; None where the server does not say (section 2.2)."""
    scope = template_scope(client, config)
    url = render_url(str(entry["introspection_url"]), scope)
    how: dict[str, Any] = {key: entry[key] for key in _AUTHENTICATION if entry.get(key)}
    params = {"token": token, "token_type_hint": "access_token"}
    answer = yield build(how, client, url=url, params=params, scope=scope, secrets=(token,), now=now)
    raw = decode_body(answer.body)
    if answer.status != 200 or raw is None or raw.get("active") is not True:
        return None
    return life_until(raw.get("exp"), now)
