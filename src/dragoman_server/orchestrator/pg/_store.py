"""The only code that knows the tables: statements in, rows out. Never commits."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from dragoman_server.db import Conn, Row, read_sql
from dragoman_server.orchestrator.model import (
    Cancelled,
    ClaimedTask,
    Failed,
    Finish,
    GroupKey,
    Interrupted,
    QueueLimits,
    ScheduleInfo,
    ScheduleSpec,
    Succeeded,
    TaskResult,
    TaskSpec,
    lane,
)
from dragoman_server.orchestrator.rules import Pair
from dragoman_server.orchestrator.states import TaskState

_PART = "dragoman_server.orchestrator.pg"

BEAT = read_sql(_PART, "beat")
CANCEL = read_sql(_PART, "cancel")
CLAIM = read_sql(_PART, "claim")
COUNT_BACKLOGS = read_sql(_PART, "count_backlogs")
DELETE_SCHEDULES = read_sql(_PART, "delete_schedules")
DROP_PARTITIONS = read_sql(_PART, "drop_partitions")
ENDED_FOR = read_sql(_PART, "ended_for")
EXPIRE = read_sql(_PART, "expire")
FINISH = read_sql(_PART, "finish")
FINISHED_BEFORE = read_sql(_PART, "finished_before")
FORGET_WORKERS = read_sql(_PART, "forget_workers")
HOLDS = read_sql(_PART, "holds")
KNOWN_KEYS = read_sql(_PART, "known_keys")
LIFT_CAP = read_sql(_PART, "lift_cap")
LOCK_BACKLOGS = read_sql(_PART, "lock_backlogs")
MAKE_PARTITIONS = read_sql(_PART, "make_partitions")
NOTIFY = read_sql(_PART, "notify")
NOW = read_sql(_PART, "now")
PURGE_SUBMISSIONS = read_sql(_PART, "purge_submissions")
REAP = read_sql(_PART, "reap")
RESULTS = read_sql(_PART, "results")
RETIME = read_sql(_PART, "retime")
SEARCH_SCHEDULES = read_sql(_PART, "search_schedules")
SET_CAP = read_sql(_PART, "set_cap")
SET_SCHEDULE_STATE = read_sql(_PART, "set_schedule_state")
SUBMIT = read_sql(_PART, "submit")
SUBMIT_AND_CLAIM = read_sql(_PART, "submit_and_claim")
TICK = read_sql(_PART, "tick")
TRIGGER = read_sql(_PART, "trigger")
UNREGISTER = read_sql(_PART, "unregister")
UPSERT_SCHEDULES = read_sql(_PART, "upsert_schedules")
VACUUM_TASKS = read_sql(_PART, "vacuum_tasks")

BEGINNING = (-1, 0)
"""The cursor before every shard and environment."""


def encode(value: Mapping[str, Any]) -> str:
    """Encode JSON in one spelling; raise ValueError or TypeError for what JSON cannot carry."""
    return msgspec.json.encode(value, order="deterministic").decode()


def encode_error(value: Mapping[str, Any]) -> str:
    """Encode a failure's JSON whatever is in it: foreign text must never keep a task from ending."""
    try:
        return encode(value)
    except (ValueError, TypeError):
        return json.dumps(value, default=str, ensure_ascii=False, skipkeys=True).encode("utf-8", "replace").decode()


def decode(text: str | None) -> dict[str, Any]:
    return msgspec.json.decode(text) if text else {}


@dataclass(frozen=True, slots=True)
class Queued:
    """A task about to be queued."""

    id: UUID
    spec: TaskSpec
    payload: str
    max_queued: int

    @property
    def pair(self) -> Pair:
        return (lane(self.spec.queue, interactive=self.spec.interactive), self.spec.group.environment_id)


@dataclass(frozen=True, slots=True)
class Want:
    """What a claimer wants of one lane, and where its round goes on."""

    queue: str
    most: int
    limits: QueueLimits
    cursor: tuple[int, int]
    sweep: int


@dataclass(slots=True)
class Got:
    """What a claim took from one lane.

    `reached`: the last environment looked at; `served`: the last one served. `busy`: another claimer held a shard;
    `more`: not all environments were seen; `cut`: something may be left in those seen; `blocked`: environments with
    ready tasks that a cap holds back.
    """

    tasks: list[ClaimedTask]
    reached: tuple[int, int] = BEGINNING
    served: tuple[int, int] = BEGINNING
    busy: bool = False
    more: bool = False
    cut: bool = False
    blocked: frozenset[int] = frozenset()

    @property
    def dry(self) -> bool:
        """Everything was seen and nothing claimable is left."""
        return not (self.busy or self.more or self.cut)


@dataclass(frozen=True, slots=True)
class Ended:
    """What `finish` did with one task: a final state, or created or delayed for another attempt."""

    state: TaskState
    scheduled: bool
    finished_at: datetime


@dataclass(frozen=True, slots=True)
class Ticked:
    due: int
    queues: Sequence[str]
    promoted: int
    next_at: datetime | None
    now: datetime


