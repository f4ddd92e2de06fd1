"""The only code that knows `connect.installations`. Never commits."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from dragoman_server.db import Conn, read_sql
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, IntegrationId

_PACKAGE = __package__ or ""

AWAIT_INSTALLATION = read_sql(_PACKAGE, "await_installation")
AWAITED_INSTALLATION = read_sql(_PACKAGE, "awaited_installation")
RECEIVE_INSTALLATION = read_sql(_PACKAGE, "receive_installation")
CLAIM_INSTALLATION = read_sql(_PACKAGE, "claim_installation")
INSTALLATION_USED = read_sql(_PACKAGE, "installation_used")
RELEASE_INSTALLATION = read_sql(_PACKAGE, "release_installation")
DELETE_INSTALLATIONS = read_sql(_PACKAGE, "delete_installations")
EXPIRED_INSTALLATIONS = read_sql(_PACKAGE, "expired_installations")


@dataclass(frozen=True, slots=True)
class Awaited:
    """A connection that waits for its installation. `received`: the provider called already."""

    connection: ConnectionRowId
    session_id: UUID
    received: bool
    alive: bool
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Arrived:
    """What the provider's call brought, for us to use."""

    sealed: bytes = field(repr=False)
    received_at: datetime
    now: datetime


async def wait(
    conn: Conn,
    environment_id: EnvironmentId,
    connection: ConnectionRowId,
    integration_id: IntegrationId,
    match_print: bytes,
    session_id: UUID,
    life: timedelta,
) -> bool:
    """False when another connection waits for the same installation, or this one for another."""
    made = await conn.fetchval(
        AWAIT_INSTALLATION, environment_id, connection, integration_id, match_print, session_id, life
    )
    return made is not None


async def awaited(
    conn: Conn, environment_id: EnvironmentId, integration_id: IntegrationId, match_print: bytes
) -> Awaited | None:
    row = await conn.fetchrow(AWAITED_INSTALLATION, environment_id, integration_id, match_print)
    return None if row is None else Awaited(row[0], row[1], row[2], row[3], row[4])


async def receive(
    conn: Conn, environment_id: EnvironmentId, connection: ConnectionRowId, sealed: bytes, data_key_id: int
) -> bool:
    tag = await conn.execute(RECEIVE_INSTALLATION, environment_id, connection, sealed, data_key_id)
    return tag == "UPDATE 1"


async def claim(
    conn: Conn, environment_id: EnvironmentId, connection: ConnectionRowId, length: timedelta
) -> Arrived | None:
    row = await conn.fetchrow(CLAIM_INSTALLATION, environment_id, connection, length)
    return None if row is None else Arrived(row[0], row[1], row[2])


async def used(conn: Conn, environment_id: EnvironmentId, connection: ConnectionRowId) -> bool:
    return bool(await conn.fetchval(INSTALLATION_USED, environment_id, connection))


async def release(conn: Conn, environment_id: EnvironmentId, connection: ConnectionRowId, *, refused: bool) -> None:
    await conn.execute(RELEASE_INSTALLATION, environment_id, connection, refused)


async def delete(conn: Conn, environment_id: EnvironmentId, connections: Sequence[ConnectionRowId]) -> None:
    await conn.execute(DELETE_INSTALLATIONS, environment_id, list(connections))


async def expired(conn: Conn, limit: int) -> list[tuple[EnvironmentId, ConnectionRowId]]:
    rows = await conn.fetch(EXPIRED_INSTALLATIONS, limit)
    return [(EnvironmentId(row[0]), ConnectionRowId(row[1])) for row in rows]
