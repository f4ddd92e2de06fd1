"""The authorization code grant (RFC 6749 section 4.1) with PKCE (RFC 7636) and issuer identification (RFC 9207)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from dragoman_server.connect.grants import dpop, pkce
from dragoman_server.connect.grants.model import Client, Entry, TokenRequest
from dragoman_server.connect.grants.token_request import build, render_params, template_scope, token_endpoint
from dragoman_server.providers.templating import render
from dragoman_server.providers.urls import render_url

_REMOVED = "undefined"
"""A request-time parameter with this value takes the entry's default away."""
_OURS = frozenset(
    {"state", "redirect_uri", "client_id", "response_type", "code_challenge", "code_challenge_method", "dpop_jkt",
     "request", "request_uri"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """What one authorization request asks for, besides what the entry says."""

    redirect_uri: str
    state: str = field(repr=False)
    verifier: str | None = field(repr=False)
    connection_config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    authorization_params: Mapping[str, str] = field(default_factory=dict[str, str])
    user_scopes: Sequence[str] = ()
    dpop_key: str | None = field(repr=False, default=None)


def uses_pkce(entry: Entry) -> bool:
    """PKCE is on unless the entry says that the vendor chokes on it."""
    return not entry.get("disable_pkce")


def scopes_of(client: Client, connection_config: Mapping[str, Any]) -> list[str]:
    """Return the scopes to ask for: the session's override, else the integration's."""
    override = connection_config.get("oauth_scopes_override")
    if isinstance(override, str):
        return split_scopes(override)
    if isinstance(override, Sequence):
        return [str(s) for s in override]  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return list(client.scopes)


def split_scopes(text: str) -> list[str]:
    """Split a comma separated list as people type it."""
    return [s.strip() for s in text.split(",") if s.strip()]


def authorization_params(entry: Entry, client: Client, asked: Asked) -> dict[str, str]:
    """Return what the provider is asked (section 4.1.1), as the entry, the integration, the session and we want it."""
    scope = template_scope(client, asked.connection_config)
    params: dict[str, str] = {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": asked.redirect_uri,
    }
    params |= render_params(entry.get("authorization_params"), scope)
    scopes = scopes_of(client, asked.connection_config)
    if scopes:
        params["scope"] = str(entry.get("scope_separator") or " ").join(scopes)
    if asked.user_scopes:
        params["user_scope"] = str(entry.get("scope_separator") or " ").join(asked.user_scopes)
    if asked.verifier is not None:
        params |= {"code_challenge": pkce.challenge(asked.verifier), "code_challenge_method": "S256"}
    for key, value in asked.authorization_params.items():
        if key in _OURS:
            continue  # never the browser's to choose
        if value == _REMOVED:
            params.pop(key, None)
        else:
            params[key] = value
    params |= dpop.params(asked.dpop_key)
    params["state"] = asked.state
    if entry.get("authorization_url_skip_empty"):
        params = {k: v for k, v in params.items() if v != ""}
    return params


def authorization_url(entry: Entry, client: Client, asked: Asked) -> str:
    """Return where to send the browser; raise UnresolvedTemplateError when the connection config lacks a field."""
    scope = template_scope(client, asked.connection_config)
    return url_with(entry, scope, authorization_params(entry, client, asked))


def url_with(entry: Entry, scope: Mapping[str, Any], params: Mapping[str, str]) -> str:
    """Return the entry's authorization endpoint with `params`, written as the entry wants it."""
    skip: Sequence[str] = entry.get("authorization_url_skip_encode") or ()
    base = render_url(str(entry.get("authorization_url")), scope, as_they_are="base_url" in skip)
    raw_keys = {"scope", "user_scope"} if "scopes" in skip else set[str]()
    query = "&".join(f"{quote(k, safe='')}={v if k in raw_keys else quote(v, safe='')}" for k, v in params.items())
    if entry.get("decode_url"):
        query = unquote(query)
    fragment = entry.get("authorization_url_fragment")
    joint = "&" if urlsplit(base).query else "?"
    if fragment:
        joint = f"#{fragment}?" if isinstance(fragment, str) else "#"
    url = f"{base}{joint}{query}"
    replacements: Mapping[str, str] = entry.get("authorization_url_replacements") or {}
    for old, new in replacements.items():
        url = url.replace(old, new)
    return url


def token_request(
    entry: Entry,
    client: Client,
    *,
    code: str,
    verifier: str | None,
    redirect_uri: str,
    connection_config: Mapping[str, Any],
    now: datetime | None = None,
) -> TokenRequest:
    """Return the exchange of `code` (section 4.1.3). Without a `redirect_uri` none was named when it was asked for."""
    scope = template_scope(client, connection_config)
    params = {"grant_type": "authorization_code", "code": code}
    if redirect_uri:
        params["redirect_uri"] = redirect_uri
    if verifier is not None:
        params["code_verifier"] = verifier
    params |= render_params(entry.get("token_params"), scope)
    return build(
        entry,
        client,
        url=token_endpoint(entry, "OAUTH2", scope),
        params=params,
        scope=scope,
        secrets=(code, *((verifier,) if verifier else ())),
        now=now,
    )


def issuer_is_wrong(entry: Entry, connection_config: Mapping[str, Any], stated: str | None) -> bool:
    """True when the callback's `iss` contradicts the entry's issuer, or is missing though the entry promises it."""
    issuer = entry.get("issuer")
    if not issuer:
        return False
    if stated is None:
        return bool(entry.get("authorization_response_iss_parameter_supported"))
    return stated != render(str(issuer), template_scope(None, connection_config))
