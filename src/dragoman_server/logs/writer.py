"""Buffers what operations say and writes it in groups: at most a quarter of a second is lost with the process.

While Postgres is away everything is kept up to a bound; past it messages are dropped and counted, operations are not.
"""

import asyncio
import uuid
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from prometheus_client import Counter, Gauge

from dragoman_server.db import Database
from dragoman_server.db.database import UNAVAILABLE
from dragoman_server.kit.clock import Clock, SystemClock
from dragoman_server.kit.telemetry import REGISTRY, get_logger
from dragoman_server.logs import _store
from dragoman_server.logs.operation import MessageRow, Operation

log = get_logger("logs")

DROPPED = Counter("dragoman_logs_dropped_total", "Log rows given up, by reason.", ["reason"], registry=REGISTRY)
WRITTEN = Counter("dragoman_logs_written_total", "Log rows written.", registry=REGISTRY)
BUFFERED = Gauge("dragoman_logs_buffered_bytes", "Log bytes waiting to be written.", registry=REGISTRY)

GROUP_SECONDS = 0.1
"""How long the first row waits for company; with the write itself well under the promised 250 ms."""
BEAT_SECONDS = 10.0
BATCH_ROWS = 5000
ROW_OVERHEAD = 200


class Writer:
    """One per process. `run` it as a service; `stop` writes what is left, for up to five seconds."""

    def __init__(self, *, database: Database, clock: Clock | None = None, bound_bytes: int = 64_000_000) -> None:
        self.id = uuid.uuid4()
        self._database = database
        self._clock = clock or SystemClock()
        self._bound = bound_bytes
        self._operations: dict[int, Operation] = {}
        self._messages: list[MessageRow] = []
        self._bytes = 0
        self._some = asyncio.Event()
        self._full = asyncio.Event()
        self._roomy = asyncio.Event()
        self._roomy.set()
        self._clean = asyncio.Event()
        self._clean.set()
        self._stopping = asyncio.Event()
        self._writing = asyncio.Lock()
        self._beat_at = float("-inf")
        self._opened = False

    def now(self) -> datetime:
        return self._clock.now().astimezone(UTC)

    def changed(self, operation: Operation) -> None:
        """Write this operation's state with the next group."""
        self._operations[id(operation)] = operation
        self._opened = True
        self._some.set()
        self._clean.clear()

    def add(self, row: MessageRow) -> None:
        """Write this message with the next group, or drop and count it when the buffer is full."""
        size = len(row[8]) + len(row[9] or "") + ROW_OVERHEAD
        if self._bytes + size > self._bound:
            DROPPED.labels("buffer_full").inc()
            return
        self._bytes += size
        self._messages.append(row)
        self._some.set()
        self._clean.clear()
        if len(self._messages) >= BATCH_ROWS:
            self._full.set()
        if self._bytes > self._bound // 2:
            self._roomy.clear()

    async def room(self, timeout: float = 5.0) -> bool:
        """Wait until the buffer is less than half full; False when that takes too long. Chatty sources await this."""
        try:
            await asyncio.wait_for(self._roomy.wait(), timeout)
        except TimeoutError:
            return False
        return True

    async def settled(self) -> None:
        """Wait until the running writer has written everything."""
        await self._clean.wait()

    async def run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._some.wait(), BEAT_SECONDS)
            if self._some.is_set() and not self._stopping.is_set() and len(self._messages) < BATCH_ROWS:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._full.wait(), GROUP_SECONDS)
            try:
                await self.flush()
                await self._beat()
                failures = 0
            except UNAVAILABLE as error:
                failures += 1
                log.warning("logs_not_written", error=type(error).__name__, buffered_bytes=self._bytes)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), min(0.1 * 2**failures, 2.0))
            except Exception as error:  # the writer must outlive anything; what it could not write stays buffered
                log.warning("logs_writer_failed", error=type(error).__name__)
                await asyncio.sleep(1.0)
        try:
            await asyncio.wait_for(self.flush(), 5.0)
        except UNAVAILABLE as error:
            DROPPED.labels("stopped").inc(len(self._messages) + len(self._operations))
            log.warning("logs_lost_at_stop", error=type(error).__name__, rows=len(self._messages))

    async def stop(self) -> None:
        self._stopping.set()
        self._some.set()
        self._full.set()

    async def flush(self) -> None:
        """Write everything buffered now; raise what a lost Postgres raises and keep it all."""
        async with self._writing:
            while self._operations or self._messages:
                await self._write_group()
            BUFFERED.set(self._bytes)
            self._clean.set()

    async def _write_group(self) -> None:
        self._some.clear()
        self._full.clear()
        operations, self._operations = self._operations, {}
        messages, self._messages = self._messages[:BATCH_ROWS], self._messages[BATCH_ROWS:]
        rows = [_store.operation_row(o, self.id) for o in operations.values()]
        try:
            await self._write(rows, messages)
        except BaseException:  # put everything back first, also when cancelled; then let it travel
            self._operations = {**operations, **self._operations}
            self._messages = [*messages, *self._messages]
            self._some.set()
            raise
        self._bytes -= sum(len(row[8]) + len(row[9] or "") + ROW_OVERHEAD for row in messages)
        WRITTEN.inc(len(rows) + len(messages))
        if self._bytes <= self._bound // 2:
            self._roomy.set()

    async def _write(self, rows: Sequence[tuple[Any, ...]], messages: Sequence[MessageRow]) -> None:
        try:
            await self._send(rows, messages, fresh=True)
        except Exception as error:  # lost connection, missing day, or a row Postgres refuses: trying again tells
            if isinstance(error, UNAVAILABLE):
                await self._probe()
            await self._ensure_days_of([row[0] for row in rows] + [row[0] for row in messages])
            await self._write_parts(rows, messages)

    async def _probe(self) -> None:
        async with self._database.connection() as conn:
            await conn.now()

    async def _write_parts(self, rows: Sequence[tuple[Any, ...]], messages: Sequence[MessageRow]) -> None:
        """Write again what may be half known; halve a refused group until the refused row is alone, and drop it."""
        try:
            await self._send(rows, messages, fresh=False)
        except UNAVAILABLE:
            raise
        except Exception as error:  # whatever Postgres dislikes about one row must not hold up the others
            if len(rows) + len(messages) == 1:
                DROPPED.labels("refused").inc()
                log.warning("log_row_refused", error=type(error).__name__)  # no traceback: it would show the row
                return
            if rows and messages:
                await self._write_parts(rows, ())
                await self._write_parts((), messages)
            elif rows:
                await self._write_parts(rows[: len(rows) // 2], ())
                await self._write_parts(rows[len(rows) // 2 :], ())
            else:
                await self._write_parts((), messages[: len(messages) // 2])
                await self._write_parts((), messages[len(messages) // 2 :])

    async def _send(self, rows: Sequence[tuple[Any, ...]], messages: Sequence[MessageRow], *, fresh: bool) -> None:
        async with self._database.transaction() as conn:
            for turn in _distinct(rows):
                await _store.upsert_operations(conn, turn)
            if messages:
                await (_store.copy_messages if fresh else _store.insert_messages)(conn, messages)

    async def _ensure_days_of(self, times: Sequence[datetime]) -> None:
        if not times:
            return
        oldest = max(min(times).date(), (max(times) - timedelta(days=31)).date())
        async with self._database.connection() as conn:
            await _store.ensure_days(conn, oldest, max(times).date())

    async def _beat(self) -> None:
        now = self._clock.monotonic()
        if self._opened and now - self._beat_at >= BEAT_SECONDS:
            async with self._database.connection() as conn:
                await _store.beat(conn, self.id)
            self._beat_at = now


def _distinct(rows: Sequence[tuple[Any, ...]]) -> list[list[tuple[Any, ...]]]:
    """Split into groups that hold each operation once (it may have several handles), later ones after earlier ones."""
    turns: list[dict[Any, tuple[Any, ...]]] = []
    for row in rows:
        for turn in turns:
            if row[1] not in turn:
                turn[row[1]] = row
                break
        else:
            turns.append({row[1]: row})
    return [list(turn.values()) for turn in turns]
