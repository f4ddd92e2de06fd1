"""The only code that knows `connect.device_authorizations`. Never commits."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dragoman_server.db import Conn, read_sql
from dragoman_server.kit.ids import EnvironmentId

_PACKAGE = __package__ or ""

INSERT_DEVICE = read_sql(_PACKAGE, "insert_device")
CLAIM_DEVICE = read_sql(_PACKAGE, "claim_device")
RELEASE_DEVICE = read_sql(_PACKAGE, "release_device")
END_DEVICE = read_sql(_PACKAGE, "end_device")
PENDING_DEVICES = read_sql(_PACKAGE, "pending_devices")
READ_DEVICE = read_sql(_PACKAGE, "read_device")
DEVICE_ENDED = read_sql(_PACKAGE, "device_ended")
DELETE_OLD_DEVICES = read_sql(_PACKAGE, "delete_old_devices")


@dataclass(frozen=True, slots=True)
class Claimed:
    """A pending authorization that is ours to ask about."""

    sealed: bytes = field(repr=False)
    interval: int
    alive: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class DeviceRow:
    outcome: Mapping[str, Any] | None
    interval: int
    seconds_left: int


async def insert(
    conn: Conn,
    *,
    id_: UUID,
    environment_id: EnvironmentId,
    session_id: UUID,
    sealed: bytes,
    data_key_id: int,
    interval: int,
    life: timedelta,
) -> datetime:
    """Return the database's time."""
    begun: datetime = await conn.fetchval(
        INSERT_DEVICE, id_, environment_id, session_id, sealed, data_key_id, interval, life
    )
    return begun


async def claim(conn: Conn, environment_id: EnvironmentId, id_: UUID, length: timedelta) -> Claimed | None:
    row = await conn.fetchrow(CLAIM_DEVICE, environment_id, id_, length)
    return None if row is None else Claimed(row[0], row[1], row[2], row[3])


async def release(conn: Conn, environment_id: EnvironmentId, id_: UUID, interval: int) -> None:
    await conn.execute(RELEASE_DEVICE, environment_id, id_, interval)


async def end(conn: Conn, environment_id: EnvironmentId, id_: UUID, outcome: Mapping[str, Any]) -> None:
    await conn.execute(END_DEVICE, environment_id, id_, outcome)


async def ended(conn: Conn, environment_id: EnvironmentId, id_: UUID) -> bool:
    return bool(await conn.fetchval(DEVICE_ENDED, environment_id, id_))


async def pending(conn: Conn, environment_id: EnvironmentId, session_id: UUID) -> int:
    return int(await conn.fetchval(PENDING_DEVICES, environment_id, session_id))


async def read(conn: Conn, environment_id: EnvironmentId, session_id: UUID, id_: UUID) -> DeviceRow | None:
    row = await conn.fetchrow(READ_DEVICE, environment_id, session_id, id_)
    return None if row is None else DeviceRow(row[0], row[1], row[2])


async def delete_old(conn: Conn, limit: int) -> int:
    return int((await conn.execute(DELETE_OLD_DEVICES, limit)).rpartition(" ")[2])
