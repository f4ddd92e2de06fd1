"""Installed apps (GitHub Apps): a JWT of the app is exchanged for a token of one installation.

APP is the installation alone. CUSTOM is the installation and the person who made it: the person's token may be there
long before an owner approves the installation, so the connection is pending meanwhile.
"""

from collections.abc import Generator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from dragoman_server.connect.errors import InvalidCredentialsError
from dragoman_server.connect.grants import refresh_token
from dragoman_server.connect.grants.fields import read_text
from dragoman_server.connect.grants.keys import signing_key
from dragoman_server.connect.grants.model import (
    Client,
    Flow,
    HttpAnswer,
    Need,
    TokenAnswer,
    TokenRefusal,
    TokenRequest,
)
from dragoman_server.connect.grants.token_request import template_scope, token_endpoint
from dragoman_server.connect.grants.token_response import decode_body, life_until, mapping, parse, refusal, text_or_none
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.providers.urls import render_url

LIFE = timedelta(hours=1)
PENDING_LIFE = timedelta(minutes=5)
"""How often a pending connection looks whether the app is installed by now."""
JWT_SECONDS = 540
DRIFT_SECONDS = 60
USER_MARGIN = timedelta(minutes=70)
"""A person's token that ends before the next renewal is renewed along."""


def values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return app and installation of an import; raise InvalidCredentialsError naming what is wrong."""
    return {
        "app_id": read_text(given, "app_id", longest=255),
        "installation_id": read_text(given, "installation_id", longest=255),
    }


def app_jwt(client: Client, now: datetime) -> str:
    """Return the app's own token: RS256, issued a minute ago (clocks drift), for nine minutes."""
    from joserfc import jwt

    if not client.app_id or not client.private_key:
        raise InvalidCredentialsError("The integration has no app id and private key yet.")
    at = int(now.timestamp())
    claims = {"iss": client.app_id, "iat": at - DRIFT_SECONDS, "exp": at + JWT_SECONDS}
    key = signing_key(client.private_key, "private_key")
    return jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, key, algorithms=["RS256"])


def flow(need: Need) -> Flow:
    """Return a token of the installation."""
    answer = yield _request(need, str(need.values.get("installation_id") or ""))
    return _read(need, answer)


def kept(old: Mapping[str, Any], answer: TokenAnswer) -> dict[str, Any]:
    """Return an APP credential's fields."""
    asked = {k: old[k] for k in ("app_id", "installation_id") if old.get(k)}
    return {**asked, "access_token": answer.access_token, "raw": dict(answer.raw)}


def grant_text(values: Mapping[str, Any]) -> str:
    """Return what the next token is asked with."""
    return f"app\0{values.get('app_id', '')}\0{values.get('installation_id', '')}"


def changed_at(need: Need) -> Generator[TokenRequest, HttpAnswer, datetime | None]:
    """Return when the installation was made or last changed, where the entry says where to ask; else None."""
    url = need.entry.get("installation_url")
    if not url:
        return None
    config = {**need.connection_config, "installation_id": need.values["installation_id"]}
    where = render_url(str(url), template_scope(need.client, config))
    answer = yield TokenRequest("GET", where, _headers(app_jwt(need.client, need.now)), None)
    raw = decode_body(answer.body) or {}
    if answer.status != 200:
        raise InvalidCredentialsError("The provider does not know this installation of the app.")
    times = [life for k in ("created_at", "updated_at") if (life := _moment(raw.get(k))) is not None]
    return max(times, default=None)


