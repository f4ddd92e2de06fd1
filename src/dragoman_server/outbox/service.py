"""Writing facts, and looking after those that were parked."""

from collections.abc import Sequence

from dragoman_server.db import Conn
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.outbox import _store
from dragoman_server.outbox.model import Fact, ParkedFact


async def put(conn: Conn, facts: Sequence[Fact]) -> None:
    """Write `facts` in the caller's transaction, in one statement; of equal ones the last stands.

    Nothing is notified from here (that would serialize commits): after the commit call `Nudger.nudge()` where a
    second's wait matters.
    """
    unique = {(fact.environment_id, fact.kind, fact.key): fact for fact in facts}
    if unique:
        await _store.put(conn, list(unique.values()))


async def hurry(conn: Conn, environment_id: EnvironmentId, kind: str, keys: Sequence[str]) -> None:
    """Make these facts due now, if they wait for a later time."""
    await _store.hurry(conn, environment_id, kind, keys)


async def parked(conn: Conn, environment_id: EnvironmentId, limit: int = 100) -> list[ParkedFact]:
    """Return the facts of an environment that failed too often, the newest first."""
    return await _store.parked(conn, environment_id, limit)


async def release(conn: Conn, environment_id: EnvironmentId, ids: Sequence[int]) -> int:
    """Try parked facts again from now on; return how many there were."""
    return await _store.release(conn, environment_id, ids)


async def backlog(conn: Conn) -> dict[str, tuple[int, int]]:
    """Return by kind how many facts are past their time, and how many are parked."""
    return await _store.backlog(conn)


async def forget_environment(conn: Conn, environment_id: EnvironmentId) -> None:
    """Drop every fact of an erased environment."""
    await _store.forget_environment(conn, environment_id)
