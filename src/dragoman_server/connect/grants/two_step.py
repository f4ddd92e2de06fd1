"""Token flows an entry describes call by call: log in, perhaps ask further, take the token from the last answer.

Each call is templated from the typed-in fields, the connection config and the answers before it (`${step1.x}`). A
signed JWT (`${jwt}`) or an assertion (`${assertion}`) is made first where the entry describes one. Inputs of
`assertion_option` (`${assertionOption.x}`) are used once and never stored.
"""

import base64
from collections.abc import Generator, Mapping, Sequence
from datetime import datetime, timedelta
from http.cookies import CookieError, SimpleCookie
from typing import Any, cast
from uuid import uuid4

import msgspec

from dragoman_server.connect.grants import saml, signed_jwt
from dragoman_server.connect.grants.fields import declared
from dragoman_server.connect.grants.model import Entry, Flow, HttpAnswer, Need, TokenAnswer, TokenRefusal, TokenRequest
from dragoman_server.connect.grants.token_request import encode, template_scope
from dragoman_server.connect.grants.token_response import (
    decode_body,
    dig,
    life_for,
    life_until,
    mapping,
    pick,
    refusal,
    text_or_none,
)
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.providers.templating import Moment, render, render_tree
from dragoman_server.providers.urls import render_url

GIVEN = frozenset({"token", "refresh_token", "expires_at", "raw"})
"""Stored beside the declared fields."""
MOST_STEPS = 10

Answers = Generator[TokenRequest, HttpAnswer, Mapping[str, Any] | TokenRefusal]


