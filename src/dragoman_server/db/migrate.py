"""Forward-only migrations: each part's `migrations/NNNN_name[.post].sql`, in the order of the parts given.

A file runs in its own transaction with short lock and statement time-outs. `.post` files run only when asked (after
the new code runs everywhere). Safe with many processes at once: a transaction-level advisory lock serializes them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files

from dragoman_server.db.driver import RawConnection, connect

_FILE = re.compile(r"^(\d{4})_([a-z0-9_]+?)(\.post)?\.sql$")
_LOCK = 7_241_001
_KIT_PART = "db"


@dataclass(frozen=True, slots=True)
class Migration:
    part: str
    number: int
    name: str
    phase: str
    sql: str


def load_migrations(package: str) -> list[Migration]:
    """Return the migrations of `dragoman_server.<part>`, in order; raise ValueError for a gap or an odd file name."""
    part = package.rpartition(".")[2]
    found: list[Migration] = []
    folder = files("dragoman_server").joinpath(part, "migrations")  # not by import: a part is code, this is data
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if not entry.name.endswith(".sql"):
            continue
        match = _FILE.match(entry.name)
        if match is None:
            raise ValueError(f"{package}/migrations/{entry.name}: expected NNNN_name.sql or NNNN_name.post.sql")
        phase = "post" if match[3] else "pre"
        found.append(Migration(part, int(match[1]), match[2], phase, entry.read_text("utf-8")))
    if [m.number for m in found] != list(range(1, len(found) + 1)):
        raise ValueError(f"{package}/migrations: numbers must run 0001, 0002, … without a gap")
    return found


async def migrate(url: str, packages: Sequence[str], *, include_post: bool = True) -> list[Migration]:
    """Bring the database at `url` up to date and return what was applied now."""
    applied: list[Migration] = []
    connection = await connect(url)
    try:
        for migration in [m for p in (f"dragoman_server.{_KIT_PART}", *packages) for m in load_migrations(p)]:
            if migration.phase == "post" and not include_post:
                continue
            async with connection.transaction():
                await connection.execute("SELECT set_config('lock_timeout', '5s', true)")
                await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
                if await _is_applied(connection, migration):
                    continue
                await connection.execute("SELECT set_config('statement_timeout', '30s', true)")
                await connection.execute(migration.sql)
                await connection.execute(
                    "INSERT INTO kit.migrations (part, number, name, phase) VALUES ($1, $2, $3, $4)",
                    migration.part,
                    migration.number,
                    migration.name,
                    migration.phase,
                )
                applied.append(migration)
    finally:
        await connection.close()
    return applied


async def _is_applied(connection: RawConnection, migration: Migration) -> bool:
    if await connection.fetchval("SELECT to_regclass('kit.migrations')") is None:
        return False
    return bool(
        await connection.fetchval(
            "SELECT true FROM kit.migrations WHERE part = $1 AND number = $2", migration.part, migration.number
        )
    )
