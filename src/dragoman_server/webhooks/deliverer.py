"""Sends deliveries: claims a few of each destination, posts them, records how it went.

A delivery is leased while it is being sent; a deliverer that dies lets the lease run out and another one sends it
again with the same `webhook-id`. A destination that hangs holds its own few slots, never the others'.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from email.utils import parsedate_to_datetime

from prometheus_client import Counter, Histogram

from dragoman_server.db import Database
from dragoman_server.db.database import UNAVAILABLE
from dragoman_server.egress import Deadlines, EgressClient, EgressResponse
from dragoman_server.kit.batching import Batcher
from dragoman_server.kit.clock import Clock, SystemClock
from dragoman_server.kit.errors import DragomanError, Reaction
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.kit.loops import Loop
from dragoman_server.kit.telemetry import REGISTRY, get_logger
from dragoman_server.logs import Logs, Operation
from dragoman_server.logs.redact import Redactor
from dragoman_server.webhooks import _store, rules
from dragoman_server.webhooks.model import Claimed, Result
from dragoman_server.webhooks.signing import SigningKeys, signature_headers

log = get_logger("webhooks")

ATTEMPTS = Counter(
    "dragoman_webhook_attempts_total", "Webhook requests sent, by outcome.", ["outcome"], registry=REGISTRY
)
SECONDS = Histogram("dragoman_webhook_seconds", "How long receivers took to answer.", registry=REGISTRY)

TIMEOUT_SECONDS = 20.0
LEASE = timedelta(seconds=60)
EXCERPT_BYTES = 1000
POLL_SECONDS = 1.0
CLAIM_GAP_SECONDS = 0.02
CLAIM_LIMIT = 256
HOPS = 512
DRAIN_SECONDS = 25.0
REMEMBERED_PACES = 10_000


class Deliverer:
    """Any number may run. `run` as a service; `wake` when deliveries were made; tests await `once`."""

    def __init__(
        self,
        *,
        database: Database,
        egress: EgressClient,
        signing_keys: Callable[[EnvironmentId], Awaitable[SigningKeys]],
        version: str,
        logs: Logs | None = None,
        clock: Clock | None = None,
        concurrency: int = 512,
        timeout: float = TIMEOUT_SECONDS,
        lease: timedelta = LEASE,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._database = database
        self._egress = egress
        self._signing_keys = signing_keys
        self._user_agent = f"dragoman/{version}"
        self._logs = logs
        self._clock = clock or SystemClock()
        self._concurrency = concurrency
        self._timeout = timeout
        self._lease = lease
        self._chance = chance
        self._paces: dict[int, rules.Pace] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._after = 0
        self._stopping = False
        self._wake_timer: asyncio.TimerHandle | None = None
        self._record: Batcher[Result, None] = Batcher(self._record_batch, limit=500)
        self._loop = Loop("webhook_deliverer", self._turn, every=POLL_SECONDS)

    def wake(self) -> None:
        """Look now: deliveries were made."""
        self._loop.wake()

    async def once(self) -> int:
        """Claim what is due, send it and wait for the outcome; return how many were sent."""
        claimed, _ = await self._claim()
        before = set(self._tasks)
        await self._start(claimed)
        await asyncio.gather(*(self._tasks - before))
        return len(claimed)

    async def run(self) -> None:
        await self._loop.run()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=DRAIN_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def stop(self) -> None:
        """End after the requests under way; what is left waits for another deliverer."""
        self._stopping = True
        await self._loop.stop()

    async def _turn(self) -> float | None:
        if len(self._tasks) >= self._concurrency:
            return None  # an ending request wakes us
        claimed, more = await self._claim()
        await self._start(claimed)
        return CLAIM_GAP_SECONDS if more else None

    async def _claim(self) -> tuple[list[Claimed], bool]:
        limit = min(CLAIM_LIMIT, self._concurrency - len(self._tasks))
        caps = {key: pace.room for key, pace in self._paces.items() if pace.room != rules.FIRST_AT_ONCE}
        async with self._database.connection() as conn:  # one statement: it commits by itself
            claimed, after = await _store.claim(
                conn,
                after=self._after,
                hops=HOPS,
                lease=self._lease,
                default_cap=rules.FIRST_AT_ONCE,
                caps=caps,
                limit=limit,
            )
        started_over = self._after == 0
        self._after = after
        return claimed, bool(claimed) or after != 0 or not started_over

    async def _start(self, claimed: Sequence[Claimed]) -> None:
        if not claimed:
            return
        keys = list({(c.environment_id, c.message_id) for c in claimed})
        async with self._database.connection() as conn:
            bodies = await _store.bodies(conn, keys)
        leased_at = self._clock.monotonic()
        for delivery in claimed:
            found = bodies.get((delivery.environment_id, delivery.message_id))
            if found is None:  # erased since
                continue
            self._paces.setdefault(delivery.destination_id, rules.Pace()).under_way += 1
            task = asyncio.create_task(self._deliver(delivery, *found, leased_at))
            self._tasks.add(task)
            task.add_done_callback(self._ended)
        if len(self._paces) > REMEMBERED_PACES:
            self._paces = {key: pace for key, pace in self._paces.items() if pace.under_way}

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("webhook_delivery_broke", error=type(error).__name__)  # its lease ends; it is sent again
        if self._wake_timer is None and not self._stopping:
            self._wake_timer = asyncio.get_running_loop().call_later(CLAIM_GAP_SECONDS, self._wake_now)

    def _wake_now(self) -> None:
        self._wake_timer = None
        self._loop.wake()

    async def _deliver(self, delivery: Claimed, body: bytes, headers: dict[str, str], leased_at: float) -> None:
        pace = self._paces[delivery.destination_id]
        succeeded = False
        try:
            keys = await self._signing_keys(delivery.environment_id)
            if self._clock.monotonic() - leased_at + self._timeout > self._lease.total_seconds():
                return  # too late to be sure that nobody else has it
            result = await self._attempt(delivery, body, headers, keys)
            succeeded = result.state == "success"
        finally:
            pace.ended(succeeded=succeeded)
        await self._keep(result)

    async def _attempt(self, delivery: Claimed, body: bytes, extra: dict[str, str], keys: SigningKeys) -> Result:
        operation = self._operation(delivery, keys)
        now = self._clock.now()
        sent = [
            *((name, value) for name, value in extra.items()),
            ("content-type", "application/json"),
            ("user-agent", self._user_agent),
            *signature_headers(keys, message_id=delivery.message_id, timestamp=int(now.timestamp()), body=body),
        ]
        started = time.perf_counter()
        status: int | None = None
        error: str | None = None
        excerpt: str | None = None
        retry_after: float | None = None
        final = False
        try:
            deadlines = Deadlines(min(10.0, self._timeout), self._timeout, self._timeout, self._timeout)
            async with (
                asyncio.timeout(self._timeout),
                self._egress.request("POST", delivery.url, headers=sent, body=body, deadlines=deadlines) as answer,
            ):
                status = answer.status
                retry_after = _retry_after(answer, now.timestamp())
                excerpt = Redactor(_values(keys)).text(await _excerpt(answer))
        except DragomanError as problem:
            if status is None:
                error = problem.message
                final = problem.reaction is Reaction.FIX
        except TimeoutError:
            if status is None:
                error = f"No answer within {self._timeout:g} seconds."
        took = time.perf_counter() - started
        verdict = rules.judge(status, delivery.attempt, self._chance(), retry_after)
        if final:
            verdict = rules.Verdict("failed")
        ATTEMPTS.labels(verdict.state if verdict.state != "pending" else "retry").inc()
        SECONDS.observe(took)
        milliseconds = round(took * 1000)
        if operation is not None:
            _tell(operation, delivery, verdict, status, error, excerpt, milliseconds)
        return Result(delivery, status, milliseconds, error, excerpt, verdict.state, verdict.again_in)

    def _operation(self, delivery: Claimed, keys: SigningKeys) -> Operation | None:
        if self._logs is None:
            return None
        operation = self._logs.reopen(delivery.environment_id, _store.operation_id(delivery.id))
        operation.hide(_values(keys))
        return operation

    async def _keep(self, result: Result) -> None:
        """Record the outcome; while the database is away try again as long as the lease lasts."""
        ends = self._clock.monotonic() + self._lease.total_seconds() / 2
        while True:
            try:
                await self._record(result)
            except UNAVAILABLE:
                if self._clock.monotonic() > ends or self._stopping:
                    raise
                await asyncio.sleep(0.5)
            else:
                return

    async def _record_batch(self, results: Sequence[Result]) -> Sequence[None]:
        async with self._database.transaction() as conn:
            await _store.finish(conn, results)
        return [None] * len(results)


def _values(keys: SigningKeys) -> list[str]:
    return [key.reveal() for key in (keys.current, keys.previous) if key is not None]


async def _excerpt(answer: EgressResponse) -> str:
    """Read little: the answer's status is what counts, and a body that breaks off changes nothing."""
    pieces = b""
    with suppress(DragomanError):
        async for piece in answer.iter():
            pieces += piece
            if len(pieces) >= EXCERPT_BYTES:
                break
    text = pieces[:EXCERPT_BYTES].decode("utf-8", "replace")
    return text.replace("\0", "")


def _retry_after(answer: EgressResponse, now: float) -> float | None:
    value = (answer.header("retry-after") or "").strip()
    if value.isdecimal() and len(value) < 8:
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _tell(
    operation: Operation,
    delivery: Claimed,
    verdict: rules.Verdict,
    status: int | None,
    error: str | None,
    excerpt: str | None,
    took_ms: int,
) -> None:
    operation.http(
        request={"method": "POST", "url": delivery.url},
        response=None if status is None else {"status": status, "body": excerpt},
        level="info" if verdict.state == "success" else "error",
        attempt=delivery.attempt,
        took_ms=took_ms,
        webhook_id=delivery.message_id,
    )
    if verdict.state == "success":
        operation.finish("success")
    elif verdict.state == "failed":
        operation.finish("failed", {"type": "webhook_failed", "message": error or f"The receiver answered {status}."})
    else:
        operation.warn(error or f"The receiver answered {status}.", again_in_seconds=round(verdict.again_in or 0))
        operation.waiting()
