"""A scratch Postgres, vault and records service for the records benchmarks, and CPU time over all their processes."""

import asyncio
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dragoman_server.db import Database, Invalidations
from dragoman_server.db.embedded import EmbeddedPostgres
from dragoman_server.db.migrate import migrate
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.records import Records, StreamKey
from dragoman_server.vault import KeyRing, Vault

ENVIRONMENT = EnvironmentId(1)
STREAM = StreamKey(ConnectionRowId(1), uuid.UUID(int=1), "Contact")
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Figure:
    """One line of the table."""

    name: str
    value: float
    unit: str
    target: float | None = None

    @property
    def verdict(self) -> str:
        return "-" if self.target is None else "ok" if self.value <= self.target else "MISSED"


@dataclass(frozen=True)
class Stack:
    records: Records
    database: Database
    postgres: EmbeddedPostgres
    invalidations: Invalidations

    def cpu_seconds(self) -> float:
        """CPU used so far by this process and by Postgres, its ended children included."""
        assert self.postgres.pid is not None
        return _of(os.getpid(), children=False) + sum(_of(pid, children=True) for pid in _family(self.postgres.pid))


def _of(pid: int, *, children: bool) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    ticks = sum(int(fields[i]) for i in ((11, 12, 13, 14) if children else (11, 12)))
    return ticks / _TICK


def _family(root: int) -> list[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found = [root]
    for pid in found:
        found.extend(child for child, parent in parents.items() if parent == pid)
    return found


@asynccontextmanager
async def open_stack() -> AsyncGenerator[Stack]:
    """Start everything on an empty cluster with the product's own settings; remove it at the end."""
    folder = tempfile.mkdtemp(prefix="dgb-", dir="/tmp")
    os.chmod(folder, 0o755)  # noqa: PTH101  (nothing else runs on this loop yet)
    postgres = EmbeddedPostgres(Path(folder, "pg"))
    postgres.start()
    try:
        url = postgres.url("postgres")
        await migrate(url, [f"dragoman_server.{part}" for part in ("outbox", "vault", "records")])
        database = Database(url, min_size=2, max_size=4)
        await database.open()
        invalidations = Invalidations(url)
        listening = asyncio.create_task(invalidations.run())
        vault = Vault(database=database, keyring=KeyRing.generate(), invalidations=invalidations)
        await vault.open()
        async with database.transaction() as conn:
            await vault.create_environment(conn, ENVIRONMENT)
        while not invalidations.healthy():  # noqa: ASYNC110  (it has no signal to wait for)
            await asyncio.sleep(0.05)
        yield Stack(Records(database=database, vault=vault), database, postgres, invalidations)
        await invalidations.stop()
        await listening
        await database.close()
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def show(figures: list[Figure]) -> None:
    for figure in figures:
        target = "" if figure.target is None else f"target {figure.target:g}"
        print(f"{figure.name:<58} {figure.value:>10.3f} {figure.unit:<12} {target:<14} {figure.verdict}")