_NO_CAP = 2**31 - 1


async def claim(conn: Conn, worker: str, wants: Sequence[Want], lease: timedelta) -> dict[str, Got]:
    """Claim from every lane wanted, fairly and under the caps."""
    return _got(wants, await conn.fetch(CLAIM, *_claim_values(worker, wants, lease)))


def _claim_values(worker: str, wants: Sequence[Want], lease: timedelta) -> list[Any]:
    return [
        worker,
        [w.queue for w in wants],
        [w.most for w in wants],
        [w.limits.environment_cap for w in wants],
        [_NO_CAP if w.limits.connection_cap is None else w.limits.connection_cap for w in wants],
        [w.cursor[0] for w in wants],
        [w.cursor[1] for w in wants],
        [w.sweep for w in wants],
        lease,
    ]


def _got(wants: Sequence[Want], rows: Sequence[Row]) -> dict[str, Got]:
    got = {w.queue: Got([]) for w in wants}
    last_turn = dict.fromkeys(got, 0)
    for row in rows:
        queue: str = row["queue"]
        answer = got[queue]
        if row["task"] is None:
            answer.busy, answer.more, answer.cut = row["busy"], row["more"], row["cut"]
            answer.blocked = frozenset(row["blocked"] or ())
            if row["shard"] >= 0:
                answer.reached = (row["shard"], row["environment_id"])
            continue
        if row["turn"] > last_turn[queue]:
            last_turn[queue] = row["turn"]
            answer.served = (row["shard"], row["environment_id"])
        answer.tasks.append(_claimed(row))
    return got


def _claimed(row: Row) -> ClaimedTask:
    return ClaimedTask(
        id=row["task"],
        attempt=row["attempt"],
        queue=row["queue"],
        group=GroupKey(row["environment_id"], row["connection"]),
        payload=decode(row["payload"]) | decode(row["payload_extra"]),
        schedule_key=row["schedule_key"],
        deadline=row["deadline"],
        created_at=row["created_at"],
        ready_at=row["ready_at"],
        run_timeout=row["run_timeout"],
    )


async def submit(conn: Conn, tasks: Sequence[Queued], *, margin: int | None) -> list[tuple[UUID, bool]] | None:
    """Queue `tasks`; None (nothing done) when `margin` is given and a lane comes that near to its cap."""
    rows = await conn.fetch(SUBMIT, *_submit_values(tasks, margin))
    return [(row["task"], row["created"]) for row in rows] if rows else None


async def submit_and_claim(
    conn: Conn, tasks: Sequence[Queued], *, margin: int, worker: str, wants: Sequence[Want], lease: timedelta
) -> tuple[list[tuple[UUID, bool]], dict[str, Got]] | None:
    """Queue `tasks` and claim in the same transaction; None (nothing done) as `submit`."""
    values = [*_submit_values(tasks, margin), *_claim_values(worker, wants, lease)]
    rows = await conn.fetch(SUBMIT_AND_CLAIM, *values)
    if not rows:
        return None
    done = [(row["task"], row["created"]) for row in rows[: len(tasks)]]
    return done, _got(wants, rows[len(tasks) :])


def _submit_values(tasks: Sequence[Queued], margin: int | None) -> list[Any]:
    specs = [t.spec for t in tasks]
    return [
        [t.id for t in tasks],
        [t.pair[0] for t in tasks],
        [s.group.environment_id for s in specs],
        [s.group.connection for s in specs],
        [s.priority for s in specs],
        [t.payload for t in tasks],
        [s.lock_key for s in specs],
        [s.start_after for s in specs],
        [s.start_by for s in specs],
        [s.run_timeout for s in specs],
        [s.retry.max_attempts for s in specs],
        [s.retry.first.total_seconds() for s in specs],
        [s.retry.factor for s in specs],
        [s.retry.ceiling.total_seconds() for s in specs],
        [s.requeue_on_lost_lease for s in specs],
        [s.idempotency_key for s in specs],
        [t.max_queued for t in tasks],
        margin,
    ]


async def lock_backlogs(conn: Conn, caps: Mapping[Pair, int]) -> dict[Pair, int]:
    """Serialize with other exact counts and return the room left per lane and environment."""
    queues, environments = [p[0] for p in caps], [p[1] for p in caps]
    await conn.execute(LOCK_BACKLOGS, queues, environments)
    rows = await conn.fetch(COUNT_BACKLOGS, queues, environments, list(caps.values()))
    return {(row["queue"], row["environment_id"]): row["room"] for row in rows}


async def known_keys(conn: Conn, keys: Collection[tuple[int, str]]) -> set[tuple[int, str]]:
    """Which (environment, idempotency key) were submitted before."""
    if not keys:
        return set()
    rows = await conn.fetch(KNOWN_KEYS, [k[0] for k in keys], [k[1] for k in keys])
    return {(row["environment_id"], row["key"]) for row in rows}