def values(entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the declared fields; raise InvalidCredentialsError naming what is wrong."""
    return dict(declared(entry, {k: v for k, v in given.items() if k != "assertionOption"}))


def options(entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs that are used once; raise InvalidCredentialsError naming what is wrong."""
    return dict(declared(entry, mapping(given.get("assertionOption")), "assertion_option"))


def obtain(need: Need) -> Flow:
    """Run all calls of the flow; return the token the last one gave."""
    missing = [] if need.once else _needed_once(need.entry)
    if missing:
        told = f"The person must enter `{missing[0]}` again: it is used for every new token and never stored."
        return TokenRefusal(0, "invalid_grant", told)
    scope, moment = _scope(need)
    steps: Sequence[Mapping[str, Any]] = [need.entry, *_steps(need.entry)]
    view: Mapping[str, Any] = {}
    for number, step in enumerate(steps, start=1):
        done = yield from _call(need, step, scope, moment)
        if isinstance(done, TokenRefusal):
            return done
        scope[f"step{number}"] = view = done
    whole = {**{f"step{n}": scope[f"step{n}"] for n in range(1, len(steps) + 1)}, **view}
    return _read(need, whole, view)


def renew(need: Need) -> Flow:
    """Use the refresh token where there is one; where that fails, or there is none, run the flow again."""
    if need.entry.get("refresh_url") and need.values.get("refresh_token"):
        scope, moment = _scope(need)
        step = {
            **need.entry,
            "token_url": need.entry["refresh_url"],
            "token_params": need.entry.get("refresh_token_params") or {"refresh_token": "${credentials.refresh_token}"},
            "token_headers": need.entry.get("refresh_token_headers") or need.entry.get("token_headers"),
        }
        done = yield from _call(need, step, scope, moment)
        if not isinstance(done, TokenRefusal):
            return _read(need, done, done)
        if done.may_have_happened or _needed_once(need.entry):
            return done
    return (yield from obtain(need))


def kept(old: Mapping[str, Any], answer: TokenAnswer) -> dict[str, Any]:
    """Return the credential's fields: what was typed in, and what came."""
    found = {k: v for k, v in old.items() if k not in GIVEN or k == "refresh_token"}
    if answer.refresh_token:
        found["refresh_token"] = answer.refresh_token
    return {**found, "token": answer.access_token, "raw": dict(answer.raw)}


def grant_text(values: Mapping[str, Any]) -> str:
    """Return what the next token is asked with."""
    asked = {k: v for k, v in values.items() if k not in GIVEN or k == "refresh_token"}
    return msgspec.json.encode(asked, order="sorted").decode()


def _needed_once(entry: Entry) -> list[str]:
    specs = cast("Mapping[str, Mapping[str, Any]]", entry.get("assertion_option") or {})
    return [name for name, spec in specs.items() if not spec.get("optional") and spec.get("default_value") is None]


def _steps(entry: Entry) -> list[Mapping[str, Any]]:
    found = cast("list[Mapping[str, Any]]", entry.get("additional_steps") or [])
    return found[:MOST_STEPS]


def _scope(need: Need) -> tuple[dict[str, Any], Moment]:
    moment = Moment(lambda: need.now, lambda: str(uuid4()))
    scope = template_scope(need.client, need.connection_config, Credential(AuthMode.TWO_STEP, need.values))
    scope["assertionOption"] = dict(need.once)
    if need.entry.get("signature") and need.entry.get("token"):
        scope["jwt"] = signed_jwt.sign(need.entry, scope, need.now).token
    assertion = need.entry.get("assertion")
    if isinstance(assertion, Mapping):
        scope["assertion"] = saml.assertion(cast("Mapping[str, Any]", assertion), scope, need.now)
    elif assertion:
        scope["assertion"] = render(str(assertion), scope, moment=moment)
    return scope, moment


def _call(need: Need, step: Mapping[str, Any], scope: Mapping[str, Any], moment: Moment) -> Answers:
    url = render_url(str(step.get("token_url")), scope, moment=moment)
    method = str(step.get("token_request_method") or "POST").upper()
    params = cast("dict[str, Any]", render_tree(step.get("token_params") or {}, scope, moment=moment))
    wanted = cast("Mapping[str, str | None]", render_tree(step.get("token_headers") or {}, scope, moment=moment))
    headers = {"accept": "application/json", **{k.lower(): v for k, v in wanted.items() if v is not None}}
    style = "query" if method == "GET" else str(step.get("body_format") or "json")
    secrets = tuple(str(v) for v in (*need.values.values(), *need.once.values()) if isinstance(v, str))
    answer = yield encode(method, url, list(headers.items()), params, style, secrets)
    decoded = decode_body(answer.body)
    if not 200 <= answer.status < 300:
        return refusal(answer.status, decoded)
    return {**(decoded if decoded is not None else _plain(answer)), **_captured(step, answer)}


def _plain(answer: HttpAnswer) -> dict[str, Any]:
    """A body that is nothing but the token, as JSON text or bare: found at the path `body`."""
    try:
        value = msgspec.json.decode(answer.body)
    except msgspec.DecodeError:
        value = answer.body[:16_384].decode("utf-8", "replace").strip()
    return {"body": value} if isinstance(value, str) else {}


def _captured(step: Mapping[str, Any], answer: HttpAnswer) -> dict[str, Any]:
    """Headers and cookies the entry wants kept: `token_response_headers: [x-token, _cookies]`."""
    wanted: Any = step.get("token_response_headers")
    if not wanted:
        return {}
    names = [str(n).lower() for n in list(wanted)]
    found: dict[str, Any] = {"_headers": {k.lower(): v for k, v in answer.headers if k.lower() in names}}
    if "_cookies" in names:
        jar = _cookies(answer)
        found["_cookies"] = jar
        found["_cookie_header"] = "; ".join(f"{k}={v}" for k, v in jar.items())
    return found


def _cookies(answer: HttpAnswer) -> dict[str, str]:
    jar: dict[str, str] = {}
    for name, value in answer.headers:
        if name.lower() != "set-cookie":
            continue
        try:
            parsed = SimpleCookie(value)
        except CookieError:
            continue
        jar.update({key: morsel.value for key, morsel in parsed.items()})
    return jar


def _read(need: Need, whole: Mapping[str, Any], last: Mapping[str, Any]) -> TokenAnswer | TokenRefusal:
    shape = mapping(need.entry.get("token_response"))
    token = text_or_none(dig(whole, str(shape.get("token") or "access_token")))
    if token is None:
        found = refusal(200, last)
        return TokenRefusal(200, found.error, found.description)
    refresh_path = shape.get("refresh_token")
    return TokenAnswer(
        access_token=token,
        refresh_token=text_or_none(dig(whole, str(refresh_path))) if refresh_path else None,
        life=_life(need, shape, whole, token),
        scope=text_or_none(last.get("scope")),
        raw={k: v for k, v in last.items() if not k.startswith("_")},
        metadata=pick(whole, list(need.entry.get("token_response_metadata") or [])),
    )


def _life(need: Need, shape: Mapping[str, Any], whole: Mapping[str, Any], token: str) -> timedelta | None:
    """What the answer states, else the entry's fixed life, else the token's own `exp`; None: it does not end."""
    path = shape.get("token_expiration")
    if path:
        stated = dig(whole, str(path))
        until = shape.get("token_expiration_strategy") == "expireAt"
        life = life_until(stated, need.now) if until else life_for(need.entry, stated)
        if life is not None:
            return life
    fixed = need.entry.get("token_expires_in_ms")
    if fixed:
        return timedelta(milliseconds=float(fixed))
    return _life_of_jwt(token, need.now)


def _life_of_jwt(token: str, now: datetime) -> timedelta | None:
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = msgspec.json.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, msgspec.DecodeError):
        return None
    return life_until(mapping(claims).get("exp"), now)
