"""Caches that a change elsewhere empties within a second.

`Invalidations` listens on one channel with a connection of its own. A cache is filled only if no invalidation arrived
since before its SELECT; everything is flushed when the listener reconnects; the process notifies itself every 500 ms
and caches are bypassed while that does not come back; entries live 30 s at most. The process that announces forgets
as it commits, so whoever changed something through it reads the change at once. While nobody asks, the pulse rests:
the next to ask finds it old, reads past the cache and sets it going again.
"""

import asyncio
import os
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Generic, TypeVar
from weakref import WeakSet

from dragoman_server.db.database import Conn
from dragoman_server.db.driver import UNAVAILABLE, PostgresError, connect
from dragoman_server.db.statement import read_sql
from dragoman_server.kit.clock import Clock, SystemClock
from dragoman_server.kit.telemetry import get_logger

V = TypeVar("V")

log = get_logger("db")

CHANNEL = "dragoman_changes"
PULSE_SECONDS = 0.5
STALE_AFTER_SECONDS = 1.0
HARD_TTL_SECONDS = 30.0
RESTS_AFTER_SECONDS = 5.0
RESTING_PULSE_SECONDS = 15.0
NOTIFY = read_sql(__package__ or "", "notify_change")
NOTIFY_ALL = read_sql(__package__ or "", "notify_changes")
MOST_KEYS = 1000
_here: "WeakSet[Invalidations]" = WeakSet()


async def announce(conn: Conn, topic: str, key: str = "*") -> None:
    """Tell every process, when this transaction commits, that `key` of `topic` changed (`*`: all of it)."""
    payload = f"{topic}:{key}"
    await conn.execute(NOTIFY, payload)
    conn.after_commit(partial(_tell_here, (payload,)))


async def announce_all(conn: Conn, topic: str, keys: Sequence[str]) -> None:
    """`announce` for many keys in one statement; beyond a thousand everything of the topic is dropped instead."""
    if len(keys) > MOST_KEYS:
        await announce(conn, topic)
    elif keys:
        payloads = [f"{topic}:{key}" for key in keys]
        await conn.execute(NOTIFY_ALL, payloads)
        conn.after_commit(partial(_tell_here, payloads))


def _tell_here(payloads: Sequence[str]) -> None:
    for listener in _here:
        for payload in payloads:
            listener.hear(payload)


class Invalidations:
    """The process's listener. `run` it as a service; caches made by `cache` obey it."""

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        self._url = url
        self._clock = clock or SystemClock()
        self._caches: dict[str, list[InvalidatedCache[Any]]] = {}
        self._token = f"{os.getpid()}-{secrets.token_hex(4)}"
        self._heard_at = float("-inf")
        self._asked_at = float("-inf")
        self.resting = False
        self._beat = asyncio.Event()
        self._stopping = False
        self.version = 0
        _here.add(self)

    def cache(self, topic: str, *, limit: int = 10_000) -> "InvalidatedCache[Any]":
        """Return a cache whose entries with key `k` die when `topic:k` is announced. Keys are text."""
        made: InvalidatedCache[Any] = InvalidatedCache(self, limit=limit, clock=self._clock)
        self._caches.setdefault(topic, []).append(made)
        return made

    def healthy(self) -> bool:
        """True while our own pulse came back within the last second; asking keeps it going."""
        now = self._asked_at = self._clock.monotonic()
        if self.resting:
            self._beat.set()
        return now - self._heard_at < STALE_AFTER_SECONDS

    def _on_message(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        text = str(payload)
        if text.startswith("pulse:"):
            if text.removeprefix("pulse:") == self._token:
                self._heard_at = self._clock.monotonic()
            return
        self.hear(text)

    def hear(self, payload: str) -> None:
        """Drop what `topic:key` names."""
        topic, _, key = payload.partition(":")
        self.version += 1
        for cache in self._caches.get(topic, ()):
            cache.forget(key)

    def _flush(self) -> None:
        self.version += 1
        for caches in self._caches.values():
            for cache in caches:
                cache.forget("*")

    async def run(self) -> None:
        while not self._stopping:
            try:
                await self._listen()
            except (*UNAVAILABLE, PostgresError) as error:
                log.warning("invalidations_lost", error=type(error).__name__)
            self._heard_at = float("-inf")
            self._flush()
            if not self._stopping:
                await self._pause(PULSE_SECONDS)

    async def _listen(self) -> None:
        connection = await connect(self._url, timeout=5, command_timeout=5, name="dragoman-listen")
        try:
            await connection.add_listener(CHANNEL, self._on_message)
            self._flush()
            while not self._stopping:
                await connection.execute("SELECT pg_notify($1, $2)", CHANNEL, f"pulse:{self._token}")
                self.resting = self._clock.monotonic() - self._asked_at > RESTS_AFTER_SECONDS
                await self._pause(RESTING_PULSE_SECONDS if self.resting else PULSE_SECONDS)
                self.resting = False
        finally:
            connection.terminate()

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._beat.wait(), seconds)
        self._beat.clear()

    async def stop(self) -> None:
        self._stopping = True
        self._beat.set()


class InvalidatedCache(Generic[V]):
    """See the module; made by `Invalidations.cache`. Keys are text; the least recently used entry leaves first."""

    def __init__(self, invalidations: Invalidations, *, limit: int, clock: Clock) -> None:
        self._invalidations = invalidations
        self._limit = limit
        self._clock = clock
        self._entries: OrderedDict[str, tuple[float, V]] = OrderedDict()

    def peek(self, key: str) -> V | None:
        """Return the cached value, or None when there is none that may be used now."""
        entry = self._entries.get(key)
        if entry is None or not self._invalidations.healthy():
            return None
        if self._clock.monotonic() - entry[0] > HARD_TTL_SECONDS:
            del self._entries[key]
            return None
        self._entries.move_to_end(key)
        return entry[1]

    async def get(self, key: str, load: Callable[[], Awaitable[V]]) -> V:
        """Return the cached value or load it. A value loaded while something changed, and None, are not kept."""
        found = self.peek(key)
        if found is not None:
            return found
        version = self._invalidations.version
        value = await load()
        if value is not None and version == self._invalidations.version and self._invalidations.healthy():
            self._entries[key] = (self._clock.monotonic(), value)
            if len(self._entries) > self._limit:
                self._entries.popitem(last=False)
        return value

    def forget(self, key: str) -> None:
        """Drop `key`, or everything for `*`."""
        if key == "*":
            self._entries.clear()
        else:
            self._entries.pop(key, None)
