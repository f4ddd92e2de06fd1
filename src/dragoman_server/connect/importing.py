"""Credentials that come with their tokens, as `POST /connections` takes them, by mode."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from dragoman_server.connect.book import moment_of
from dragoman_server.connect.errors import InvalidCredentialsError
from dragoman_server.connect.grants import app_installation, client_credentials
from dragoman_server.connect.grants.fields import read_text
from dragoman_server.connect.grants.token_response import mapping
from dragoman_server.connect.target import Target
from dragoman_server.providers.model import AuthMode, Credential

LONGEST_TOKEN = 16_384
_OAUTH2 = frozenset({AuthMode.OAUTH2, AuthMode.MCP_OAUTH2, AuthMode.MCP_OAUTH2_GENERIC})
_WITH_TOKEN = frozenset({AuthMode.TWO_STEP, AuthMode.JWT})

TypedValues = Callable[[Target, AuthMode, Mapping[str, Any]], dict[str, Any]]


def mode_of(given: Mapping[str, Any]) -> AuthMode:
    """Return the mode an import names; raise InvalidCredentialsError."""
    try:
        return AuthMode(str(given.get("type")))
    except ValueError:
        raise InvalidCredentialsError(
            "`credentials.type` must name an auth mode, e.g. `OAUTH2` or `API_KEY`."
        ) from None


def imported(target: Target, mode: AuthMode, given: Mapping[str, Any], typed: TypedValues) -> Credential:
    """Return the credential an import brings; raise InvalidCredentialsError naming what is wrong.

    One that brings no token, of a mode that can ask for one, is complete only once it has been asked for.
    """
    expires_at = moment_of(given.get("expires_at"))
    if given.get("expires_at") is not None and expires_at is None:
        raise InvalidCredentialsError("Credential field `expires_at` must be an ISO 8601 date.")
    if mode in _OAUTH2:
        return Credential(mode, _oauth2(given), expires_at)
    if mode is AuthMode.OAUTH2_CC:
        values: dict[str, Any] = client_credentials.values(given)
        values["token"] = read_text(given, "token", longest=4096)
        values["raw"] = {"token": values["token"]}
        return Credential(mode, values, expires_at)
    if mode is AuthMode.OAUTH1:
        values = {name: read_text(given, name, longest=2048) for name in ("oauth_token", "oauth_token_secret")}
        return Credential(mode, {**values, "raw": dict(values)})
    if mode in {AuthMode.APP, AuthMode.CUSTOM}:
        return Credential(mode, _installation(target, mode, given))
    if mode in _WITH_TOKEN:
        own = {k: v for k, v in given.items() if k not in {"token", "refresh_token", "expires_at", "raw"}}
        values = typed(target, mode, own)
        for name in ("token", "refresh_token"):
            text = read_text(given, name, longest=LONGEST_TOKEN, required=False)
            if text:
                values[name] = text
        return Credential(mode, values, expires_at if values.get("token") else None)
    return Credential(mode, typed(target, mode, given))


def _oauth2(given: Mapping[str, Any]) -> dict[str, Any]:
    values: dict[str, Any] = {"access_token": read_text(given, "access_token", longest=LONGEST_TOKEN)}
    refresh_token = read_text(given, "refresh_token", longest=LONGEST_TOKEN, required=False)
    if refresh_token:
        values["refresh_token"] = refresh_token
    override = given.get("config_override")
    if isinstance(override, Mapping):
        own = cast("Mapping[str, Any]", override)
        values["config_override"] = {
            k: read_text(own, k, longest=n, required=False)
            for k, n in (("client_id", 255), ("client_secret", 2048))
            if own.get(k)
        }
    values["raw"] = {k: v for k, v in values.items() if k != "config_override"}
    return values


def _installation(target: Target, mode: AuthMode, given: Mapping[str, Any]) -> dict[str, Any]:
    config = target.connection_config
    merged = {k: given.get(k) or config.get(k) for k in ("app_id", "installation_id")}
    values = app_installation.values({k: str(v) for k, v in merged.items() if v})
    user = mapping(given.get("user"))
    if mode is AuthMode.CUSTOM and user:
        names = ("access_token", "refresh_token", "expires_at")
        part = {name: read_text(user, name, longest=LONGEST_TOKEN, required=False) for name in names}
        values["user"] = {k: v for k, v in part.items() if v}
    return values
