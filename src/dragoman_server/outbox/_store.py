"""The only code that knows the outbox's table."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from dragoman_server.db import Conn, read_sql
from dragoman_server.db.database import encode_json
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.outbox.model import Fact, ParkedFact, StoredFact

_PACKAGE = __package__ or ""
PUT = read_sql(_PACKAGE, "put")
DUE_KINDS = read_sql(_PACKAGE, "due_kinds")
CLAIM = read_sql(_PACKAGE, "claim")
FINISH = read_sql(_PACKAGE, "finish")
AGAIN = read_sql(_PACKAGE, "again")
FAIL = read_sql(_PACKAGE, "fail")
PARKED = read_sql(_PACKAGE, "parked")
RELEASE = read_sql(_PACKAGE, "release")
BACKLOG = read_sql(_PACKAGE, "backlog")
FORGET_ENVIRONMENT = read_sql(_PACKAGE, "forget_environment")
HURRY = read_sql(_PACKAGE, "hurry")
NOTIFY = read_sql(_PACKAGE, "notify")


@dataclass(frozen=True, slots=True)
class Failure:
    """What becomes of a fact whose handling failed."""

    fact: StoredFact
    wait: timedelta
    error: str
    park: bool
    forgive: bool


async def put(conn: Conn, facts: Sequence[Fact]) -> None:
    await conn.execute(
        PUT,
        [fact.environment_id for fact in facts],
        [fact.kind for fact in facts],
        [fact.key for fact in facts],
        [encode_json(fact.body) for fact in facts],
        [fact.not_before for fact in facts],
    )


async def hurry(conn: Conn, environment_id: EnvironmentId, kind: str, keys: Sequence[str]) -> None:
    await conn.execute(HURRY, environment_id, kind, list(keys))


async def due_kinds(conn: Conn, kinds: Sequence[str]) -> list[str]:
    return [row["kind"] for row in await conn.fetch(DUE_KINDS, list(kinds))]


async def claim(conn: Conn, kind: str, *, limit: int, lease: timedelta) -> list[StoredFact]:
    rows = await conn.fetch(CLAIM, kind, limit, lease)
    return sorted((StoredFact(*row) for row in rows), key=lambda fact: fact.id)


async def finish(conn: Conn, facts: Sequence[StoredFact]) -> None:
    """Forget handled facts, and hand over again those that were put anew meanwhile."""
    environments, ids = [fact.environment_id for fact in facts], [fact.id for fact in facts]
    gone = {row["id"] for row in await conn.fetch(FINISH, environments, ids, [fact.version for fact in facts])}
    left = [fact for fact in facts if fact.id not in gone]
    if left:
        await conn.execute(
            AGAIN,
            [fact.environment_id for fact in left],
            [fact.id for fact in left],
            [fact.attempts for fact in left],
        )


async def fail(conn: Conn, failures: Sequence[Failure]) -> None:
    await conn.execute(
        FAIL,
        [failure.fact.environment_id for failure in failures],
        [failure.fact.id for failure in failures],
        [failure.fact.attempts for failure in failures],
        [failure.fact.version for failure in failures],
        [failure.wait for failure in failures],
        [failure.error for failure in failures],
        [failure.park for failure in failures],
        [failure.forgive for failure in failures],
    )


async def parked(conn: Conn, environment_id: EnvironmentId, limit: int) -> list[ParkedFact]:
    return [ParkedFact(*row) for row in await conn.fetch(PARKED, environment_id, limit)]


async def release(conn: Conn, environment_id: EnvironmentId, ids: Sequence[int]) -> int:
    return int((await conn.execute(RELEASE, environment_id, list(ids))).rpartition(" ")[2])


async def backlog(conn: Conn) -> dict[str, tuple[int, int]]:
    return {row["kind"]: (row["due"], row["parked"]) for row in await conn.fetch(BACKLOG)}


async def forget_environment(conn: Conn, environment_id: EnvironmentId) -> None:
    await conn.execute(FORGET_ENVIRONMENT, environment_id)


async def notify(conn: Conn) -> None:
    await conn.execute(NOTIFY)
