"""Tokens we sign ourselves (RFC 7519): header and payload are templates of the entry, the key is the connection's."""

import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from dragoman_server.connect.errors import InvalidCredentialsError
from dragoman_server.connect.grants.fields import declared
from dragoman_server.connect.grants.keys import ALGORITHMS, signing_key
from dragoman_server.connect.grants.model import Entry, Flow, Need, TokenAnswer
from dragoman_server.connect.grants.token_request import template_scope
from dragoman_server.connect.grants.token_response import mapping
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.providers.templating import Moment, render, render_tree

LIFE_WHEN_UNSTATED = timedelta(minutes=15)
_KINDS = {"RSA": "RSA", "EC": "EC", "HMAC": "oct", "EDDSA": "OKP"}
_DATES = ("iat", "nbf", "exp", "auth_time")


@dataclass(frozen=True, slots=True)
class Signed:
    token: str = field(repr=False)
    life: timedelta


def values(entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the declared fields; raise InvalidCredentialsError naming what is wrong, a broken key included."""
    return declared(entry, given)


def flow(need: Need) -> Flow:
    """Sign a new token; nobody is called."""
    yield from ()
    scope = template_scope(need.client, need.connection_config, Credential(AuthMode.JWT, need.values))
    signed = sign(need.entry, scope, need.now)
    return TokenAnswer(signed.token, None, signed.life, None, {})


def sign(entry: Entry, scope: Mapping[str, Any], now: datetime) -> Signed:
    """Return the entry's token (`signature`: protocol, algorithm, key, encoding; `token`: header, payload, life)."""
    from joserfc import jwt

    how, what = mapping(entry.get("signature")), mapping(entry.get("token"))
    moment = Moment(lambda: now, _random)
    protocol = str(how.get("protocol") or "RSA").upper()
    algorithm = str(how.get("algorithm") or ALGORITHMS[_KINDS[protocol]])
    text = render(str(how.get("key") or "${credentials.privateKey}"), scope, moment=moment)
    key = _hmac_key(text, str(how.get("encoding") or "hex")) if protocol == "HMAC" else signing_key(text, "privateKey")
    header: dict[str, Any] = {
        "alg": algorithm,
        "typ": "JWT",
        **render_tree(what.get("header") or {}, scope, moment=moment),
    }
    claims: dict[str, Any] = dict(render_tree(what.get("payload") or {}, scope, moment=moment))
    stated = what.get("expires_in_ms") or entry.get("token_expires_in_ms")
    life = timedelta(milliseconds=float(stated)) if stated else LIFE_WHEN_UNSTATED
    claims.setdefault("iat", int(now.timestamp()))
    claims.setdefault("exp", int((now + life).timestamp()))
    for name in _DATES:
        if isinstance(claims.get(name), str) and str(claims[name]).isdigit():
            claims[name] = int(claims[name])
    try:
        token = jwt.encode(header, claims, key, algorithms=[algorithm])
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidCredentialsError(f"The private key does not fit {algorithm}.") from error
    until = claims["exp"]
    return Signed(token, timedelta(seconds=float(until) - now.timestamp()) if isinstance(until, int | float) else life)


def _hmac_key(text: str, encoding: str) -> Any:
    from joserfc.jwk import OctKey

    try:
        data = bytes.fromhex(text) if encoding == "hex" else text.encode()
        if encoding == "base64":
            data = binascii.a2b_base64(text, strict_mode=True)
        return OctKey.import_key(data)
    except ValueError as error:
        raise InvalidCredentialsError(f"The secret is not {encoding} text.") from error


def _random() -> str:
    import uuid

    return str(uuid.uuid4())
