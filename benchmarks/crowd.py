"""Ten and a hundred times the data: connections, tenants and schedules in a running platform."""

import asyncio
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from benchmarks.load import get
from benchmarks.world import World
from dragoman import Client
from dragoman_server.db import Database
from dragoman_server.db.driver import connect
from dragoman_server.orchestrator.model import GroupKey, ScheduleSpec, TaskSpec
from dragoman_server.orchestrator.pg import PgEngine

COPIES = """
WITH model AS (
    SELECT * FROM control.connections WHERE connection_id = $1 AND deleted_at IS NULL ORDER BY id DESC LIMIT 1
), made AS (
    INSERT INTO control.connections (uuid, environment_id, integration_id, connection_id, connection_config)
    SELECT gen_random_uuid(), m.environment_id, m.integration_id, $2 || n, m.connection_config
    FROM model m, generate_series(1, $3::int) AS n RETURNING id, uuid, environment_id
)
INSERT INTO connect.credentials
    (environment_id, connection_id, connection_uuid, mode, sealed, data_key_id, issued_at, expires_at, stale_at, due_at)
SELECT made.environment_id, made.id, made.uuid, c.mode, c.sealed, c.data_key_id, c.issued_at, c.expires_at, c.stale_at,
    c.due_at
FROM made, connect.credentials c, model WHERE c.connection_id = model.id
"""


def more_connections(world: World, count: int) -> None:
    """Add `count` connections inside Postgres. They stand in the tables and are never read: their ciphertext is a
    copy of another's, which the vault would refuse."""

    async def copy() -> None:
        raw = await connect(world.database_url())
        try:
            await raw.execute(COPIES, world.connection, f"crowd-{uuid.uuid4().hex[:6]}-", count, timeout=600)
            for name in ("control.connections", "connect.credentials"):
                await raw.execute(f"VACUUM ANALYZE {name}", timeout=600)
        finally:
            await raw.close()

    asyncio.run(copy())


def more_tenants(world: World, count: int, path: str = "/proxy/json") -> Sequence[bytes]:
    """Make `count` environments with an integration, a connection and a key each; return a GET of each."""
    requests: list[bytes] = []
    with world.platform.account() as account:
        for _ in range(count):
            made = account.account.create_environment(f"t-{uuid.uuid4().hex[:10]}")
            key = account.account.create_api_key(made["id"], "bench")["secret"]
            with Client(url=world.platform.url, api_key=key) as api:
                api.integrations.create(
                    world.integration,
                    "bench",
                    credentials={"type": "OAUTH2", "client_id": "id", "client_secret": "secret"},
                )
                world.connect("c0", api)
            requests.append(
                get(
                    path,
                    {
                        "Authorization": f"Bearer {key}",
                        "Connection-Id": "c0",
                        "Provider-Config-Key": world.integration,
                    },
                )
            )
    return requests


def idle_schedules(world_url: str, count: int) -> None:
    """Put `count` schedules that are due in days into the orchestrator's database at `world_url`."""

    async def put() -> None:
        database = Database(world_url, max_size=2)
        await database.open()
        engine = PgEngine(database=database, listen_url=world_url)
        later = datetime.now(UTC) + timedelta(days=3)
        await engine.upsert_schedules(
            [
                ScheduleSpec(
                    f"idle:{uuid.uuid4().hex}",
                    TaskSpec("sync", GroupKey(10**6 + n % 100, f"c{n}"), {"v": 1}, run_timeout=timedelta(hours=1)),
                    timedelta(days=1),
                    starts_at=later,
                )
                for n in range(count)
            ]
        )
        await database.close()

    asyncio.run(put())
