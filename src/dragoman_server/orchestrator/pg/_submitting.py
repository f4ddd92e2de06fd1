"""Queueing: many callers, one commit; all of a caller's tasks or none."""

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from uuid import UUID

from dragoman_server.db import Conn, Database
from dragoman_server.db.driver import PostgresError
from dragoman_server.orchestrator.errors import InvalidTaskError, QueueFullError
from dragoman_server.orchestrator.model import ClaimedTask, QueueLimits, ScheduleSpec, TaskSpec
from dragoman_server.orchestrator.pg import _store
from dragoman_server.orchestrator.pg._claiming import MARGIN, Claimer
from dragoman_server.orchestrator.pg._store import Queued
from dragoman_server.orchestrator.port import Reservation
from dragoman_server.orchestrator.rules import Pair, admit

Request = Sequence[Queued]
Answer = list[tuple[UUID, bool]] | Exception

_INT4 = 2**31 - 1


def queued(task_id: UUID, spec: TaskSpec, limits: QueueLimits) -> Queued:
    """Check a task; raise `InvalidTaskError` when it cannot be taken."""
    return Queued(task_id, spec, _checked(spec), limits.max_queued)


def check_schedule(spec: ScheduleSpec) -> None:
    """Raise `InvalidTaskError` for a schedule that cannot be taken."""
    _checked(spec.task)
    if spec.every < timedelta(milliseconds=1) or "\0" in spec.key:
        raise InvalidTaskError("A schedule needs a key and a period of at least a millisecond.")
    if spec.task.start_after or spec.task.idempotency_key:
        raise InvalidTaskError("A scheduled task has neither a start_after nor an idempotency key.")


def _checked(spec: TaskSpec) -> str:
    if "v" not in spec.payload:
        raise InvalidTaskError("A task's payload carries its version as `v`.")
    texts = (spec.queue, spec.group.connection, spec.lock_key, spec.idempotency_key)
    if not spec.queue or any(text and "\0" in text for text in texts) or set(",!") & set(spec.queue):
        raise InvalidTaskError("A task's queue, connection and keys are plain text.")
    if spec.run_timeout <= timedelta(0) or any(d and d < timedelta(0) for d in (spec.start_after, spec.start_by)):
        raise InvalidTaskError("A task's durations are positive.")
    if not 1 <= spec.retry.max_attempts <= _INT4 or abs(spec.priority) > _INT4 or spec.group.environment_id < 0:
        raise InvalidTaskError("A task's numbers are out of range.")
    try:
        return _store.encode(spec.payload)
    except (ValueError, TypeError) as error:
        raise InvalidTaskError("A task's payload is JSON.") from error


class Submitter:
    """Handles a batch of requests in one transaction; a request that cannot be taken does not hurt the others."""

    def __init__(
        self,
        database: Database,
        *,
        claimer: Claimer,
        seats: Callable[[Collection[str]], Reservation | None],
        on_queued: Callable[[Collection[str]], None],
    ) -> None:
        self._database = database
        self._claimer = claimer
        self._seats = seats
        self._on_queued = on_queued

    async def handle(self, requests: Sequence[Request]) -> list[Answer]:
        """Answer each request with its outcomes or its error."""
        try:
            return await self._together(requests)
        except PostgresError:
            if len(requests) == 1:
                raise
        return [await self._alone(request) for request in requests]  # one of them is at fault: let it fail by itself

    async def _alone(self, request: Request) -> Answer:
        try:
            return (await self._together([request]))[0]
        except PostgresError as error:
            return error

    async def _together(self, requests: Sequence[Request]) -> list[Answer]:
        flat = [task for request in requests for task in request]
        ready = {task.pair[0] for task in flat if not task.spec.start_after}
        seat = self._seats(ready)
        done, dry = await (self._queue(flat) if seat is None else self._queue_and_claim(flat, seat))
        if done is not None:
            self._on_queued(ready.difference(dry))
            return _cut(requests, done)
        async with self._database.transaction() as conn:
            answers = await self._near_the_cap(conn, requests)
        self._on_queued(ready)
        return answers

    async def _queue(self, tasks: Sequence[Queued]) -> tuple[list[tuple[UUID, bool]] | None, Collection[str]]:
        async with self._database.connection() as conn:
            return await _store.submit(conn, tasks, margin=MARGIN), ()

    async def _queue_and_claim(
        self, tasks: Sequence[Queued], seat: Reservation
    ) -> tuple[list[tuple[UUID, bool]] | None, Collection[str]]:
        taken: Sequence[ClaimedTask] = ()
        try:
            async with self._database.connection() as conn:
                submitted = await self._claimer.submitting(conn, seat.worker, tasks, seat.free)
            taken = submitted.taken
            return submitted.done, submitted.dry
        finally:
            seat.take(taken)

    async def _near_the_cap(self, conn: Conn, requests: Sequence[Request]) -> list[Answer]:
        caps: dict[Pair, int] = {task.pair: task.max_queued for request in requests for task in request}
        room = await _store.lock_backlogs(conn, dict(sorted(caps.items())))
        known = await _store.known_keys(conn, {k for r in requests for t in r if (k := _key(t)) is not None})
        full = admit([Counter(t.pair for t in r if _key(t) not in known) for r in requests], room)
        admitted = [request for request, pair in zip(requests, full, strict=True) if pair is None]
        flat = [task for request in admitted for task in request]
        done = await _store.submit(conn, flat, margin=None) if flat else []
        taken = iter(_cut(admitted, done or []))
        return [next(taken) if pair is None else QueueFullError(*pair) for pair in full]


def _key(task: Queued) -> tuple[int, str] | None:
    key = task.spec.idempotency_key
    return None if key is None else (task.spec.group.environment_id, key)


def _cut(requests: Sequence[Request], done: Sequence[tuple[UUID, bool]]) -> list[Answer]:
    answers: list[Answer] = []
    start = 0
    for request in requests:
        answers.append(list(done[start : start + len(request)]))
        start += len(request)
    return answers
