"""Token responses as vendors really send them: JSON or form, strings for numbers, errors with status 200."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast
from urllib.parse import parse_qsl

import msgspec

from dragoman_server.connect.grants.model import Entry, TokenAnswer, TokenRefusal

_OAUTH_ERROR = re.compile(r"^[A-Za-z0-9_.\- ]{1,64}$")
_LONGEST_LIFE = timedelta(days=365 * 100)
_EPOCH_SECONDS = 1_000_000_000
_EPOCH_MILLISECONDS = 1_000_000_000_000


def parse(
    entry: Entry, status: int, body: bytes, now: datetime, *, refreshing: bool = False
) -> TokenAnswer | TokenRefusal:
    """Read a token endpoint's answer; anything that is no token is a `TokenRefusal`, never an exception."""
    raw = decode_body(body)
    if raw is None or not 200 <= status < 300:
        return refusal(status, raw)
    source = raw
    path = entry.get("alternate_access_token_response_path")
    if path and not text_or_none(raw.get("access_token")):
        found: object = dig(raw, str(path))
        source = {**raw, **mapping(found)} if isinstance(found, dict) else {**raw, "access_token": found}
    shape = mapping(entry.get("token_response"))
    token = text_or_none(dig(source, str(shape.get("token") or "access_token")))
    if token is None:
        return refusal(status, raw)
    wanted: list[str] = entry.get("token_response_metadata") or []
    if refreshing:
        wanted = entry.get("refresh_token_response_metadata") or wanted
    return TokenAnswer(
        access_token=token,
        refresh_token=text_or_none(dig(source, str(shape.get("refresh_token") or "refresh_token"))),
        life=_life(entry, source, now),
        scope=text_or_none(source.get("scope")),
        raw=raw,
        metadata=pick(raw, wanted),
    )


def pick(source: Mapping[str, Any], paths: list[str]) -> dict[str, str | bool]:
    """Copy the allowed keys (dotted paths) that hold text, numbers (as text) or booleans into connection config."""
    found: dict[str, str | bool] = {}
    for path in paths:
        value = dig(source, path)
        if isinstance(value, str | bool):
            found[path.rpartition(".")[2] if path not in source else path] = value
        elif isinstance(value, int):
            found[path.rpartition(".")[2] if path not in source else path] = str(value)
    return found


def dig(source: Mapping[str, Any], path: str) -> Any:
    """Follow a dotted path; None where it ends early. A key that contains dots itself wins."""
    if path in source:
        return source[path]
    value: Any = source
    for step in path.split("."):
        if isinstance(value, Mapping):
            value = cast("Mapping[str, Any]", value).get(step)
        elif isinstance(value, list) and step.isdigit():
            items = cast("list[Any]", value)
            value = items[int(step)] if int(step) < len(items) else None
        else:
            return None
    return value


def decode_body(body: bytes) -> dict[str, Any] | None:
    """Read a JSON, XML or form body; None when it is no mapping of any kind."""
    if body.lstrip()[:1] == b"<":
        return decode_xml(body)
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        pass
    else:
        return cast("dict[str, Any]", value) if isinstance(value, dict) else None
    try:
        text = body.decode("utf-8").strip()
        pairs = parse_qsl(text, strict_parsing=True, max_num_fields=200)
    except ValueError:
        return None
    return dict(pairs)


def decode_xml(body: bytes) -> dict[str, Any] | None:
    """Read an XML document as nested maps without namespaces; one with a DTD is refused, HTML is none."""
    from xml.etree import ElementTree as ET

    if b"<!" in body:
        return None
    try:
        root = ET.fromstring(body)  # noqa: S314
    except (ET.ParseError, ValueError):
        return None
    found = _element(root, 0)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {_local(root.tag): found}


def _element(element: Any, depth: int) -> Any:
    children: list[Any] = list(element) if depth < 30 else []
    if not children and not element.attrib:
        return (element.text or "").strip()
    found: dict[str, Any] = {_local(name): value for name, value in element.attrib.items()}
    for child in children:
        found.setdefault(_local(child.tag), _element(child, depth + 1))
    return found


def _local(tag: object) -> str:
    return str(tag).rpartition("}")[2]


def mapping(value: Any) -> Mapping[str, Any]:
    """Return `value` if it is a mapping, else an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def text_or_none(value: object) -> str | None:
    """Return `value` if it is text with something in it."""
    return value if isinstance(value, str) and value else None


def refusal(status: int, raw: Mapping[str, Any] | None) -> TokenRefusal:
    """Read an error answer as far as it can be."""
    error: object = None
    description: object = None
    if raw is not None:
        error = raw.get("error")
        description = raw.get("error_description") or raw.get("message")
        if isinstance(error, Mapping):
            inner = cast("Mapping[str, Any]", error)
            description = description or inner.get("message")
            error = inner.get("code") or inner.get("type")
    code = error if isinstance(error, str) and _OAUTH_ERROR.match(error) else None
    told = description[:300] if isinstance(description, str) else None
    return TokenRefusal(status, code, told)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if number == number and abs(number) < 1e15 else None  # noqa: PLR0124  NaN


def _life(entry: Entry, source: Mapping[str, Any], now: datetime) -> timedelta | None:
    fixed = _number(entry.get("token_expires_in_ms"))
    if fixed is not None:
        return timedelta(milliseconds=fixed) if fixed > 0 else None
    shape = mapping(entry.get("token_response"))
    if shape.get("token_expiration"):
        stated = dig(source, str(shape["token_expiration"]))
        if shape.get("token_expiration_strategy") == "expireAt":
            return life_until(stated, now)
        return life_for(entry, stated)
    life = life_for(entry, source.get("expires_in"))
    if life is not None:
        return life
    return life_until(source.get("expires_at"), now)


def life_for(entry: Entry, value: object) -> timedelta | None:
    """A life given as a number in the entry's unit."""
    number = _number(value)
    if number is None or number <= 0:
        return None
    seconds = number / 1000 if entry.get("expires_in_unit") == "milliseconds" else number
    return min(timedelta(seconds=min(seconds, 4e9)), _LONGEST_LIFE)


def life_until(value: object, now: datetime) -> timedelta | None:
    """An absolute expiry: epoch seconds or milliseconds, or an ISO date."""
    number = _number(value)
    if number is not None:
        seconds = number / 1000 if number >= _EPOCH_MILLISECONDS else number
        if seconds < _EPOCH_SECONDS:
            return None
        return min(timedelta(seconds=max(seconds - now.timestamp(), 0.0)), _LONGEST_LIFE)
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        if moment.tzinfo is not None:
            return min(max(moment - now, timedelta()), _LONGEST_LIFE)
    return None
