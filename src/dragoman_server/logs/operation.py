"""The handle that stories write through: every call is synchronous, cheap, redacted, buffered."""

import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from random import getrandbits  # ids need no secrecy; seeded by the system in each process
from typing import Any, Protocol

import msgspec

from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, OperationId
from dragoman_server.logs.model import OPEN_STATES, Level, State
from dragoman_server.logs.redact import CUT_MARK, Redactor, redact_body, redact_headers, redact_url

MESSAGE_LIMIT = 99_000
"""Bytes of one message, text and body together."""
_MICROSECOND = timedelta(microseconds=1)
_PLAIN = frozenset({"method", "url", "status", "headers"})
"""What `_shown` leaves clean of secret-named keys; a body is looked through once more."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MessageRow = tuple[datetime, uuid.UUID, int, datetime, int, str, str, str, str, str | None]


class Sink(Protocol):
    """Where operations put what they have; the writer."""

    def now(self) -> datetime: ...
    def changed(self, operation: "Operation") -> None: ...
    def add(self, row: MessageRow) -> None: ...


def new_operation_id(at: datetime) -> OperationId:
    """Return a uuid7 of that time, from which everyone finds the operation's day.

    The twelve bits after the milliseconds are their fraction (RFC 9562 section 6.2, method 3): ids sort as they start.
    """
    milliseconds, micros = divmod((at - _EPOCH) // _MICROSECOND, 1000)
    value = milliseconds << 80 | 0x7 << 76 | (micros * 4096 // 1000) << 64 | 0x2 << 62
    return OperationId(uuid.UUID(int=value | getrandbits(62)))


def time_of(operation_id: uuid.UUID) -> datetime:
    """Return the time inside a uuid7; raise ValueError for another uuid."""
    if operation_id.version != 7:
        raise ValueError("an operation's id is a uuid7")
    return _EPOCH + timedelta(milliseconds=operation_id.int >> 80)


class Operation:
    """One thing the platform does for a customer, with its messages. Made by `Logs.start` and `Logs.reopen`.

    Secrets told to `hide` never appear in anything stored from then on; tell it before the first message.
    """

    __slots__ = (
        "__weakref__", "_last_at", "_redactor", "_seq", "_sink", "at", "connection", "connection_row_id",
        "environment_id", "error_json", "finished_at", "function", "id", "integration", "kind", "meta_json", "state",
        "sync",
    )  # fmt: skip

    def __init__(self, sink: Sink, environment_id: EnvironmentId, operation_id: OperationId, kind: str) -> None:
        self._sink = sink
        self._redactor = Redactor()
        self._seq = getrandbits(24)
        self.id = operation_id
        self.at = time_of(operation_id)
        self._last_at = self.at
        self.environment_id = environment_id
        self.kind = kind
        self.state = State.RUNNING
        self.integration: str | None = None
        self.connection: str | None = None
        self.connection_row_id: ConnectionRowId | None = None
        self.sync: str | None = None
        self.function: str | None = None
        self.meta_json: str | None = None
        self.error_json: str | None = None
        self.finished_at: datetime | None = None

    def __repr__(self) -> str:
        return f"<Operation {self.kind or '(reopened)'} {self.id} {self.state}>"

    def hide(self, secrets: Iterable[str]) -> None:
        """Never store these values, however they are encoded."""
        self._redactor.hide(secrets)

    def about(
        self,
        *,
        integration: str | None = None,
        connection: str | None = None,
        connection_row_id: ConnectionRowId | None = None,
        sync: str | None = None,
        function: str | None = None,
        meta: Mapping[str, Any] | None = None,
    ) -> None:
        """Say what it concerns, as far as that is known only now."""
        self.set_fields(integration, connection, connection_row_id, sync, function, meta)
        self._sink.changed(self)

    def set_fields(
        self,
        integration: str | None,
        connection: str | None,
        connection_row_id: ConnectionRowId | None,
        sync: str | None,
        function: str | None,
        meta: Mapping[str, Any] | None,
    ) -> None:
        """Set what is given without reporting a change; `Logs.start` reports once."""
        clean = self._clean
        self.integration = clean(integration) if integration is not None else self.integration
        self.connection = clean(connection) if connection is not None else self.connection
        self.connection_row_id = connection_row_id if connection_row_id is not None else self.connection_row_id
        self.sync = clean(sync) if sync is not None else self.sync
        self.function = clean(function) if function is not None else self.function
        if meta is not None:
            self.meta_json = self._encode(meta, MESSAGE_LIMIT)

    def waiting(self) -> None:
        """It is queued; no process works on it until one reopens it."""
        self._move(State.WAITING)

    def running(self) -> None:
        """A process, ours, works on it now."""
        self._move(State.RUNNING)

    def _move(self, state: State) -> None:
        if self.state in OPEN_STATES and self.state != state:
            self.state = state
            self._sink.changed(self)

    def debug(self, message: str, **meta: Any) -> None:
        self._add("log", Level.DEBUG, "internal", message, meta)

    def info(self, message: str, **meta: Any) -> None:
        self._add("log", Level.INFO, "internal", message, meta)

    def warn(self, message: str, **meta: Any) -> None:
        self._add("log", Level.WARN, "internal", message, meta)

    def error(self, message: str, **meta: Any) -> None:
        self._add("log", Level.ERROR, "internal", message, meta)

    def custom(
        self, level: str, message: str, meta: Mapping[str, Any] | None = None, at: datetime | None = None
    ) -> None:
        """A line a customer's function wrote, at the time it says (held within the operation's own span)."""
        known = _level(level)
        self._add("log", known, "user", message, meta, at)

    def http(
        self,
        *,
        request: Mapping[str, Any],
        response: Mapping[str, Any] | None = None,
        level: str = "info",
        message: str | None = None,
        **meta: Any,
    ) -> None:
        """A call: request {method, url, headers, body?}, response {status, headers, body?} or None when none came."""
        body: dict[str, Any] = {"request": _shown(request)}
        if response is not None:
            body["response"] = _shown(response)
        if message is None:
            status = response.get("status") if response else None
            url = self._redactor.text(body["request"].get("url", ""))
            message = f"{request.get('method', 'GET')} {url} {'no answer' if status is None else status}"
        plain = not meta and request.keys() <= _PLAIN and (response is None or response.keys() <= _PLAIN)
        self._add("http", _level(level), "internal", message, body | meta, plain=plain)

    def finish(self, state: str, error: Mapping[str, Any] | None = None) -> None:
        """End it as success, failed, timeout or cancelled. The first end counts; a later one is ignored."""
        wanted = State(state)
        if wanted in OPEN_STATES:
            raise ValueError(f"`{wanted}` is not an end")
        if self.state not in OPEN_STATES:
            return
        self.finished_at = self._tick(None)
        if error is not None:
            self.error_json = self._encode(error, MESSAGE_LIMIT)
            self._add("log", Level.ERROR, "internal", str(error.get("message") or error.get("type") or wanted), {})
        self.state = wanted
        self._sink.changed(self)

    def words(self) -> str:
        """What a text search finds the operation itself by."""
        parts = (self.kind, self.integration, self.connection, self.sync, self.function)
        return " ".join(dict.fromkeys(p for p in parts if p))

    def _tick(self, at: datetime | None) -> datetime:
        now = self._sink.now()
        if at is not None:
            return min(max(at, self.at), now)
        self._last_at = max(now, self._last_at + _MICROSECOND)
        return self._last_at

    def _add(
        self,
        kind: str,
        level: Level,
        source: str,
        message: str,
        meta: Mapping[str, Any] | None,
        at: datetime | None = None,
        *,
        plain: bool = False,
    ) -> None:
        text = self._clean(message)
        body = self._encode(meta, MESSAGE_LIMIT, plain=plain) if meta else None
        if len(text) > MESSAGE_LIMIT // 4 or body is not None:  # a character takes at most four bytes
            text, body = _fit(text, body)
        self._seq += 1
        self._sink.add(
            (self._tick(at), self.id, self._seq, self.at, self.environment_id, kind, level.value, source, text, body)
        )

    def _clean(self, text: str) -> str:
        """Redact, before any cut: half a secret would not be recognized. NUL and lone surrogates cannot be stored."""
        text = self._redactor.text(text)
        if not text.isascii():
            text = text.encode("utf-8", "replace").decode()
        return text.replace("\0", "") if "\0" in text else text

    def _encode(self, value: Mapping[str, Any], limit: int, *, plain: bool = False) -> str:
        encoded = self._redactor.clean_json(value) if plain else self._redactor.json(value)
        if len(encoded) > limit // 4 and (size := len(encoded.encode())) > limit:
            encoded = msgspec.json.encode(
                {"cut": True, "bytes": size, "start": self._clean(encoded[: limit // 8])}
            ).decode()
        return encoded


def _level(level: str) -> Level:
    try:
        return Level(level)
    except ValueError:
        return Level.INFO


def _shown(part: Mapping[str, Any]) -> dict[str, Any]:
    shown = dict(part)
    headers: dict[str, str] = redact_headers(shown.get("headers") or {})
    if headers:
        shown["headers"] = headers
    if "url" in shown:
        shown["url"] = redact_url(str(shown["url"]))
    if shown.get("body") is not None:
        shown["body"] = redact_body(shown["body"], headers.get("content-type", ""))
    return shown


def _fit(text: str, body: str | None) -> tuple[str, str | None]:
    """Cut the text, then drop the body, until both fit the limit together."""
    size = len(text.encode())
    if size > MESSAGE_LIMIT:
        room = MESSAGE_LIMIT - len(CUT_MARK.encode())
        text = text.encode()[:room].decode("utf-8", "ignore") + CUT_MARK
        size = len(text.encode())
    if body is not None and size + len(body.encode()) > MESSAGE_LIMIT:
        cut = msgspec.json.encode({"cut": True, "bytes": len(body.encode())}).decode()
        if size + len(cut) > MESSAGE_LIMIT:
            text = text.encode()[: MESSAGE_LIMIT - len(cut) - 16].decode("utf-8", "ignore") + CUT_MARK
        body = cut
    return text, body
