"""The relay: takes due facts, hands them to their handlers in batches, forgets or postpones them."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta

from dragoman_server.db import Database
from dragoman_server.db.database import UNAVAILABLE
from dragoman_server.db.listen import Listener
from dragoman_server.kit.errors import DragomanError, Reaction
from dragoman_server.kit.loops import Loop
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.outbox import _store
from dragoman_server.outbox.hints import CHANNEL
from dragoman_server.outbox.model import FactsFailedError, NotYetError, StoredFact
from dragoman_server.outbox.rules import MAX_STRIKES, wait_before_retry

Handler = Callable[[Sequence[StoredFact]], Awaitable[None]]
"""Acts on facts of one kind, idempotently by their keys. Raising fails them all, `FactsFailedError` only some."""

POLL_SECONDS = 1.0
DRAIN_SECONDS = 20.0
LONGEST_ERROR = 500
GIVE_UP_ALONE_AFTER = 3

log = get_logger("outbox")


class Relay:
    """Hands facts to `handlers` by kind; kinds without one here are left to other processes.

    Many relays may run. A fact is handled at least once: a crash between the handling and its record repeats it when
    the lease ends. A slow kind never holds up another one.
    """

    def __init__(
        self,
        *,
        database: Database,
        handlers: Mapping[str, Handler],
        listen_url: str | None = None,
        batch: int = 200,
        lease: timedelta = timedelta(seconds=60),
        max_strikes: int = MAX_STRIKES,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._handlers = dict(handlers)
        self._batch = batch
        self._lease = lease
        self._max_strikes = max_strikes
        self._chance = chance
        self._busy: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._stopping = False
        self._loop = Loop("outbox_relay", self._turn, every=POLL_SECONDS)
        wake = self._loop.wake
        self._listener = (
            None if listen_url is None else Listener(listen_url, {CHANNEL: lambda _payload: wake()}, on_connect=wake)
        )

    def wake(self) -> None:
        """Look now: somebody committed facts."""
        self._loop.wake()

    async def once(self) -> float | None:
        """Handle one batch of each kind that has something due; return 0.0 when a batch was full, else None."""
        async with self._database.connection() as conn:
            kinds = await _store.due_kinds(conn, list(self._handlers))
        counts = await asyncio.gather(*(self._handle_batch(kind) for kind in kinds))
        return 0.0 if any(count >= self._batch for count in counts) else None

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            if self._listener is not None:
                group.create_task(self._listener.run())
            await self._loop.run()
            await self._drain()

    async def stop(self) -> None:
        """End after the batches under way; what is left waits for another relay."""
        self._stopping = True
        if self._listener is not None:
            await self._listener.stop()
        await self._loop.stop()

    async def _turn(self) -> float | None:
        async with self._database.connection() as conn:
            kinds = await _store.due_kinds(conn, list(self._handlers))
        for kind in kinds:
            task = self._busy.get(kind)
            if task is None or task.done():
                self._busy[kind] = asyncio.create_task(self._empty(kind))
            else:
                self._again.add(kind)
        return None

    async def _empty(self, kind: str) -> None:
        """Handle facts of `kind` until none is due."""
        try:
            while not self._stopping:
                self._again.discard(kind)
                if await self._handle_batch(kind) == 0 and kind not in self._again:
                    return
        except Exception as error:  # the database went away: leases end by themselves, and the loop looks again
            log.warning("relay_turn_failed", kind=kind, error=type(error).__name__)

    async def _drain(self) -> None:
        tasks = [task for task in self._busy.values() if not task.done()]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _handle_batch(self, kind: str) -> int:
        async with self._database.connection() as conn:
            facts = await _store.claim(conn, kind, limit=self._batch, lease=self._lease)
        if not facts:
            return 0
        deadline = asyncio.get_running_loop().time() + self._lease.total_seconds() * 0.8
        poison = {f.id: RuntimeError("its relay died") for f in facts if f.strikes > self._max_strikes}
        failures = await self._hand_over(kind, [fact for fact in facts if fact.id not in poison], deadline) | poison
        done = [fact for fact in facts if fact.id not in failures]
        async with self._database.connection() as conn:
            if done:
                await _store.finish(conn, done)
            if failures:
                await _store.fail(conn, [self._judge(f, failures[f.id]) for f in facts if f.id in failures])
        return len(facts)

    async def _hand_over(self, kind: str, facts: Sequence[StoredFact], deadline: float) -> "dict[int, Exception]":
        """Return the failures by fact id; a batch that fails as a whole is tried one by one, to find the culprit."""
        if not facts:
            return {}
        failures = await self._call(kind, facts, deadline)
        if len(facts) == 1 or len(failures) < len(facts):
            return failures
        if all(isinstance(failure, NotYetError) for failure in failures.values()):
            return failures
        for number, fact in enumerate(facts):
            if number == GIVE_UP_ALONE_AFTER and all(other.id in failures for other in facts[:number]):
                break  # not one culprit: everything fails
            failures.pop(fact.id)
            failures |= await self._call(kind, [fact], deadline)
        return failures

    async def _call(self, kind: str, facts: Sequence[StoredFact], deadline: float) -> "dict[int, Exception]":
        try:
            async with asyncio.timeout_at(deadline):
                await self._handlers[kind](facts)
        except FactsFailedError as error:
            return {fact.id: error.failures[fact.id] for fact in facts if fact.id in error.failures}
        except Exception as error:  # a handler may meet anything; the fact stays until one succeeds
            return {fact.id: error for fact in facts}
        return {}

    def _judge(self, fact: StoredFact, error: Exception) -> _store.Failure:
        if isinstance(error, NotYetError):
            return _store.Failure(fact, error.wait, "", park=False, forgive=True)
        away = isinstance(error, UNAVAILABLE) or (isinstance(error, DragomanError) and error.reaction is Reaction.RETRY)
        park = not away and fact.strikes >= self._max_strikes
        text = f"{type(error).__name__}: {error}"[:LONGEST_ERROR]
        report = log.error if park else log.warning
        report("fact_parked" if park else "fact_failed", kind=fact.kind, id=fact.id, attempts=fact.attempts, error=text)
        return _store.Failure(fact, wait_before_retry(fact.attempts, self._chance()), text, park, forgive=away)
