"""Accounts and environments."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from datetime import timedelta
from typing import Any
from uuid import UUID

from dragoman_server.control.model import Account, Environment, WebhookSettings
from dragoman_server.db import Conn, Row, read_sql
from dragoman_server.kit.ids import AccountId, EnvironmentId

_PACKAGE = "dragoman_server.control"
INSERT_ACCOUNT = read_sql(_PACKAGE, "insert_account")
ACCOUNT = read_sql(_PACKAGE, "account")
ACCOUNTS = read_sql(_PACKAGE, "accounts")
INSERT_ENVIRONMENT = read_sql(_PACKAGE, "insert_environment")
ENVIRONMENT = read_sql(_PACKAGE, "environment")
ENVIRONMENT_BY_UUID = read_sql(_PACKAGE, "environment_by_uuid")
ENVIRONMENTS_OF = read_sql(_PACKAGE, "environments_of")
UPDATE_ENVIRONMENT = read_sql(_PACKAGE, "update_environment")
DELETE_ENVIRONMENT = read_sql(_PACKAGE, "delete_environment")
SIGNING_KEY = read_sql(_PACKAGE, "signing_key")
SET_SIGNING_KEY = read_sql(_PACKAGE, "set_signing_key")
SIGNING_KEY_LOCKED = read_sql(_PACKAGE, "signing_key_locked")
RESEAL_SIGNING_KEY = read_sql(_PACKAGE, "reseal_signing_key")
DELETED_BEFORE = read_sql(_PACKAGE, "environments_deleted_before")
PURGES = tuple(
    read_sql(_PACKAGE, f"purge_environment_{table}")
    for table in (
        "variables", "function_versions", "syncs", "functions", "deployments", "connections", "integrations", "runs",
        "api_keys",
    )
)  # fmt: skip
PURGE_ENVIRONMENT = read_sql(_PACKAGE, "purge_environment")
_WEBHOOK_FIELDS = frozenset(field.name for field in fields(WebhookSettings))


def _environment(row: Row) -> Environment:
    known = {name: value for name, value in row["webhooks"].items() if name in _WEBHOOK_FIELDS}
    return Environment(
        row["id"], row["uuid"], row["account_id"], row["name"], row["is_production"],
        WebhookSettings(**known), row["settings"], row["created_at"],
    )  # fmt: skip


async def insert_account(conn: Conn, name: str) -> Account:
    row = await conn.fetchrow(INSERT_ACCOUNT, name)
    assert row is not None
    return Account(*row)


async def account(conn: Conn, account_id: AccountId) -> Account | None:
    row = await conn.fetchrow(ACCOUNT, account_id)
    return None if row is None else Account(*row)


async def accounts(conn: Conn) -> list[Account]:
    return [Account(*row) for row in await conn.fetch(ACCOUNTS)]


async def insert_environment(
    conn: Conn, account_id: AccountId, name: str, *, is_production: bool, settings: Mapping[str, Any]
) -> Environment | None:
    row = await conn.fetchrow(INSERT_ENVIRONMENT, account_id, name, is_production, settings)
    return None if row is None else _environment(row)


async def environment(conn: Conn, environment_id: EnvironmentId) -> Environment | None:
    row = await conn.fetchrow(ENVIRONMENT, environment_id)
    return None if row is None else _environment(row)


async def environment_by_uuid(conn: Conn, uuid: UUID) -> Environment | None:
    row = await conn.fetchrow(ENVIRONMENT_BY_UUID, uuid)
    return None if row is None else _environment(row)


async def environments_of(conn: Conn, account_id: AccountId) -> list[Environment]:
    return [_environment(row) for row in await conn.fetch(ENVIRONMENTS_OF, account_id)]


async def update_environment(
    conn: Conn,
    environment_id: EnvironmentId,
    *,
    name: str | None,
    is_production: bool | None,
    webhooks: WebhookSettings | None,
    settings: Mapping[str, Any] | None,
) -> Environment | None:
    stored = None if webhooks is None else asdict(webhooks)
    row = await conn.fetchrow(UPDATE_ENVIRONMENT, environment_id, name, is_production, stored, settings)
    return None if row is None else _environment(row)


async def delete_environment(conn: Conn, environment_id: EnvironmentId, account_id: AccountId) -> bool:
    return await conn.fetchval(DELETE_ENVIRONMENT, environment_id, account_id) is not None


async def signing_keys(conn: Conn, environment_id: EnvironmentId) -> tuple[bytes, bytes | None] | None:
    """The key, and the one before it while that still counts."""
    row = await conn.fetchrow(SIGNING_KEY, environment_id)
    return None if row is None or row["signing_key"] is None else (row["signing_key"], row["previous"])


async def set_signing_key(conn: Conn, environment_id: EnvironmentId, sealed: bytes) -> None:
    await conn.execute(SET_SIGNING_KEY, environment_id, sealed)


async def signing_keys_locked(conn: Conn, environment_id: EnvironmentId) -> tuple[bytes | None, bytes | None]:
    """Both, however old, of a deleted environment too, locked."""
    row = await conn.fetchrow(SIGNING_KEY_LOCKED, environment_id)
    return (None, None) if row is None else (row["signing_key"], row["previous"])


async def reseal_signing_keys(
    conn: Conn, environment_id: EnvironmentId, sealed: bytes | None, previous: bytes | None
) -> None:
    await conn.execute(RESEAL_SIGNING_KEY, environment_id, sealed, previous)


async def deleted_before(conn: Conn, age: timedelta) -> list[EnvironmentId]:
    return [row["id"] for row in await conn.fetch(DELETED_BEFORE, age)]


async def purge_environment(conn: Conn, environment_id: EnvironmentId) -> None:
    for statement in PURGES:
        await conn.execute(statement, environment_id)
    await conn.execute(PURGE_ENVIRONMENT, environment_id)
