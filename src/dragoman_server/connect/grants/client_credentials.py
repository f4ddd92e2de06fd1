"""The client credentials grant (RFC 6749 section 4.4): the connection brings its own client."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from dragoman_server.connect.grants.authorization_code import scopes_of, split_scopes
from dragoman_server.connect.grants.fields import read_text
from dragoman_server.connect.grants.model import Client, Entry, TokenAnswer, TokenRequest
from dragoman_server.connect.grants.token_request import build, render_params, template_scope, token_endpoint
from dragoman_server.providers.model import Credential

LIFE_WHEN_UNSTATED = timedelta(minutes=55)


def token_request(
    entry: Entry,
    client: Client,
    *,
    credential: Credential,
    connection_config: Mapping[str, Any],
    now: datetime | None = None,
) -> TokenRequest:
    """Return the request for a token with the connection's own client id and secret; `client` lends the rest."""
    own = credential.values
    asked = connection_config.get("oauth_scopes")
    wanted = split_scopes(asked) if isinstance(asked, str) else client.scopes
    acting = replace(
        client,
        client_id=str(own.get("client_id") or ""),
        client_secret=str(own.get("client_secret") or ""),
        private_key=str(own.get("client_private_key") or ""),
        scopes=wanted,
    )
    scope = template_scope(acting, connection_config, credential)
    params = {"grant_type": "client_credentials"} | render_params(entry.get("token_params"), scope)
    chosen = scopes_of(acting, connection_config)
    if chosen:
        params.setdefault("scope", str(entry.get("scope_separator") or " ").join(chosen))
    certificate, key = own.get("client_certificate"), own.get("client_private_key")
    return build(
        entry,
        acting,
        url=token_endpoint(entry, "OAUTH2_CC", scope),
        params=params,
        scope=scope,
        secrets=tuple(str(s) for s in (key,) if s),
        client_certificate=(str(certificate), str(key)) if certificate and key else None,
        now=now,
    )


def values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the typed-in client; raise InvalidCredentialsError naming what is wrong."""
    found = {
        "client_id": read_text(given, "client_id", longest=255),
        "client_secret": read_text(given, "client_secret", longest=2048, required=False),
        "client_certificate": read_text(given, "client_certificate", longest=10_000, required=False, lines=True),
        "client_private_key": read_text(given, "client_private_key", longest=10_000, required=False, lines=True),
    }
    return {k: v for k, v in found.items() if v}


def renewed_values(old: Mapping[str, Any], answer: TokenAnswer) -> dict[str, Any]:
    """Return the credential's new fields: the client stays, the token is new."""
    kept = ("client_id", "client_secret", "client_certificate", "client_private_key")
    own = {k: old[k] for k in kept if old.get(k)}
    return {**own, "token": answer.access_token, "raw": dict(answer.raw), **answer.fields}
