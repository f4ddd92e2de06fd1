"""Token requests: client authentication (RFC 6749 section 2.3) and the body formats vendors want."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast
from urllib.parse import quote_plus, urlencode, urlsplit
from xml.sax.saxutils import escape, quoteattr

import msgspec

from dragoman_server.connect.grants import client_assertion
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
    skip: object = entry.get("token_url_skip_encode")
    raw = skip is True or (isinstance(skip, list) and "base_url" in skip)
    return render_url(str(url), scope, as_they_are=raw)  # a value typed by a person never moves it to another host


def build(
    entry: Entry,
    client: Client,
    *,
    url: str,
    params: Mapping[str, str],
    scope: Scope,
    secrets: tuple[str, ...] = (),
    client_certificate: tuple[str, str] | None = None,
    now: datetime | None = None,
) -> TokenRequest:
    """Return the request that carries `params` and the client's authentication the way the entry wants them.

    `authorization_method: header` is RFC 6749 section 2.3.1 (each half form-encoded first), `token_request_auth_method:
    basic` the plain RFC 7617 header most vendors mean, `private_key_jwt` RFC 7523, `custom` sends the client as
    username and password; the default is the body.
    """
    fields = dict(params)
    headers: list[tuple[str, str]] = [("accept", "application/json")]
    style = entry.get("token_request_auth_method")
    if style == "basic":
        headers.append(("authorization", _basic(client.client_id, client.client_secret)))
    elif entry.get("authorization_method") == "header":
        headers.append(("authorization", _basic(quote_plus(client.client_id), quote_plus(client.client_secret))))
    elif style == "private_key_jwt":
        fields |= client_assertion.params(client, audience=url, now=now)
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
    style = "query" if method == "GET" else str(entry.get("body_format") or "form")
    hidden = tuple(s for s in (client.client_secret, client.private_key, *secrets) if s)
    return encode(method, url, headers, fields, style, hidden, client_certificate)


def encode(
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]],
    fields: Any,
    style: str,
    secrets: tuple[str, ...] = (),
    client_certificate: tuple[str, str] | None = None,
) -> TokenRequest:
    """Return a request with `fields` in its query, or in a form, JSON or XML body."""
    sent = list(headers)
    body: bytes | None = None
    if style == "query":
        if fields:
            url = f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(flat(fields))}"
    elif style == "json":
        body = msgspec.json.encode(fields)
        _default_type(sent, "application/json")
    elif style == "xml":
        body = b'<?xml version="1.0" encoding="UTF-8"?>' + to_xml(fields).encode()
        _default_type(sent, "text/xml; charset=utf-8")
    else:
        body = urlencode(flat(fields)).encode()
        _default_type(sent, "application/x-www-form-urlencoded")
    return TokenRequest(method, url, sent, body, secrets, client_certificate)


def flat(fields: Any) -> list[tuple[str, str]]:
    """Return a map as the pairs of a form; lists repeat their key, what is deeper is JSON."""
    return [
        (key, item if isinstance(item, str) else msgspec.json.encode(item).decode())
        for key, value in cast("Mapping[str, Any]", fields).items()
        for item in (cast("list[Any]", value) if isinstance(value, list) else [value])
    ]


def to_xml(value: Any) -> str:
    """Return a map as elements: keys that begin with `@` are attributes, `#` is the text, lists repeat the element."""
    if not isinstance(value, Mapping):
        return escape("" if value is None else str(value))
    text = ""
    for name, inner in cast("Mapping[str, Any]", value).items():
        if name.startswith("@"):
            continue
        if name == "#":
            text += escape(str(inner))
            continue
        for item in cast("list[Any]", inner) if isinstance(inner, list) else [inner]:
            own: Mapping[str, Any] = cast("Mapping[str, Any]", item) if isinstance(item, Mapping) else {}
            attributes = "".join(f" {k[1:]}={quoteattr(str(v))}" for k, v in own.items() if k.startswith("@"))
            text += f"<{name}{attributes}>{to_xml(item)}</{name}>"
    return text


def _default_type(headers: list[tuple[str, str]], kind: str) -> None:
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", kind))


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
