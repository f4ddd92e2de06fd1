"""Before the first worker starts: databases made, migrations run, a first account with its keys.

Runs in a process of its own (`python -m dragoman_server.assembly.prepare`), so that the supervisor stays small.
"""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dragoman_server.assembly.layout import (
    MAIN_PARTS,
    ORCHESTRATOR_PARTS,
    Databases,
    DataFolder,
    database_name,
    with_database,
)
from dragoman_server.db.driver import (
    UNAVAILABLE,
    DuplicateDatabaseError,
    InsufficientPrivilegeError,
    InvalidCatalogNameError,
    connect,
)
from dragoman_server.db.migrate import migrate


class PrepareError(Exception):
    """The databases could not be made ready; the message says what to do."""


async def ensure_database(url: str) -> None:
    """Create the database `url` names when it is missing; raise `PrepareError` when we may not."""
    try:
        connection = await connect(url)
    except InvalidCatalogNameError:
        pass
    except UNAVAILABLE as error:
        raise PrepareError(
            f"Postgres does not answer ({type(error).__name__}): check DRAGOMAN_DATABASE_URL and that it runs."
        ) from error
    else:
        version = int(await connection.fetchval("SHOW server_version_num"))
        await connection.close()
        if version < 150000:
            raise PrepareError(f"Postgres 15 or newer is needed; this is {version // 10000}.")
        return
    name = database_name(url)
    admin = await connect(with_database(url, "postgres"))
    try:
        quoted = '"' + name.replace('"', '""') + '"'
        await admin.execute(f"CREATE DATABASE {quoted}")
    except DuplicateDatabaseError:
        pass
    except InsufficientPrivilegeError as error:
        raise PrepareError(
            f"The database `{name}` is missing and this role may not create it: create it, or name another one in "
            "DRAGOMAN_ORCHESTRATOR_DATABASE_URL."
        ) from error
    finally:
        await admin.close()


async def prepare_databases(databases: Databases, *, include_post: bool = True) -> list[str]:
    """Make and migrate both databases; return what was applied, as `part/0001_name`."""
    applied: list[str] = []
    plan: Sequence[tuple[str, Sequence[str]]] = (
        (databases.main_direct, MAIN_PARTS),
        (databases.orchestrator_direct, ORCHESTRATOR_PARTS),
    )
    for url, parts in plan:
        await ensure_database(url)
        applied += [f"{m.part}/{m.number:04d}_{m.name}" for m in await migrate(url, parts, include_post=include_post)]
    return applied


def read_credentials(folder: DataFolder) -> dict[str, Any] | None:
    """What `credentials.json` says, or None when there is none yet."""
    try:
        return json.loads(folder.credentials.read_text("utf-8"))
    except FileNotFoundError:
        return None


def write_private(path: Path, text: str) -> None:
    """Write `text` to a file only its owner can read, whole or not at all, on disk when this returns."""
    staging = path.with_name(path.name + ".new")
    staging.unlink(missing_ok=True)
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    staging.rename(path)


async def prepare(config: dict[str, Any]) -> dict[str, Any]:
    """Prepare everything `up` needs; return `{applied: [...], created: bool}`."""
    from dragoman_server.assembly.bootstrap import bootstrap

    databases = Databases(**config["databases"])
    folder = DataFolder(Path(config["data_dir"]))
    applied = await prepare_databases(databases)
    created = await bootstrap(databases, folder, url=config["public_url"])
    return {"applied": applied, "created": created}


def main() -> None:
    """Read the configuration on standard input, print the result as one line of JSON."""
    config = json.loads(sys.stdin.read())
    try:
        result = asyncio.run(prepare(config))
    except PrepareError as error:
        print(json.dumps({"error": str(error)}))
        sys.exit(1)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
