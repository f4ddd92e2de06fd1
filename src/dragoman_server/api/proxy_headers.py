"""The proxy route's control headers, parsed strictly: each wrong one is named. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from dragoman_server.kit.errors import InvalidInputError, Issue

MAX_RETRIES = 100
_PREFIX = b"nango-proxy-"
_CONNECTION_ID = re.compile(r"[A-Za-z0-9,.;:=+~\[\]|@${}\"'\\/_ -]{1,255}")
_INTEGRATION = re.compile(r"[a-zA-Z0-9~:.@ _-]{1,255}")
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9a-z]+")
_STATUSES = re.compile(r"\d{3}(,\d{3})*")
_PASSED_ON = frozenset({b"content-type", b"content-encoding", b"accept-encoding"})
"""The caller's own headers that describe the body it sends, or the one it can read."""


@dataclass(frozen=True, slots=True)
class ControlHeaders:
    """What the headers of a proxied request say. `length` is None without a Content-Length."""

    connection_id: str
    integration_key: str
    retries: int
    retry_on: frozenset[int]
    base_url_override: str | None
    decompress: bool | None
    forward_headers_on_redirect: bool | None
    headers: list[tuple[str, str]]
    length: int | None
    has_body: bool


class _InvalidValueError(ValueError):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _name(pattern: re.Pattern[str]) -> Callable[[str], str]:
    def parse(value: str) -> str:
        if not value:
            raise _InvalidValueError("too_small", "Must not be empty")
        if len(value) > 255:
            raise _InvalidValueError("too_big", "Must be at most 255 characters long")
        if not pattern.fullmatch(value):
            raise _InvalidValueError("invalid_format", "Contains characters that are not allowed")
        return value

    return parse


def _retries(value: str) -> int:
    if not (value.isascii() and value.isdigit()):
        raise _InvalidValueError("invalid_type", "Must be a whole number")
    if len(value) > 9 or int(value) > MAX_RETRIES:
        raise _InvalidValueError("too_big", f"Must be at most {MAX_RETRIES}")
    return int(value)


def _retry_on(value: str) -> frozenset[int]:
    if not value:
        return frozenset()
    compact = value.replace(" ", "")
    if not _STATUSES.fullmatch(compact):
        raise _InvalidValueError("invalid_format", "Must be HTTP statuses separated by commas, like 404,409")
    return frozenset(int(status) for status in compact.split(","))


def _boolean(value: str) -> bool | None:
    if not value:
        return None
    if value.lower() not in {"true", "false"}:
        raise _InvalidValueError("invalid_type", "Must be true or false")
    return value.lower() == "true"


def _url(value: str) -> str | None:
    if not value:
        return None
    try:
        parts = urlsplit(value)
        valid = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise _InvalidValueError("invalid_format", "Must be an http or https URL")
    return value


def _log_id(value: str) -> str:
    if len(value) > 255:
        raise _InvalidValueError("too_big", "Must be at most 255 characters long")
    return value


PARSERS: dict[bytes, Callable[[str], Any]] = {
    b"connection-id": _name(_CONNECTION_ID),
    b"provider-config-key": _name(_INTEGRATION),
    b"retries": _retries,
    b"retry-on": _retry_on,
    b"base-url-override": _url,
    b"decompress": _boolean,
    b"forward-headers-on-redirect": _boolean,
    b"nango-activity-log-id": _log_id,
    b"nango-is-sync": _boolean,
    b"nango-is-dry-run": _boolean,
}
REQUIRED = (b"connection-id", b"provider-config-key")


def parse_control_headers(raw: Sequence[tuple[bytes, bytes]]) -> ControlHeaders:
    """Return what the (lower-case) headers of the request say; raises InvalidInputError `invalid_headers`."""
    found: dict[bytes, Any] = {}
    issues: list[Issue] = []
    passed: list[tuple[str, str]] = []
    length: int | None = None
    chunked = False
    for name, value in raw:
        if name in PARSERS:
            text = value.decode("latin-1").strip()
            try:
                parsed = PARSERS[name](text)
            except _InvalidValueError as error:
                issues.append(Issue(error.code, str(error), (name.decode(),)))
                found.setdefault(name, None)
                continue
            if name in found and found[name] != parsed:
                issues.append(Issue("custom", "Must be sent once", (name.decode(),)))
            found[name] = parsed
        elif name.startswith(_PREFIX):
            inner = name[len(_PREFIX) :]
            if not _TOKEN.fullmatch(inner):
                issues.append(Issue("invalid_format", "No header has such a name", (name.decode("latin-1"),)))
            else:
                passed.append((inner.decode(), _text(value)))
        elif name in _PASSED_ON:
            passed.append((name.decode(), _text(value)))
        elif name == b"content-length":
            length = int(value) if value.isdigit() else None
        elif name == b"transfer-encoding":
            chunked = True
    issues += [Issue("invalid_type", "Required", (name.decode(),)) for name in REQUIRED if name not in found]
    if issues:
        first = issues[0]
        raise InvalidInputError(f"{first.path[0]}: {first.message}", public_code="invalid_headers", issues=issues)
    return ControlHeaders(
        connection_id=found[b"connection-id"],
        integration_key=found[b"provider-config-key"],
        retries=found.get(b"retries", 0),
        retry_on=found.get(b"retry-on", frozenset()),
        base_url_override=found.get(b"base-url-override"),
        decompress=found.get(b"decompress"),
        forward_headers_on_redirect=found.get(b"forward-headers-on-redirect"),
        headers=_without_overridden(passed),
        length=None if chunked else length,
        has_body=chunked or bool(length),
    )


def _without_overridden(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers with `Nango-Proxy-Content-Type` and its like winning over the request's own."""
    if len({name for name, _ in headers}) == len(headers):
        return headers
    last = {name: index for index, (name, _) in enumerate(headers)}
    single = {name.decode() for name in _PASSED_ON}
    return [pair for index, pair in enumerate(headers) if pair[0] not in single or last[pair[0]] == index]


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
