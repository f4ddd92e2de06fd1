"""Ending a grant at the provider (RFC 7009), or by the provider's own call where the entry describes one."""

from dataclasses import replace
from datetime import datetime

from dragoman_server.connect.grants.discovery import entry_of_stored
from dragoman_server.connect.grants.model import Client, Entry, TokenRequest
from dragoman_server.connect.grants.token_request import build, encode, render_params, template_scope
from dragoman_server.connect.grants.token_response import mapping, text_or_none
from dragoman_server.providers.model import Credential
from dragoman_server.providers.urls import render_url


def request(
    entry: Entry, client: Client, credential: Credential, config: dict[str, object], now: datetime
) -> TokenRequest | None:
    """Return the call that ends the grant; None where the entry knows none or there is no token."""
    entry = entry_of_stored(entry, credential.values)
    spec = mapping(entry.get("revocation"))
    refresh = text_or_none(credential.values.get("refresh_token"))
    token = refresh or credential.token()
    if not spec or token is None:
        return None
    own = credential.values
    if own.get("client_id"):
        client = replace(client, client_id=str(own["client_id"]), client_secret=str(own.get("client_secret") or ""))
    scope = template_scope(client, config, credential)
    usual = {"token": token, "token_type_hint": "refresh_token" if refresh else "access_token"}
    params = render_params(spec["params"], scope) if "params" in spec else usual
    url = render_url(str(spec["url"]), scope)
    method = str(spec.get("method") or "POST")
    style = "query" if method == "GET" else str(spec.get("body_format") or "form")
    extra = render_params(mapping(spec.get("headers")), scope)
    auth = spec.get("auth")
    if auth in {"bearer", "none"}:
        headers = {"accept": "application/json", **{k.lower(): v for k, v in extra.items()}}
        if auth == "bearer":
            headers["authorization"] = f"Bearer {credential.token() or ''}"
        return encode(method, url, list(headers.items()), params, style, tuple(credential.secrets()))
    styles = ("token_request_auth_method", "authorization_method")
    how: dict[str, object] = {k: entry[k] for k in styles if entry.get(k)} if auth is None else {}
    if auth == "basic":
        how |= {"token_request_auth_method": "basic"}
    how |= {"body_format": style, "token_request_method": method, "token_headers": extra}
    return build(how, client, url=url, params=params, scope=scope, secrets=tuple(credential.secrets()), now=now)
