"""What a browser says when it connects an account: the contract's query, and bodies that keep secrets out of addresses.

Addresses stand in logs and histories, so whatever the query may say may stand in a JSON body instead: under
`connection_config` beside the credentials (no entry may name a credential that), and under the query's own names where
the way leads to the provider.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import Request
from pydantic import Field

from dragoman_server.connect.consents.model import Asking
from dragoman_server.connect.grants.authorization_code import split_scopes
from dragoman_server.web.strict import StrictModel, refuse

CONFIG = "connection_config"
BROUGHT = "oauth_refresh_token_override"
_OVERRIDES = {"oauth_client_id_override": "client_id", "oauth_client_secret_override": "client_secret"}
_BRACKETED = re.compile(r"^(params|authorization_params|credentials)\[([^\[\]]{1,255})\]$")
_PLAIN_KEYS = frozenset(
    {"connect_session_token", "user_scope", "hmac", "ws_client_id", "connection_id", "installation", "public_key"}
)
Name = Annotated[str, Field(min_length=1, max_length=255)]
Text = Annotated[str, Field(max_length=8192)]
Config = Annotated[dict[Name, Text] | None, Field(description="The connection's configuration, as `params[…]`.")]


class Configured(StrictModel):
    """A body that may hold the connection's configuration."""

    connection_config: Config = None


class OwnClient(StrictModel):
    """A developer app, or a refresh token, that the connection brings itself."""

    oauth_client_id_override: str | None = Field(None, max_length=255)
    oauth_client_secret_override: str | None = Field(None, max_length=2048)
    oauth_refresh_token_override: str | None = Field(None, max_length=8192)


class Leave(Configured):
    """What the way to the provider takes."""

    authorization_params: dict[Name, Text] | None = None
    credentials: OwnClient | None = None
    user_scope: Text | None = None
    ws_client_id: Annotated[str | None, Field(max_length=255)] = None


@dataclass(frozen=True, slots=True)
class Given:
    """Query and body together."""

    params: Mapping[str, Any]
    authorization_params: Mapping[str, str]
    credentials: Mapping[str, str]
    user_scope: str
    ws_client_id: str | None
    opener: str | None

    @property
    def refresh_token(self) -> str | None:
        """The refresh token that is brought along: nobody need be asked."""
        return self.credentials.get(BROUGHT) or None

    def asking(self) -> Asking:
        return Asking(
            authorization_params=self.authorization_params,
            user_scopes=split_scopes(self.user_scope),
            client_override={_OVERRIDES[k]: v for k, v in self.credentials.items() if k in _OVERRIDES and v},
            ws_client_id=self.ws_client_id,
            opener=self.opener,
        )


def read(request: Request, body: Configured | None = None) -> Given:
    """Return what was given; refuse what a session may not choose, and what is said twice."""
    query = _read_query(request)
    plain = request.query_params
    leave = body if isinstance(body, Leave) else Leave()
    own = leave.credentials.model_dump(exclude_none=True) if leave.credentials else {}
    return Given(
        params=_joined(query["params"], body and body.connection_config, CONFIG),
        authorization_params=_joined(query["authorization_params"], leave.authorization_params, "authorization_params"),
        credentials=_joined(query["credentials"], own, "credentials"),
        user_scope=leave.user_scope or plain.get("user_scope", ""),
        ws_client_id=leave.ws_client_id or plain.get("ws_client_id"),
        opener=request.headers.get("referer"),
    )


def split(request: Request, values: Mapping[str, Any]) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return the credential's fields of a body, and the connection's configuration of body and query."""
    config = values.get(CONFIG)
    if config is not None and not isinstance(config, Mapping):
        raise refuse("body", "invalid_type", "must be an object", CONFIG)
    credential = {name: value for name, value in values.items() if name != CONFIG}
    return credential, _joined(_read_query(request)["params"], cast("Mapping[str, Any] | None", config), CONFIG)


def _joined(query: Mapping[str, str], body: Mapping[str, Any] | None, where: str) -> dict[str, Any]:
    for name in body or {}:
        if name in query:
            raise refuse("body", "custom", "stands in the query, too", where, name)
    return {**query, **(body or {})}


def _read_query(request: Request) -> dict[str, dict[str, str]]:
    """Read `params[k]`, `authorization_params[k]` and `credentials[k]`; refuse what a session may not choose."""
    found: dict[str, dict[str, str]] = {"params": {}, "authorization_params": {}, "credentials": {}}
    for name, value in request.query_params.multi_items():
        match = _BRACKETED.match(name)
        if match is not None:
            found[match[1]][match[2]] = value
        elif name == "connection_id":
            raise refuse("query", "custom", "a connect session chooses the connection id itself", "connection_id")
        elif name not in _PLAIN_KEYS:
            raise refuse("query", "unrecognized_keys", f"Unrecognized key: {name[:100]!r}")
    return found
