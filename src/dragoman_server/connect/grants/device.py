"""The device authorization grant (RFC 8628): a code the person types in on another device, and asking till they did."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from dragoman_server.connect.errors import TokenRequestError
from dragoman_server.connect.grants import dpop
from dragoman_server.connect.grants.authorization_code import scopes_of
from dragoman_server.connect.grants.discovery import Steps
from dragoman_server.connect.grants.model import Client, Entry, TokenAnswer, TokenRefusal, TokenRequest
from dragoman_server.connect.grants.token_request import build, render_params, template_scope, token_endpoint
from dragoman_server.connect.grants.token_response import decode_body, parse, refusal, text_or_none
from dragoman_server.providers.urls import render_url

GRANT_TYPE = "urn:ietf:params:oauth:grant-type:device_code"
CODE = "device_authorization_err"
LONGEST_LIFE_SECONDS = 1800
USUAL_INTERVAL = 5
LONGEST_INTERVAL = 60
SLOWER = 5
"""Seconds a `slow_down` adds (section 3.5)."""
_AUTHENTICATION = ("token_request_auth_method", "authorization_method")


@dataclass(frozen=True, slots=True)
class DeviceCode:
    """What the server gave (section 3.2). The device code is ours alone, the rest is for the person."""

    device_code: str = field(repr=False)
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    life: timedelta
    interval: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """The person has not decided yet. `slower`: the server was asked too often."""

    slower: bool


def offered(entry: Entry) -> bool:
    return bool(entry.get("device_authorization_url"))


def begin(entry: Entry, client: Client, config: Mapping[str, Any], *, now: datetime) -> Steps[DeviceCode]:
    """Ask for a code; raise TokenRequestError naming what the server refused."""
    scope = template_scope(client, config)
    scopes = scopes_of(client, config)
    params = {"client_id": client.client_id, **render_params(entry.get("device_authorization_params"), scope)}
    if scopes:
        params["scope"] = str(entry.get("scope_separator") or " ").join(scopes)
    how = {key: entry[key] for key in _AUTHENTICATION if entry.get(key)}
    url = render_url(str(entry["device_authorization_url"]), scope)
    answer = yield build(how, client, url=url, params=params, scope=scope, now=now)
    raw = decode_body(answer.body) or {}
    if not 200 <= answer.status < 300 or raw.get("error"):
        found = refusal(answer.status, raw)
        told = f"HTTP {answer.status}" + (f", error `{found.error}`" if found.error else "")
        raise TokenRequestError(
            f"The provider gave no code for this device ({told}).", oauth_error=found.error, public_code=CODE
        )
    code, shown = text_or_none(raw.get("device_code")), text_or_none(raw.get("user_code"))
    place = _address(raw.get("verification_uri") or raw.get("verification_url"))
    if code is None or shown is None or place is None or len(shown) > 100 or not shown.isprintable():
        raise TokenRequestError("The provider's answer holds no usable code for this device.", public_code=CODE)
    return DeviceCode(
        device_code=code,
        user_code=shown,
        verification_uri=place,
        verification_uri_complete=_address(raw.get("verification_uri_complete")),
        life=timedelta(seconds=min(max(_whole(raw.get("expires_in"), 900), 1), LONGEST_LIFE_SECONDS)),
        interval=min(max(_whole(raw.get("interval"), USUAL_INTERVAL), 1), LONGEST_INTERVAL),
    )


def ask(
    entry: Entry, client: Client, config: Mapping[str, Any], device_code: str, *, dpop_key: str | None, now: datetime
) -> Steps[TokenAnswer | TokenRefusal | Waiting]:
    """Ask once whether the person has decided (section 3.4)."""
    scope = template_scope(client, config)
    params = {"grant_type": GRANT_TYPE, "device_code": device_code, "client_id": client.client_id}
    extra = render_params(entry.get("token_params"), scope)
    extra.pop("grant_type", None)

    def request() -> TokenRequest:
        url = token_endpoint(entry, "OAUTH2", scope)
        made = build(entry, client, url=url, params={**params, **extra}, scope=scope, secrets=(device_code,), now=now)
        return dpop.proven(made, dpop_key)

    answer = yield from dpop.ask(request)
    found = parse(entry, answer.status, answer.body, now)
    if isinstance(found, TokenRefusal) and found.error in {"authorization_pending", "slow_down"}:
        return Waiting(found.error == "slow_down")
    return dpop.bind(dpop_key, found)


def _address(value: object) -> str | None:
    """Return an address a person may be sent to: the text is foreign."""
    text = text_or_none(value)
    if text is None or len(text) > 2000 or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return text if parts.scheme in {"https", "http"} and parts.hostname else None


def _whole(value: object, usual: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return usual
    try:
        return int(float(value))
    except (ValueError, OverflowError):
        return usual
