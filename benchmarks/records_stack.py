"""A scratch Postgres, vault and records service for the records benchmarks, and CPU time over all their processes."""

import asyncio
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.process_tree import cpu_seconds
from dragoman_server.db import Database, Invalidations
from dragoman_server.db.driver import connect
from dragoman_server.db.embedded import EmbeddedPostgres
from dragoman_server.db.migrate import migrate
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, RunId, uuid7
from dragoman_server.records import Fence, Records, StreamKey
from dragoman_server.records.cursors import encode_cursor
from dragoman_server.vault import KeyRing, Vault

ENVIRONMENT = EnvironmentId(1)
STREAM = StreamKey(ConnectionRowId(1), uuid.UUID(int=1), "Contact")


@dataclass(frozen=True)
class Stack:
    records: Records
    vault: Vault
    database: Database
    postgres: EmbeddedPostgres
    invalidations: Invalidations

    def cpu_seconds(self) -> float:
        """CPU used so far by this process and by Postgres, its ended children included."""
        assert self.postgres.pid is not None
        return time.process_time() + cpu_seconds(self.postgres.pid)


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
        yield Stack(Records(database=database, vault=vault), vault, database, postgres, invalidations)
        await invalidations.stop()
        await listening
        await database.close()
    finally:
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


FILL = """
WITH stream AS (
    SELECT * FROM records.streams WHERE environment_id = $1 AND connection_row_id = $2 AND model = $3
), heads AS (
    INSERT INTO records.records (stream_id, seq, payload_seq, first_seen, modified, environment_id, rid, size, writer,
        action, hash_version, hash, external_id)
    SELECT s.stream_id, s.last_seq + n, s.last_seq + n, $6, $6, s.environment_id, s.next_rid + n, 500, 0, 1, 1,
        decode(md5(n::text), 'hex'), 'fill-' || (s.last_seq + n)
    FROM stream s, generate_series(1, $4::int) AS n
), payloads AS (
    INSERT INTO records.payloads (stream_id, seq, environment_id, payload)
    SELECT s.stream_id, s.last_seq + n, s.environment_id, $5 FROM stream s, generate_series(1, $4::int) AS n
)
UPDATE records.streams s SET last_seq = s.last_seq + $4, next_rid = s.next_rid + $4 + 1, live = s.live + $4,
    last_modified_at = greatest(s.last_modified_at, kit.now())
FROM stream WHERE s.key = stream.key
"""


async def lengthen(stack: Stack, count: int, *, windows: int, real: int = 2000) -> list[str]:
    """Make STREAM `count` records long; return the cursors of `windows` places where `real` records can be read.

    Records between the windows are made inside Postgres, in seconds a million: they fill tables and indexes as real
    ones do, but their ciphertext is noise, and they are never read.
    """
    raw = await connect(stack.postgres.url("postgres"))
    hash_key = await stack.vault.hash_key(ENVIRONMENT)
    owner, noise, cursors = uuid.uuid4(), os.urandom(540), list[str]()
    fence = Fence(owner, RunId(uuid7()), 1)
    await stack.records.begin_attempt(ENVIRONMENT, fence.owner, fence.run_id, fence.attempt)
    try:
        for window in range(windows):
            at = 0
            if window:
                found = await stack.records.resolve(ENVIRONMENT, STREAM.connection_row_id, STREAM.model)
                assert found is not None
                at = await raw.fetchval("SELECT last_seq FROM records.streams WHERE key = $1", found.key)
                cursors.append(encode_cursor(hash_key, found.key, at))
            for half in range(0, real, 1000):
                batch = [
                    (f"real-{window}-{half + n}", b'{"id":"%d","notes":"%b"}' % (n, b"x" * 480)) for n in range(1000)
                ]
                await stack.records.save(ENVIRONMENT, fence, window * real + half, STREAM, batch)
            left = count // windows - real
            while left > 0:
                await raw.execute(
                    FILL,
                    ENVIRONMENT,
                    STREAM.connection_row_id,
                    STREAM.model,
                    min(left, 100_000),
                    noise,
                    time.time_ns() // 1000,
                    timeout=600,
                )
                left -= 100_000
        await raw.execute("VACUUM ANALYZE records.records, records.payloads", timeout=1800)
        await raw.execute("CHECKPOINT", timeout=1800)
    finally:
        await raw.close()
    return cursors
