"""The only code that knows the tables of the schema `connect`. Never commits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dragoman_server.connect.model import CredentialKey, Failures, Renewal, Times
from dragoman_server.db import Conn, Row, read_sql
from dragoman_server.kit.ids import AccountId, ConnectionRowId, EnvironmentId, IntegrationId

_PACKAGE = __package__ or ""

READ_CREDENTIAL = read_sql(_PACKAGE, "read_credential")
LEASE_CREDENTIAL = read_sql(_PACKAGE, "lease_credential")
EXTEND_LEASE = read_sql(_PACKAGE, "extend_lease")
RELEASE_LEASE = read_sql(_PACKAGE, "release_lease")
COMMIT_RENEWAL = read_sql(_PACKAGE, "commit_renewal")
LEARN_EXPIRY = read_sql(_PACKAGE, "learn_expiry")
READ_FAILURES = read_sql(_PACKAGE, "read_failures")
WRITE_FAILURES = read_sql(_PACKAGE, "write_failures")
STORE_CREDENTIAL = read_sql(_PACKAGE, "store_credential")
DELETE_CREDENTIAL = read_sql(_PACKAGE, "delete_credential")
END_CREDENTIALS = read_sql(_PACKAGE, "end_credentials")
ENDED_CREDENTIALS = read_sql(_PACKAGE, "ended_credentials")
NOTE_TRIED = read_sql(_PACKAGE, "note_tried")
DELETE_ENDED = read_sql(_PACKAGE, "delete_ended_credentials")
NEWEST_ENDED = read_sql(_PACKAGE, "newest_ended")
DELETE_UNENDED = read_sql(_PACKAGE, "delete_unended_credentials")
DELETE_ENVIRONMENT_CREDENTIALS = read_sql(_PACKAGE, "delete_environment_credentials")
DUE_CREDENTIALS = read_sql(_PACKAGE, "due_credentials")
MARK_USED = read_sql(_PACKAGE, "mark_used")
INSERT_SESSION = read_sql(_PACKAGE, "insert_session")
FIND_SESSION = read_sql(_PACKAGE, "find_session")
DELETE_SESSION = read_sql(_PACKAGE, "delete_session")
DELETE_OLD_SESSIONS = read_sql(_PACKAGE, "delete_old_sessions")
INSERT_STATE = read_sql(_PACKAGE, "insert_state")
CONSUME_STATE = read_sql(_PACKAGE, "consume_state")
STATE_EXISTS = read_sql(_PACKAGE, "state_exists")
DELETE_OLD_STATES = read_sql(_PACKAGE, "delete_old_states")
COUNT_SEALED = read_sql(_PACKAGE, "count_sealed")
SEALED_UNDER = read_sql(_PACKAGE, "sealed_under")
RESEAL_CREDENTIAL = read_sql(_PACKAGE, "reseal_credential")
REFRESH_STATES = read_sql(_PACKAGE, "refresh_states")


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A credential's row, still sealed."""

    connection_uuid: UUID
    sealed: bytes
    version: int
    grant: bytes | None
    issued_at: datetime
    times: Times
    learned_life: timedelta | None
    failures: Failures
    refreshed_at: datetime | None
    lease_holder: UUID | None
    lease_until: datetime | None
    read_at: datetime
    repeated: bool = False


def _sealed_row(row: Row, *, repeated: bool = False) -> SealedRow:
    return SealedRow(
        connection_uuid=row["connection_uuid"],
        sealed=row["sealed"],
        version=row["version"],
        grant=row["grant_print"],
        issued_at=row["issued_at"],
        times=Times(row["stale_at"], row["due_at"]),
        learned_life=row["learned_life"],
        failures=_failures(row),
        refreshed_at=row["refreshed_at"],
        lease_holder=row["lease_holder"],
        lease_until=row["lease_until"],
        read_at=row["read_at"],
        repeated=repeated,
    )


def _failures(row: Row) -> Failures:
    return Failures(row["attempts"], row["counted"], row["counted_at"], row["failed_at"], row["exhausted"])


async def read_credential(conn: Conn, key: CredentialKey) -> SealedRow | None:
    row = await conn.fetchrow(READ_CREDENTIAL, key.environment_id, key.connection)
    return None if row is None else _sealed_row(row)


async def lease_credential(
    conn: Conn, key: CredentialKey, *, holder: UUID, version: int, length: timedelta
) -> SealedRow | None:
    row = await conn.fetchrow(LEASE_CREDENTIAL, key.environment_id, key.connection, holder, version, length)
    return None if row is None else _sealed_row(row, repeated=row["repeated"])