def both(need: Need, *, wanted: str = "") -> Flow:
    """Renew a CUSTOM credential: the installation first (safe to repeat), then the person's token if it ends soon.

    `${raw}` holds what the installation said; the earlier expiry of the two counts.
    """
    installation = str(need.values.get("installation_id") or "")
    metadata: dict[str, str | bool] = {}
    if not installation:
        installation = yield from _find(need, wanted)
        metadata = {"installation_id": installation, "pending": False} if installation else {}
    app: Mapping[str, Any] | None = None
    lives: list[timedelta] = []
    raw: Mapping[str, Any] = {}
    if installation:
        answer = yield _request(need, installation)
        found = _read(need, answer)
        if isinstance(found, TokenRefusal):
            return found
        raw = found.raw
        app = _part(found, need.now) | {"installation_id": installation}
        lives.append(found.life or LIFE)
    else:
        lives.append(PENDING_LIFE)
    user = mapping(need.values.get("user"))
    ends = life_until(user.get("expires_at"), need.now)
    if user.get("refresh_token") and ends is not None and ends <= USER_MARGIN:
        renewed = yield from _user(need, user)
        if isinstance(renewed, TokenRefusal):
            return renewed
        user = _part(renewed, need.now) | {"refresh_token": renewed.refresh_token or user["refresh_token"]}
        ends = renewed.life
    if ends is not None and user.get("refresh_token"):
        lives.append(ends)
    fields = {"app": app, "user": dict(user) or None, "installation_id": installation}
    token = text_or_none((app or user).get("access_token")) or ""
    return TokenAnswer(token, None, min(lives), None, raw, metadata, fields)


def kept_both(old: Mapping[str, Any], answer: TokenAnswer) -> dict[str, Any]:
    """Return a CUSTOM credential's fields."""
    asked = {k: old[k] for k in ("app_id", "config_override") if old.get(k)}
    return {**asked, **{k: v for k, v in answer.fields.items() if v}, "raw": dict(answer.raw)}


def grant_text_of_both(values: Mapping[str, Any]) -> str:
    """Return what the next tokens are asked with; a rotated refresh token of the person changes it."""
    user = mapping(values.get("user"))
    return f"{grant_text(values)}\0{user.get('refresh_token') or user.get('access_token') or ''}"


def person(answer: TokenAnswer, now: datetime) -> dict[str, Any]:
    """Return the person's part of a CUSTOM credential from the code's exchange."""
    part = _part(answer, now)
    return part | ({"refresh_token": answer.refresh_token} if answer.refresh_token else {})


def _part(answer: TokenAnswer, now: datetime) -> dict[str, Any]:
    ends = answer.expires_at(now)
    part: dict[str, Any] = {"access_token": answer.access_token}
    return part if ends is None else part | {"expires_at": ends.isoformat()}


def _request(need: Need, installation: str) -> TokenRequest:
    config = {**need.connection_config, "installation_id": installation}
    url = token_endpoint(need.entry, "APP", template_scope(need.client, config))
    token = app_jwt(need.client, need.now)
    return TokenRequest("POST", url, _headers(token), b"", (token,))


def _read(need: Need, answer: HttpAnswer) -> TokenAnswer | TokenRefusal:
    raw = decode_body(answer.body)
    token = text_or_none((raw or {}).get("token"))
    if raw is None or token is None or not 200 <= answer.status < 300:
        found = refusal(answer.status, raw)
        gone = answer.status in {404, 410}  # the app was uninstalled
        return TokenRefusal(answer.status, "invalid_grant" if gone else found.error, found.description)
    return TokenAnswer(token, None, life_until(raw.get("expires_at"), need.now) or LIFE, None, raw)


def _user(need: Need, user: Mapping[str, Any]) -> Flow:
    request = refresh_token.token_request(
        need.entry,
        need.client,
        credential=Credential(AuthMode.OAUTH2, user),
        connection_config=need.connection_config,
        now=need.now,
    )
    answer = yield request
    return parse(need.entry, answer.status, answer.body, need.now, refreshing=True)


def _find(need: Need, wanted: str) -> Generator[TokenRequest, HttpAnswer, str]:
    """Look among the person's installations for this app's (or the one `wanted`); empty while there is none."""
    url = need.entry.get("installations_url")
    token = text_or_none(mapping(need.values.get("user")).get("access_token"))
    if not url or not token:
        return wanted
    where = render_url(str(url), template_scope(need.client, need.connection_config))
    answer = yield TokenRequest("GET", where, _headers(token), None, (token,))
    listed: Any = (decode_body(answer.body) or {}).get("installations")
    for item in cast("list[Any]", listed) if isinstance(listed, list) else []:
        found = mapping(item)
        if str(found.get("app_id")) == need.client.app_id and found.get("id") and wanted in {"", str(found["id"])}:
            return str(found["id"])
    return ""


def _headers(token: str) -> list[tuple[str, str]]:
    return [("accept", "application/json"), ("authorization", f"Bearer {token}"), ("user-agent", "dragoman")]


def _moment(value: object) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(value)) if value else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
