"""GET /records as raw ASGI: the page comes from `records` as ready JSON and leaves untouched.

Its OpenAPI operation is hand-written in `records_openapi.py`. Errors are raised; the front renders them.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from urllib.parse import parse_qsl

from dragoman_server.kit.clock import Clock, SystemClock
from dragoman_server.kit.errors import InvalidInputError, Issue, NotFoundError
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.records import Action, Records
from dragoman_server.web.asgi import Receive, Scope, Send

SCOPE = "environment:records:read"
DEFAULT_LIMIT = 100
MAX_LIMIT = 10_000
MAX_IDS = 100
MAX_ID = 256
MAX_CURSOR = 1000
MAX_NAME = 255
OLDEST = timedelta(days=366)
_MODEL = re.compile(r"[A-Z][a-zA-Z0-9_-]+")
_VARIANT = re.compile(r"[a-zA-Z0-9_-]+")
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
_ACTIONS: Mapping[str, Action] = {action.name.lower(): action for action in Action}
_SINGLE = ("model", "variant", "cursor", "limit", "filter", "modified_after", "delta")
_PAD = re.compile(r" (?=[0-9]{2}:?[0-9]{2}$)")


class UnknownConnectionError(InvalidInputError):
    """The connection does not exist; on this route that is 400, not 404."""

    code = "unknown_connection"

    def __init__(self) -> None:
        super().__init__("No connection has this Connection-Id and Provider-Config-Key in this environment.")


class PrincipalLike(Protocol):
    """What we need of a caller."""

    @property
    def environment_id(self) -> EnvironmentId: ...


class ConnectionLike(Protocol):
    """What we need of a connection."""

    @property
    def id(self) -> ConnectionRowId: ...


Authenticate = Callable[[Scope, str], Awaitable[PrincipalLike]]
FindConnection = Callable[[EnvironmentId, str, str], Awaitable[ConnectionLike | None]]


@dataclass(frozen=True, slots=True)
class RecordsQuery:
    """The parsed query."""

    model: str
    variant: str = "base"
    cursor: str | None = None
    limit: int = DEFAULT_LIMIT
    actions: frozenset[Action] | None = None
    modified_after: datetime | None = None
    ids: tuple[str, ...] | None = None


class RecordsDoor:
    """The raw ASGI app. `authenticate(scope, wanted)` raises what it refuses; `find_connection` may answer None."""

    def __init__(
        self,
        *,
        records: Records,
        authenticate: Authenticate,
        find_connection: FindConnection,
        clock: Clock | None = None,
    ) -> None:
        self._records = records
        self._authenticate = authenticate
        self._find_connection = find_connection
        self._clock = clock or SystemClock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":
            raise NotFoundError("GET /records is the only method of this path.")
        principal = await self._authenticate(scope, SCOPE)
        query = parse_query(scope["query_string"], now=self._clock.now())
        integration_key, connection_id = parse_headers(scope["headers"])
        connection = await self._find_connection(principal.environment_id, integration_key, connection_id)
        if connection is None:
            raise UnknownConnectionError
        page = await self._records.page(
            principal.environment_id,
            connection.id,
            query.model,
            query.variant,
            cursor=query.cursor,
            limit=query.limit,
            filter=query.actions,
            modified_after=query.modified_after,
            ids=query.ids,
        )
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(page.body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page.body})


def parse_headers(headers: Sequence[tuple[bytes, bytes]]) -> tuple[str, str]:
    """Return (Provider-Config-Key, Connection-Id); raise 400 `invalid_headers` naming each that is missing."""
    found = {b"provider-config-key": "", b"connection-id": ""}
    for name, value in headers:
        if name in found:
            found[name] = value.decode("latin-1").strip()
    issues = [
        Issue("invalid_type" if not value else "too_big", "Required" if not value else "Too long", (name.decode(),))
        for name, value in found.items()
        if not 0 < len(value) <= MAX_NAME
    ]
    if issues:
        raise _refusal("invalid_headers", issues)
    return found[b"provider-config-key"], found[b"connection-id"]


def parse_query(query_string: bytes, *, now: datetime) -> RecordsQuery:
    """Parse strictly; raise 400 `invalid_query_params` naming every key that cannot be taken."""
    issues: list[Issue] = []
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=200)
    except ValueError:
        raise _refusal("invalid_query_params", [Issue("invalid_format", "Not a query string in UTF-8")]) from None
    values: dict[str, str] = {}
    ids: list[str] = []
    unknown: list[str] = []
    for key, value in pairs:
        if key in {"ids", "ids[]"}:
            ids.append(value)
        elif key not in _SINGLE:
            unknown.append(key)
        elif key in values:
            issues.append(Issue("invalid_type", "Expected one value, received several", (key,)))
        else:
            values[key] = value
    if unknown:
        names = ", ".join(repr(name[:100]) for name in dict.fromkeys(unknown))
        issues.append(Issue("unrecognized_keys", f"Unrecognized key(s): {names}"))
    query = RecordsQuery(
        model=_name(values, "model", _MODEL, issues) or "",
        variant=_name(values, "variant", _VARIANT, issues) or "base",
        cursor=_cursor(values, issues),
        limit=_limit(values, issues),
        actions=_filter(values, issues),
        modified_after=_since(values, now, issues),
        ids=_ids(ids, issues),
    )
    if "model" not in values:
        issues.append(Issue("invalid_type", "Required", ("model",)))
    if issues:
        raise _refusal("invalid_query_params", issues)
    return query


def _name(values: Mapping[str, str], key: str, pattern: re.Pattern[str], issues: list[Issue]) -> str | None:
    value = values.get(key)
    if value is None:
        return None
    if len(value) > MAX_NAME:
        issues.append(Issue("too_big", f"At most {MAX_NAME} characters", (key,)))
    elif pattern.fullmatch(value) is None:
        issues.append(Issue("invalid_format", f"Must match {pattern.pattern}", (key,)))
    return value


def _cursor(values: Mapping[str, str], issues: list[Issue]) -> str | None:
    value = values.get("cursor")
    if value is not None and not 0 < len(value) <= MAX_CURSOR:
        issues.append(Issue("too_big" if value else "too_small", f"1 to {MAX_CURSOR} characters", ("cursor",)))
    return value


def _limit(values: Mapping[str, str], issues: list[Issue]) -> int:
    value = values.get("limit")
    if value is None:
        return DEFAULT_LIMIT
    if _INTEGER.fullmatch(value) is None:
        issues.append(Issue("invalid_type", "Expected an integer", ("limit",)))
        return DEFAULT_LIMIT
    number = int(value)
    if number < 1:
        issues.append(Issue("too_small", "At least 1", ("limit",)))
    elif number > MAX_LIMIT:
        issues.append(Issue("too_big", f"At most {MAX_LIMIT}", ("limit",)))
    return number


def _filter(values: Mapping[str, str], issues: list[Issue]) -> frozenset[Action] | None:
    value = values.get("filter")
    if value is None:
        return None
    words = [word.strip().lower() for word in value.split(",")]
    if any(word not in _ACTIONS for word in words):
        issues.append(Issue("custom", "A comma-separated list of added, updated, deleted", ("filter",)))
        return None
    return frozenset(_ACTIONS[word] for word in words)


def _since(values: Mapping[str, str], now: datetime, issues: list[Issue]) -> datetime | None:
    """`delta` is an older name of `modified_after`, and wins."""
    found: datetime | None = None
    for key in ("modified_after", "delta"):
        value = values.get(key)
        if value is None:
            continue
        try:
            at = datetime.fromisoformat(_PAD.sub("+", value))  # an unescaped `+00:00` arrives with a space
            at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            issues.append(Issue("invalid_format", "Expected an ISO 8601 date", (key,)))
            continue
        if at < now - OLDEST:
            issues.append(Issue("too_small", "At most 12 months back", (key,)))
        found = at
    return found


def _ids(ids: Sequence[str], issues: list[Issue]) -> tuple[str, ...] | None:
    if not ids:
        return None
    if len(ids) > MAX_IDS:
        issues.append(Issue("too_big", f"At most {MAX_IDS} ids", ("ids",)))
    for index, value in enumerate(ids[:MAX_IDS]):
        if not 0 < len(value) <= MAX_ID:
            issues.append(Issue("too_big" if value else "too_small", f"1 to {MAX_ID} characters", ("ids", index)))
        elif "\0" in value:
            issues.append(Issue("invalid_format", "No id has this character", ("ids", index)))
    return tuple(ids)


def _refusal(code: str, issues: Sequence[Issue]) -> InvalidInputError:
    first: Any = issues[0]
    where = ".".join(str(part) for part in first.path)
    return InvalidInputError(f"{where}: {first.message}" if where else first.message, public_code=code, issues=issues)
