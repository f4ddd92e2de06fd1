"""The refresh token grant (RFC 6749 section 6)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from dragoman_server.connect.grants.model import Client, Entry, TokenAnswer, TokenRequest
from dragoman_server.connect.grants.token_request import build, render_params, template_scope, token_endpoint
from dragoman_server.providers.model import Credential


def token_request(
    entry: Entry,
    client: Client,
    *,
    credential: Credential,
    connection_config: Mapping[str, Any],
    now: datetime | None = None,
) -> TokenRequest:
    """Return the request for a new access token, with `refresh_params`, else `token_params` but for the grant type."""
    scope = template_scope(client, connection_config, credential)
    refresh_token = str(credential.values["refresh_token"])
    params = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    if entry.get("refresh_params"):
        params |= render_params(entry["refresh_params"], scope)
    else:
        extra = render_params(entry.get("token_params"), scope)
        extra.pop("grant_type", None)
        params |= extra
    key = "refresh_url" if entry.get("refresh_url") else "token_url"
    return build(
        entry,
        client,
        url=token_endpoint(entry, "OAUTH2", scope, key=key),
        params=params,
        scope=scope,
        secrets=(refresh_token,),
        now=now,
    )


def renewed_values(old: Mapping[str, Any], answer: TokenAnswer) -> dict[str, Any]:
    """Return the credential's new fields; an answer without a refresh token keeps the old one (section 6)."""
    values = {k: v for k, v in old.items() if k in {"refresh_token", "config_override", "server"}}
    values |= {"access_token": answer.access_token, "raw": dict(answer.raw), **answer.fields}
    if answer.refresh_token is not None:
        values["refresh_token"] = answer.refresh_token
    return values
