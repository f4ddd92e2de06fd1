"""The only code that knows the tables of the webhooks."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from dragoman_server.db import Conn, Row, read_sql
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, OperationId
from dragoman_server.logs.redact import redact_url
from dragoman_server.webhooks import rules
from dragoman_server.webhooks.model import Attempt, Claimed, Delivery, DeliveryFilter, DeliveryId, NewDelivery, Result

_PACKAGE = __package__ or ""
INSERT_MESSAGES = read_sql(_PACKAGE, "insert_messages")
INSERT_DESTINATIONS = read_sql(_PACKAGE, "insert_destinations")
INSERT_DELIVERIES = read_sql(_PACKAGE, "insert_deliveries")
CLAIM = read_sql(_PACKAGE, "claim")
BODIES = read_sql(_PACKAGE, "bodies")
FINISH = read_sql(_PACKAGE, "finish")
JUDGE_DESTINATIONS = read_sql(_PACKAGE, "judge_destinations")
EXPIRE = read_sql(_PACKAGE, "expire")
PRUNE_DELIVERIES = read_sql(_PACKAGE, "prune_deliveries")
PRUNE_MESSAGES = read_sql(_PACKAGE, "prune_messages")
LIST_DELIVERIES = read_sql(_PACKAGE, "list_deliveries")
LIST_ATTEMPTS = read_sql(_PACKAGE, "list_attempts")
BODY_OF = read_sql(_PACKAGE, "body_of")
REDELIVER = read_sql(_PACKAGE, "redeliver")
ERASE_CONNECTION = read_sql(_PACKAGE, "erase_connection")
FORGET_ENVIRONMENT = read_sql(_PACKAGE, "forget_environment")

MessageRow = tuple[EnvironmentId, str, str, str | None]
MessageKey = tuple[EnvironmentId, str]


async def insert(
    conn: Conn, messages: Sequence[MessageRow], deliveries: Sequence[NewDelivery], *, give_up_after: timedelta
) -> set[DeliveryId]:
    """Write what is not there yet; return the deliveries made now."""
    if not deliveries:
        return set()
    await conn.execute(INSERT_MESSAGES, *(list(c) for c in zip(*messages, strict=True)))
    targets = sorted({(d.environment_id, d.url) for d in deliveries})
    await conn.execute(INSERT_DESTINATIONS, [t[0] for t in targets], [t[1] for t in targets])
    rows = await conn.fetch(
        INSERT_DELIVERIES,
        [d.id for d in deliveries],
        [d.environment_id for d in deliveries],
        [d.message_id for d in deliveries],
        [d.url for d in deliveries],
        [d.type for d in deliveries],
        [d.integration for d in deliveries],
        [d.connection for d in deliveries],
        [d.connection_row_id for d in deliveries],
        give_up_after,
    )
    return {DeliveryId(row[0]) for row in rows}


async def claim(
    conn: Conn, *, after: int, hops: int, lease: timedelta, default_cap: int, caps: Mapping[int, int], limit: int
) -> tuple[list[Claimed], int]:
    """Lease due deliveries; also return the destination to go on after, 0 when all were visited (or none is due)."""
    rows = await conn.fetch(CLAIM, after, hops, lease, default_cap, list(caps), list(caps.values()), limit)
    last, visited = rows[0][0], rows[0][1]
    claimed = [Claimed(*tuple(row)[2:]) for row in rows if row[2] is not None]
    return claimed, int(last) if visited >= hops else 0


async def bodies(conn: Conn, keys: Sequence[MessageKey]) -> dict[MessageKey, tuple[bytes, dict[str, str]]]:
    """Return the exact bytes and the extra headers of messages."""
    rows = await conn.fetch(BODIES, [k[0] for k in keys], [k[1] for k in keys])
    return {(EnvironmentId(r[0]), r[1]): (r[2].encode(), json.loads(r[3]) if r[3] else {}) for r in rows}


async def finish(conn: Conn, results: Sequence[Result]) -> None:
    """Record attempts, move their deliveries, and judge their destinations' circuits."""
    await conn.execute(
        FINISH,
        [r.delivery.id for r in results],
        [r.delivery.attempt for r in results],
        [r.delivery.environment_id for r in results],
        [r.status for r in results],
        [r.duration_ms for r in results],
        [r.error for r in results],
        [r.excerpt for r in results],
        [r.state for r in results],
        [None if r.again_in is None else timedelta(seconds=r.again_in) for r in results],
    )
    by_destination: dict[tuple[int, EnvironmentId], list[bool]] = {}
    for r in results:
        key = (r.delivery.destination_id, r.delivery.environment_id)
        by_destination.setdefault(key, []).append(r.state == "success")
    streaks = {key: rules.streak(outcomes) for key, outcomes in by_destination.items()}
    await conn.execute(
        JUDGE_DESTINATIONS,
        [key[0] for key in streaks],
        [key[1] for key in streaks],
        [succeeded for succeeded, _ in streaks.values()],
        [failed for _, failed in streaks.values()],
        rules.CIRCUIT_FAILURES,
        rules.CIRCUIT_FIRST_PAUSE,
        rules.CIRCUIT_LONGEST_PAUSE,
    )