def described(finish: Finish) -> tuple[str, bytes | None, Mapping[str, Any] | None, bool]:
    """Return state, output, error and whether another attempt may help."""
    match finish.outcome:
        case Succeeded(output):
            return TaskState.SUCCEEDED, output, None, False
        case Failed(error, retryable):
            return TaskState.FAILED, None, error, retryable
        case Cancelled():
            return TaskState.CANCELLED, None, None, False
        case Interrupted(reason):
            return TaskState.INTERRUPTED, None, {"code": "interrupted", "message": reason}, False


async def finish(conn: Conn, finishes: Sequence[Finish]) -> dict[UUID, Ended]:
    """End these attempts (one a task); those absent from the answer were fenced."""
    parts = [described(f) for f in finishes]
    rows = await conn.fetch(
        FINISH,
        [f.task_id for f in finishes],
        [f.attempt for f in finishes],
        [p[0] for p in parts],
        [p[1] for p in parts],
        [None if p[2] is None else encode_error(p[2]) for p in parts],
        [p[3] for p in parts],
    )
    return {row["task"]: Ended(TaskState(row["state"]), row["scheduled"], row["finished_at"]) for row in rows}


async def finished_before(conn: Conn, finishes: Sequence[Finish]) -> dict[UUID, Ended]:
    """Which of these attempts an earlier, unanswered commit recorded."""
    ids = [f.task_id for f in finishes]
    rows = await conn.fetch(FINISHED_BEFORE, ids, [f.attempt for f in finishes], oldest(ids))
    return {row["id"]: Ended(TaskState(row["state"]), False, row["finished_at"]) for row in rows}


def oldest(ids: Collection[UUID]) -> datetime:
    """A moment before any of these tasks was made: a version 7 id tells its own, less a day for clocks that differ."""
    if any(i.version != 7 for i in ids):
        return datetime(2000, 1, 1, tzinfo=UTC)
    first = min((i.int >> 80 for i in ids), default=0)
    return datetime.fromtimestamp(first / 1000, UTC) - timedelta(days=1)


async def results(conn: Conn, ids: Sequence[UUID]) -> dict[UUID, TaskResult]:
    """Results of those that ended and are still in the log."""
    rows = await conn.fetch(RESULTS, ids, oldest(ids))
    return {
        row["id"]: TaskResult(
            task_id=row["id"],
            state=TaskState(row["state"]),
            attempt=row["attempt"],
            output=row["output"],
            error=None if row["error"] is None else decode(row["error"]),
            finished_at=row["finished_at"],
        )
        for row in rows
    }


async def ended_for(conn: Conn, ids: Sequence[UUID]) -> dict[UUID, int]:
    """The environments of tasks that ended."""
    return {row["id"]: row["environment_id"] for row in await conn.fetch(ENDED_FOR, ids, oldest(ids))}


async def beat(conn: Conn, worker: str, slots: Mapping[str, int]) -> dict[UUID, tuple[int, bool]]:
    """Prolong the lease; return what the worker holds: attempt, and whether it was cancelled."""
    rows = await conn.fetch(BEAT, worker, encode(slots))
    return {row["id"]: (row["attempt"], row["cancel_requested"]) for row in rows}


async def upsert_schedules(conn: Conn, specs: Sequence[ScheduleSpec]) -> None:
    """Create or change schedules; each key once."""
    tasks = [s.task for s in specs]
    await conn.execute(
        UPSERT_SCHEDULES,
        [s.key for s in specs],
        [t.group.environment_id for t in tasks],
        [t.group.connection for t in tasks],
        [lane(t.queue, interactive=t.interactive) for t in tasks],
        [t.priority for t in tasks],
        [t.lock_key or f"schedule:{s.key}" for s, t in zip(specs, tasks, strict=True)],
        [encode(t.payload) for t in tasks],
        [t.start_by for t in tasks],
        [t.run_timeout for t in tasks],
        [t.retry.max_attempts for t in tasks],
        [t.retry.first.total_seconds() for t in tasks],
        [t.retry.factor for t in tasks],
        [t.retry.ceiling.total_seconds() for t in tasks],
        [t.requeue_on_lost_lease for t in tasks],
        [milliseconds(s.every) for s in specs],
        [s.starts_at for s in specs],
        [s.paused for s in specs],
    )


def milliseconds(period: timedelta) -> int:
    return period // timedelta(milliseconds=1)


async def search_schedules(conn: Conn, keys: Collection[str]) -> list[ScheduleInfo]:
    rows = await conn.fetch(SEARCH_SCHEDULES, list(keys))
    return [
        ScheduleInfo(
            key=row["key"],
            every=timedelta(milliseconds=row["every_ms"]),
            next_run_at=row["next_run_at"],
            paused=row["paused"],
            running_task_id=row["task"],
            last_state=None if row["last_state"] is None else TaskState(row["last_state"]),
        )
        for row in rows
    ]


async def tick(conn: Conn, limit: int) -> Ticked:
    """Start what is due and wake what was delayed, up to `limit` of each."""
    row = await conn.fetchrow(TICK, limit)
    assert row is not None
    return Ticked(row["due"], row["queues"], row["promoted"], row["next_at"], row["now_at"])
