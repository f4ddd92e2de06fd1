"""Token requests: client authentication (RFC 6749 section 2.3) and the body formats vendors want."""

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote_plus, urlencode, urlsplit

import msgspec

from dragoman_server.connect.grants.model import Client, Entry, TokenRequest
from dragoman_server.providers.model import Credential
from dragoman_server.providers.scope import RequestScope
from dragoman_server.providers.scope import template_scope as scope_of
from dragoman_server.providers.templating import render_or_none
from dragoman_server.providers.urls import render_url

Scope = Mapping[str, Any]
"""What templates may name: connectionConfig, credentials, clientId, clientSecret, …"""


def template_scope(
    client: Client | None, connection_config: Mapping[str, Any], credential: Credential | None = None
) -> dict[str, Any]:
    """Return the names a token endpoint's templates may use: those of every other template of the entry."""
    integration: dict[str, Any] = {}
    if client is not None:
        integration = {
            "client_id": client.client_id,
            "client_secret": client.client_secret,
            "custom": client.custom,
            "integration_config": client.integration_config,
        }
    return scope_of(RequestScope(connection_config=connection_config, credential=credential, integration=integration))


def render_params(params: Mapping[str, Any] | None, scope: Scope) -> dict[str, str]:
    """Render an entry's parameter map; a parameter whose template stays unresolved is left out."""
    rendered: dict[str, str] = {}
    for key, value in (params or {}).items():
        if value is None:
            continue
        text = "true" if value is True else "false" if value is False else str(value)
        answer = render_or_none(text, scope)
        if answer is not None:
            rendered[key] = answer
    return rendered


def token_endpoint(entry: Entry, mode: str, scope: Scope, *, key: str = "token_url") -> str:
    """Return the rendered token URL of `mode`; raise UnresolvedTemplateError when the connection lacks a field."""
    url = entry.get(key)
    if isinstance(url, Mapping):
        by_mode: dict[str, Any] = dict(url)  # pyright: ignore[reportUnknownArgumentType]
        url = by_mode.get(mode)
    return render_url(str(url), scope)  # a value typed by a person never moves it to another host


def build(
    entry: Entry,
    client: Client,
    *,
    url: str,
    params: Mapping[str, str],
    scope: Scope,
    secrets: tuple[str, ...] = (),
    client_certificate: tuple[str, str] | None = None,
) -> TokenRequest:
    """Return the request that carries `params` and the client's authentication the way the entry wants them.

    `authorization_method: header` is RFC 6749 section 2.3.1 (each half form-encoded first), `token_request_auth_method:
    basic` the plain RFC 7617 header most vendors mean, `custom` sends the client as username and password; the default
    is the body.
    """
    fields = dict(params)
    headers: list[tuple[str, str]] = [("accept", "application/json")]
    style = entry.get("token_request_auth_method")
    if style == "basic":
        headers.append(("authorization", _basic(client.client_id, client.client_secret)))
    elif entry.get("authorization_method") == "header":
        headers.append(("authorization", _basic(quote_plus(client.client_id), quote_plus(client.client_secret))))
    elif style == "custom":
        fields |= {"username": client.client_id, "password": client.client_secret}
    else:
        fields.setdefault("client_id", client.client_id)
        if client.client_secret:
            fields.setdefault("client_secret", client.client_secret)
    custom = render_params(entry.get("token_headers"), scope)
    headers = [h for h in headers if h[0] not in {k.lower() for k in custom}]
    headers += [(k.lower(), v) for k, v in custom.items()]
    method = str(entry.get("token_request_method") or "POST").upper()
    body: bytes | None = None
    if method == "GET" or entry.get("body_format") == "query":
        url = f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(fields)}"
    elif entry.get("body_format") == "json":
        body = msgspec.json.encode(fields)
        _default_type(headers, "application/json")
    else:
        body = urlencode(fields).encode()
        _default_type(headers, "application/x-www-form-urlencoded")
    hidden = tuple(s for s in (client.client_secret, *secrets) if s)
    return TokenRequest(method, url, headers, body, hidden, client_certificate)


def _default_type(headers: list[tuple[str, str]], kind: str) -> None:
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", kind))


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