async def expire(conn: Conn, *, limit: int) -> list[tuple[EnvironmentId, DeliveryId]]:
    """Give up deliveries whose time is over; return them."""
    return [(EnvironmentId(row[0]), DeliveryId(row[1])) for row in await conn.fetch(EXPIRE, limit)]


async def prune_deliveries(conn: Conn, *, days: int, limit: int) -> int:
    """Forget up to `limit` old deliveries; return how many."""
    return int(await conn.fetchval(PRUNE_DELIVERIES, days, limit))


async def prune_messages(conn: Conn, *, days: int, limit: int) -> int:
    """Forget up to `limit` old messages nobody points to; return how many."""
    return int(await conn.fetchval(PRUNE_MESSAGES, days, limit))


async def list_deliveries(
    conn: Conn,
    environment_id: EnvironmentId,
    wanted: DeliveryFilter,
    *,
    before: uuid.UUID | None,
    only: uuid.UUID | None,
    limit: int,
) -> list[Delivery]:
    """Return deliveries, newest first."""
    rows = await conn.fetch(
        LIST_DELIVERIES,
        environment_id,
        before,
        list(wanted.states),
        list(wanted.types),
        list(wanted.connections),
        list(wanted.integrations),
        wanted.message_id,
        only,
        limit,
    )
    return [_delivery(row) for row in rows]


def _delivery(row: Row) -> Delivery:
    values: list[Any] = list(row)
    values[3] = redact_url(values[3])
    values[16] = bool(values[16])
    return Delivery(*values)


async def list_attempts(conn: Conn, environment_id: EnvironmentId, delivery_id: DeliveryId) -> list[Attempt]:
    """Return what happened to a delivery, in order."""
    return [Attempt(*row) for row in await conn.fetch(LIST_ATTEMPTS, environment_id, delivery_id)]


async def body_of(conn: Conn, environment_id: EnvironmentId, delivery_id: DeliveryId) -> str | None:
    """Return the body a delivery carries."""
    found: str | None = await conn.fetchval(BODY_OF, environment_id, delivery_id)
    return found


async def redeliver(
    conn: Conn,
    environment_id: EnvironmentId,
    delivery_id: DeliveryId,
    new_id: DeliveryId,
    *,
    give_up_after: timedelta,
) -> bool:
    """Make another delivery of the same message; False when there is no such delivery."""
    return await conn.fetchval(REDELIVER, environment_id, delivery_id, new_id, give_up_after) is not None


async def erase_connection(
    conn: Conn, environment_id: EnvironmentId, connection_row_id: ConnectionRowId, *, limit: int
) -> int:
    """Erase up to `limit` deliveries of a connection with their messages; return how many."""
    return int(await conn.fetchval(ERASE_CONNECTION, environment_id, connection_row_id, limit))


async def forget_environment(conn: Conn, environment_id: EnvironmentId) -> None:
    """Erase everything of an environment."""
    await conn.execute(FORGET_ENVIRONMENT, environment_id)


def operation_id(delivery_id: DeliveryId) -> OperationId:
    """A delivery is logged as an operation of the same id."""
    return OperationId(delivery_id)
