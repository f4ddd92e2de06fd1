"""The only code that knows the vault's tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast
from uuid import UUID

from dragoman_server.db import Conn, Row, read_sql

_PACKAGE = __package__ or ""
CLAIM_RING = read_sql(_PACKAGE, "claim_ring")
CURRENT_KEK = read_sql(_PACKAGE, "current_kek")
READ_CURRENT_KEK = read_sql(_PACKAGE, "read_current_kek")
SET_CURRENT_KEK = read_sql(_PACKAGE, "set_current_kek")
NEXT_DATA_KEY_ID = read_sql(_PACKAGE, "next_data_key_id")
INSERT_DATA_KEY = read_sql(_PACKAGE, "insert_data_key")
INSERT_SYSTEM_DATA_KEY = read_sql(_PACKAGE, "insert_system_data_key")
RETIRE_DATA_KEY = read_sql(_PACKAGE, "retire_data_key")
DATA_KEYS_OF = read_sql(_PACKAGE, "data_keys_of")
RETIRED_DATA_KEYS = read_sql(_PACKAGE, "retired_data_keys")
DROP_DATA_KEY = read_sql(_PACKAGE, "drop_data_key")
DROP_DATA_KEYS_OF = read_sql(_PACKAGE, "drop_data_keys_of")
INSERT_HASH_KEY = read_sql(_PACKAGE, "insert_hash_key")
HASH_KEY_OF = read_sql(_PACKAGE, "hash_key_of")
INSERT_SYSTEM_KEY = read_sql(_PACKAGE, "insert_system_key")
SYSTEM_KEY = read_sql(_PACKAGE, "system_key")
ENSURE_SALT = read_sql(_PACKAGE, "ensure_salt")
SALT_OF = read_sql(_PACKAGE, "salt_of")
SHRED_SALT = read_sql(_PACKAGE, "shred_salt")
FOREIGN_DATA_KEYS = read_sql(_PACKAGE, "foreign_data_keys")
FOREIGN_HASH_KEYS = read_sql(_PACKAGE, "foreign_hash_keys")
FOREIGN_SYSTEM_KEYS = read_sql(_PACKAGE, "foreign_system_keys")
REWRAP_DATA_KEYS = read_sql(_PACKAGE, "rewrap_data_keys")
REWRAP_HASH_KEYS = read_sql(_PACKAGE, "rewrap_hash_keys")
REWRAP_SYSTEM_KEYS = read_sql(_PACKAGE, "rewrap_system_keys")
KEKS_IN_USE = read_sql(_PACKAGE, "keks_in_use")


@dataclass(frozen=True, slots=True, repr=False)
class Wrapped:
    """A wrapped key and the KEK it needs."""

    kek_id: bytes
    text: bytes


async def claim_ring(conn: Conn, kek_id: bytes) -> None:
    await conn.execute(CLAIM_RING, kek_id)


async def current_kek(conn: Conn) -> bytes:
    """Return the id of the KEK to wrap with, which stays current to the end of the transaction."""
    return cast("bytes", await conn.fetchval(CURRENT_KEK))


async def read_current_kek(conn: Conn) -> bytes:
    return cast("bytes", await conn.fetchval(READ_CURRENT_KEK))


async def set_current_kek(conn: Conn, kek_id: bytes) -> None:
    await conn.execute(SET_CURRENT_KEK, kek_id)


async def next_data_key_id(conn: Conn) -> int:
    return cast("int", await conn.fetchval(NEXT_DATA_KEY_ID))


async def insert_data_key(conn: Conn, environment_id: int, data_key_id: int, wrapped: Wrapped) -> None:
    await conn.execute(INSERT_DATA_KEY, data_key_id, environment_id, wrapped.kek_id, wrapped.text)


async def insert_system_data_key(conn: Conn, environment_id: int, data_key_id: int, wrapped: Wrapped) -> None:
    await conn.execute(INSERT_SYSTEM_DATA_KEY, data_key_id, environment_id, wrapped.kek_id, wrapped.text)


async def retire_data_key(conn: Conn, environment_id: int) -> int | None:
    return cast("int | None", await conn.fetchval(RETIRE_DATA_KEY, environment_id))


async def data_keys_of(conn: Conn, environment_id: int) -> list[tuple[int, Wrapped, bool]]:
    rows = await conn.fetch(DATA_KEYS_OF, environment_id)
    return [(row["id"], Wrapped(row["kek_id"], row["wrapped"]), row["active"]) for row in rows]


async def retired_data_keys(conn: Conn, grace: timedelta) -> list[tuple[int, int, bool]]:
    """Return (environment id, data key id, ripe) of every retired data key."""
    return [(row["environment_id"], row["id"], row["ripe"]) for row in await conn.fetch(RETIRED_DATA_KEYS, grace)]


async def drop_data_key(conn: Conn, environment_id: int, data_key_id: int, grace: timedelta) -> bool:
    return await conn.execute(DROP_DATA_KEY, environment_id, data_key_id, grace) == "DELETE 1"


async def drop_data_keys_of(conn: Conn, environment_id: int) -> None:
    await conn.execute(DROP_DATA_KEYS_OF, environment_id)


async def insert_hash_key(conn: Conn, environment_id: int, wrapped: Wrapped) -> None:
    await conn.execute(INSERT_HASH_KEY, environment_id, wrapped.kek_id, wrapped.text)


async def hash_key_of(conn: Conn, environment_id: int) -> Wrapped | None:
    return _wrapped(await conn.fetchrow(HASH_KEY_OF, environment_id))


async def insert_system_key(conn: Conn, name: str, wrapped: Wrapped) -> None:
    await conn.execute(INSERT_SYSTEM_KEY, name, wrapped.kek_id, wrapped.text)


async def system_key(conn: Conn, name: str) -> Wrapped | None:
    return _wrapped(await conn.fetchrow(SYSTEM_KEY, name))


async def ensure_salt(conn: Conn, environment_id: int, subject: UUID, salt: bytes) -> None:
    await conn.execute(ENSURE_SALT, environment_id, subject, salt)


async def salt_of(conn: Conn, environment_id: int, subject: UUID) -> tuple[bool, bytes | None]:
    """Return (known, salt); a known subject without a salt is shredded."""
    row = await conn.fetchrow(SALT_OF, environment_id, subject)
    return (False, None) if row is None else (True, row["salt"])


async def shred_salt(conn: Conn, environment_id: int, subject: UUID) -> None:
    await conn.execute(SHRED_SALT, environment_id, subject)


async def foreign_data_keys(conn: Conn, kek_id: bytes) -> list[tuple[int, int, Wrapped]]:
    rows = await conn.fetch(FOREIGN_DATA_KEYS, kek_id)
    return [(row["environment_id"], row["id"], Wrapped(row["kek_id"], row["wrapped"])) for row in rows]


async def foreign_hash_keys(conn: Conn, kek_id: bytes) -> list[tuple[int, Wrapped]]:
    rows = await conn.fetch(FOREIGN_HASH_KEYS, kek_id)
    return [(row["environment_id"], Wrapped(row["kek_id"], row["wrapped"])) for row in rows]


async def foreign_system_keys(conn: Conn, kek_id: bytes) -> list[tuple[str, Wrapped]]:
    rows = await conn.fetch(FOREIGN_SYSTEM_KEYS, kek_id)
    return [(row["name"], Wrapped(row["kek_id"], row["wrapped"])) for row in rows]


async def rewrap_data_keys(conn: Conn, kek_id: bytes, rows: Sequence[tuple[int, int, bytes]]) -> None:
    await conn.execute(REWRAP_DATA_KEYS, kek_id, [r[0] for r in rows], [r[1] for r in rows], [r[2] for r in rows])


async def rewrap_hash_keys(conn: Conn, kek_id: bytes, rows: Sequence[tuple[int, bytes]]) -> None:
    await conn.execute(REWRAP_HASH_KEYS, kek_id, [r[0] for r in rows], [r[1] for r in rows])


async def rewrap_system_keys(conn: Conn, kek_id: bytes, rows: Sequence[tuple[str, bytes]]) -> None:
    await conn.execute(REWRAP_SYSTEM_KEYS, kek_id, [r[0] for r in rows], [r[1] for r in rows])


async def keks_in_use(conn: Conn) -> dict[bytes, int]:
    return {row["kek_id"]: row["count"] for row in await conn.fetch(KEKS_IN_USE)}


def _wrapped(row: Row | None) -> Wrapped | None:
    return None if row is None else Wrapped(row["kek_id"], row["wrapped"])