async def extend_lease(conn: Conn, key: CredentialKey, holder: UUID, length: timedelta) -> bool:
    return await conn.execute(EXTEND_LEASE, key.environment_id, key.connection, holder, length) == "UPDATE 1"


async def release_lease(conn: Conn, key: CredentialKey, holder: UUID) -> None:
    await conn.execute(RELEASE_LEASE, key.environment_id, key.connection, holder)


async def commit_renewal(conn: Conn, renewal: Renewal, data_key_id: int) -> bool:
    version = await conn.fetchval(
        COMMIT_RENEWAL,
        renewal.key.environment_id,
        renewal.key.connection,
        renewal.used,
        renewal.sealed,
        data_key_id,
        renewal.grant,
        renewal.issued_at,
        renewal.expires_at,
        renewal.times.stale_at,
        renewal.times.due_at,
        renewal.learned_life,
        renewal.holder,
    )
    return version is not None


async def learn_expiry(
    conn: Conn, key: CredentialKey, version: int, sealed: bytes, data_key_id: int, expires_at: datetime, times: Times
) -> None:
    await conn.execute(
        LEARN_EXPIRY,
        key.environment_id,
        key.connection,
        version,
        sealed,
        data_key_id,
        expires_at,
        times.stale_at,
        times.due_at,
    )


async def read_failures(conn: Conn, key: CredentialKey, holder: UUID, used: bytes) -> tuple[Failures, datetime] | None:
    """Return the counters and the database's time, the row locked; None when lease or grant changed."""
    row = await conn.fetchrow(READ_FAILURES, key.environment_id, key.connection, holder, used)
    return None if row is None else (_failures(row), row["read_at"])


async def write_failures(
    conn: Conn, key: CredentialKey, holder: UUID, failures: Failures, due_at: datetime | None
) -> None:
    await conn.execute(
        WRITE_FAILURES,
        key.environment_id,
        key.connection,
        holder,
        failures.attempts,
        failures.counted,
        failures.counted_at,
        failures.failed_at,
        failures.exhausted,
        due_at,
    )


async def store_credential(
    conn: Conn,
    key: CredentialKey,
    *,
    connection_uuid: UUID,
    mode: str,
    sealed: bytes,
    data_key_id: int,
    grant: bytes | None,
    expires_at: datetime | None,
    times: Times,
    token: bytes | None,
) -> int:
    """Return the row's new version."""
    version = await conn.fetchval(
        STORE_CREDENTIAL,
        key.environment_id,
        key.connection,
        connection_uuid,
        mode,
        sealed,
        data_key_id,
        grant,
        expires_at,
        times.stale_at,
        times.due_at,
        token,
    )
    return int(version)


async def delete_credential(conn: Conn, key: CredentialKey) -> None:
    await conn.execute(DELETE_CREDENTIAL, key.environment_id, key.connection)


@dataclass(frozen=True, slots=True)
class EndedRow:
    connection: ConnectionRowId
    connection_uuid: UUID
    sealed: bytes
    ended_at: datetime
    read_at: datetime
    shared: bool


async def end_credentials(
    conn: Conn, environment_id: EnvironmentId, integration_id: IntegrationId, numbers: Sequence[ConnectionRowId]
) -> None:
    await conn.execute(END_CREDENTIALS, environment_id, integration_id, list(numbers))


async def ended_credentials(
    conn: Conn, environment_id: EnvironmentId, integration_id: IntegrationId, *, before: datetime, limit: int
) -> list[EndedRow]:
    rows = await conn.fetch(ENDED_CREDENTIALS, environment_id, integration_id, before, limit)
    return [EndedRow(*row) for row in rows]


async def note_tried(conn: Conn, environment_id: EnvironmentId, numbers: Sequence[ConnectionRowId]) -> None:
    await conn.execute(NOTE_TRIED, environment_id, list(numbers))


async def delete_ended(conn: Conn, environment_id: EnvironmentId, numbers: Sequence[ConnectionRowId]) -> None:
    await conn.execute(DELETE_ENDED, environment_id, list(numbers))


async def newest_ended(conn: Conn, environment_id: EnvironmentId, integration_id: IntegrationId) -> timedelta | None:
    return await conn.fetchval(NEWEST_ENDED, environment_id, integration_id)


async def delete_unended(conn: Conn, environment_id: EnvironmentId) -> None:
    await conn.execute(DELETE_UNENDED, environment_id)


async def delete_environment_credentials(conn: Conn, environment_id: EnvironmentId) -> None:
    await conn.execute(DELETE_ENVIRONMENT_CREDENTIALS, environment_id)


