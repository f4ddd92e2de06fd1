"""API keys and variables."""

from collections.abc import Mapping, Sequence
from typing import cast

from dragoman_server.control.model import ApiKey, KeyKind
from dragoman_server.db import Conn, Row, read_sql
from dragoman_server.kit.ids import AccountId, EnvironmentId

_PACKAGE = "dragoman_server.control"
INSERT_API_KEY = read_sql(_PACKAGE, "insert_api_key")
API_KEY_BY_HASH = read_sql(_PACKAGE, "api_key_by_hash")
API_KEYS_OF_ENVIRONMENT = read_sql(_PACKAGE, "api_keys_of_environment")
API_KEYS_OF_ACCOUNT = read_sql(_PACKAGE, "api_keys_of_account")
UPDATE_API_KEY = read_sql(_PACKAGE, "update_api_key")
DELETE_API_KEY = read_sql(_PACKAGE, "delete_api_key")
TOUCH_API_KEYS = read_sql(_PACKAGE, "touch_api_keys")
VARIABLES = read_sql(_PACKAGE, "variables")
PUT_VARIABLES = read_sql(_PACKAGE, "put_variables")
DELETE_VARIABLES = read_sql(_PACKAGE, "delete_variables")
DELETE_OTHER_VARIABLES = read_sql(_PACKAGE, "delete_other_variables")
COUNT_VARIABLES_UNDER = read_sql(_PACKAGE, "count_variables_under")
VARIABLES_UNDER = read_sql(_PACKAGE, "variables_under")


def _api_key(row: Row) -> ApiKey:
    return ApiKey(
        row["id"], row["kind"], row["account_id"], row["environment_id"], row["display_name"],
        frozenset(row["scopes"]), row["last_used_at"], row["created_at"],
    )  # fmt: skip


async def insert_api_key(
    conn: Conn,
    kind: KeyKind,
    account_id: AccountId,
    environment_id: EnvironmentId | None,
    display_name: str,
    scopes: Sequence[str],
    hashed: bytes,
) -> ApiKey:
    row = await conn.fetchrow(INSERT_API_KEY, kind, account_id, environment_id, display_name, list(scopes), hashed)
    assert row is not None
    return _api_key(row)


async def api_key_by_hash(conn: Conn, hashed: bytes) -> ApiKey | None:
    row = await conn.fetchrow(API_KEY_BY_HASH, hashed)
    return None if row is None else _api_key(row)


async def api_keys(conn: Conn, account_id: AccountId, environment_id: EnvironmentId | None) -> list[ApiKey]:
    if environment_id is None:
        return [_api_key(row) for row in await conn.fetch(API_KEYS_OF_ACCOUNT, account_id)]
    return [_api_key(row) for row in await conn.fetch(API_KEYS_OF_ENVIRONMENT, environment_id)]


async def update_api_key(
    conn: Conn,
    account_id: AccountId,
    environment_id: EnvironmentId | None,
    key_id: int,
    *,
    display_name: str | None,
    scopes: Sequence[str] | None,
) -> tuple[ApiKey, bytes] | None:
    """Return the key and its hash, or None when there is none."""
    listed = None if scopes is None else list(scopes)
    row = await conn.fetchrow(UPDATE_API_KEY, environment_id, key_id, display_name, listed, account_id)
    return None if row is None else (_api_key(row), row["hash"])


async def delete_api_key(
    conn: Conn, account_id: AccountId, environment_id: EnvironmentId | None, key_id: int
) -> bytes | None:
    """Return the hash of the key that is gone, or None when there was none."""
    return cast("bytes | None", await conn.fetchval(DELETE_API_KEY, environment_id, key_id, account_id))


async def touch_api_keys(conn: Conn, key_ids: Sequence[int]) -> None:
    await conn.execute(TOUCH_API_KEYS, list(key_ids))


async def variables(conn: Conn, environment_id: EnvironmentId) -> list[tuple[str, bytes]]:
    return [(row["name"], row["value"]) for row in await conn.fetch(VARIABLES, environment_id)]


async def put_variables(conn: Conn, environment_id: EnvironmentId, sealed: Mapping[str, bytes]) -> None:
    await conn.execute(PUT_VARIABLES, environment_id, list(sealed), list(sealed.values()))


async def delete_variables(conn: Conn, environment_id: EnvironmentId, names: Sequence[str]) -> int:
    return int((await conn.execute(DELETE_VARIABLES, environment_id, list(names))).rpartition(" ")[2])


async def delete_other_variables(conn: Conn, environment_id: EnvironmentId, names: Sequence[str]) -> None:
    await conn.execute(DELETE_OTHER_VARIABLES, environment_id, list(names))


async def count_variables_under(conn: Conn, environment_id: EnvironmentId, header: bytes) -> int:
    return cast("int", await conn.fetchval(COUNT_VARIABLES_UNDER, environment_id, header))


async def variables_under(
    conn: Conn, environment_id: EnvironmentId, header: bytes, limit: int
) -> list[tuple[str, bytes]]:
    rows = await conn.fetch(VARIABLES_UNDER, environment_id, header, limit)
    return [(row["name"], row["value"]) for row in rows]