async def due_credentials(conn: Conn, limit: int, *, rest: timedelta, idle: timedelta) -> list[CredentialKey]:
    rows = await conn.fetch(DUE_CREDENTIALS, limit, rest, idle)
    return [CredentialKey(EnvironmentId(row[0]), ConnectionRowId(row[1])) for row in rows]


async def mark_used(conn: Conn, keys: Sequence[CredentialKey]) -> None:
    await conn.execute(MARK_USED, [k.environment_id for k in keys], [k.connection for k in keys])


@dataclass(frozen=True, slots=True)
class SessionRow:
    id: UUID
    environment_id: EnvironmentId
    account_id: AccountId
    options: Mapping[str, Any]
    expires_at: datetime
    read_at: datetime


async def insert_session(
    conn: Conn,
    *,
    id_: UUID,
    environment_id: EnvironmentId,
    account_id: AccountId,
    token_hash: bytes,
    options: Mapping[str, Any],
    life: timedelta,
) -> datetime:
    """Return when it ends."""
    end: datetime = await conn.fetchval(INSERT_SESSION, id_, environment_id, account_id, token_hash, options, life)
    return end


async def find_session(conn: Conn, token_hash: bytes) -> SessionRow | None:
    row = await conn.fetchrow(FIND_SESSION, token_hash)
    if row is None:
        return None
    return SessionRow(
        row["id"],
        EnvironmentId(row["environment_id"]),
        AccountId(row["account_id"]),
        row["options"],
        row["expires_at"],
        row["read_at"],
    )


async def delete_session(conn: Conn, environment_id: EnvironmentId, id_: UUID) -> None:
    await conn.execute(DELETE_SESSION, environment_id, id_)


async def delete_old_sessions(conn: Conn, limit: int) -> int:
    return int((await conn.execute(DELETE_OLD_SESSIONS, limit)).rpartition(" ")[2])


async def insert_state(
    conn: Conn,
    *,
    state_hash: bytes,
    environment_id: EnvironmentId,
    browser_hash: bytes,
    sealed: bytes,
    data_key_id: int,
    life: timedelta,
) -> None:
    await conn.execute(INSERT_STATE, state_hash, environment_id, browser_hash, sealed, data_key_id, life)


async def consume_state(
    conn: Conn, state_hash: bytes, browser_hash: bytes
) -> tuple[EnvironmentId, bytes, bool, datetime] | None:
    """Return the state's environment, its sealed content, whether it still lives, and now; it is gone afterwards."""
    row = await conn.fetchrow(CONSUME_STATE, state_hash, browser_hash)
    return None if row is None else (EnvironmentId(row[0]), row[1], row[2], row[3])


async def state_exists(conn: Conn, state_hash: bytes) -> bool:
    return bool(await conn.fetchval(STATE_EXISTS, state_hash))


async def delete_old_states(conn: Conn, limit: int) -> int:
    return int((await conn.execute(DELETE_OLD_STATES, limit)).rpartition(" ")[2])


async def count_sealed(conn: Conn, environment_id: EnvironmentId, data_key_id: int) -> int:
    return int(await conn.fetchval(COUNT_SEALED, environment_id, data_key_id))


async def sealed_under(
    conn: Conn, environment_id: EnvironmentId, data_key_id: int, limit: int
) -> list[tuple[CredentialKey, UUID, bytes]]:
    rows = await conn.fetch(SEALED_UNDER, environment_id, data_key_id, limit)
    return [(CredentialKey(environment_id, ConnectionRowId(row[0])), row[1], row[2]) for row in rows]


async def reseal_credential(conn: Conn, key: CredentialKey, old: bytes, new: bytes, data_key_id: int) -> bool:
    tag = await conn.execute(RESEAL_CREDENTIAL, key.environment_id, key.connection, old, new, data_key_id)
    return tag == "UPDATE 1"


@dataclass(frozen=True, slots=True)
class RefreshState:
    """What is shown about a connection's credential."""

    mode: str
    expires_at: datetime | None
    refreshed_at: datetime | None
    failed_at: datetime | None
    attempts: int
    exhausted: bool


async def refresh_states(
    conn: Conn, environment_id: EnvironmentId, connections: Sequence[ConnectionRowId]
) -> dict[ConnectionRowId, RefreshState]:
    rows = await conn.fetch(REFRESH_STATES, environment_id, list(connections))
    return {ConnectionRowId(row[0]): RefreshState(row[1], row[2], row[3], row[4], row[5], row[6]) for row in rows}
