"""What the chaos tests start from: a platform, a shop as its third party, the functions deployed, an account connected."""

import asyncio
import os
import random
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dragoman import AsyncClient
from dragoman.client import ApiError, ConnectionFailedError
from dragoman_server.db.driver import UNAVAILABLE, RawConnection, connect
from dragoman_server.db.embedded import EmbeddedPostgres
from tests.support.platform import RunningPlatform, make_data_dir, remove_data_dir, start_platform
from tests.support.shop import KEY, PROJECT, Shop, open_shop, write_entries

INTEGRATION = "shop"
ACCOUNT = "account-1"
MODEL = "Item"


@dataclass
class World:
    """A platform with its third party. `connection_id` is the account connected in it."""

    platform: RunningPlatform
    shop: Shop
    folder: Path
    settings: dict[str, str]
    connection_id: str = ACCOUNT

    @property
    def supervisor(self) -> int:
        return self.platform.commands[-1].popen.pid

    @property
    def worker_output(self) -> str:
        return self.platform.output()

    def database_url(self, name: str = "dragoman") -> str:
        return EmbeddedPostgres.attach(self.platform.data_dir / "postgres", name)

    async def query(self, sql: str, *arguments: object, database: str = "dragoman") -> list[dict[str, Any]]:
        """Rows as an operator's `psql` would show them; waits out a restart of Postgres."""
        while True:
            try:
                connection: RawConnection = await connect(self.database_url(database))
                try:
                    return [dict(row) for row in await connection.fetch(sql, *arguments)]
                finally:
                    await connection.close()
            except UNAVAILABLE:
                await asyncio.sleep(0.2)  # until Postgres is back


@contextmanager
def open_world(*, items: int) -> Generator[World]:
    """`dragoman up`, the shop with `items`, functions deployed and an account connected; all ended at the end."""
    folder = make_data_dir()
    settings = {"DRAGOMAN_PROVIDERS_DIR": str(write_entries(folder / "providers"))}
    with open_shop() as shop:
        shop.fill(items)
        platform = start_platform(folder / "data", extra=settings)
        world = World(platform, shop, folder, settings)
        try:
            set_up(world)
            yield world
        except BaseException:
            print(world.platform.output()[-30_000:])  # pytest shows it with the failure
            raise
        finally:
            for command in world.platform.commands:
                command.stop()
            remove_data_dir(folder)


def set_up(world: World) -> None:
    """Integration, functions, webhooks, connection: through the API and the command line, as a user does."""
    world.shop.signing_key = world.platform.environment()["webhook_signing_key"]
    with world.platform.client() as api:
        api.integrations.create(INTEGRATION, INTEGRATION)
        api.environment.set_webhooks(primary_url=world.shop.hooks_url, on_sync_completion_always=True)
        world.platform.deploy(PROJECT)
        api.connections.create(
            INTEGRATION,
            {"type": "API_KEY", "apiKey": KEY},
            connection_id=ACCOUNT,
            connection_config={"shop_url": world.shop.url},
        )


def seed_of(name: str) -> random.Random:
    """A generator whose seed is printed; CHAOS_SEED repeats a run."""
    seed = os.environ.get("CHAOS_SEED") or str(time.time_ns())
    print(f"{name}: CHAOS_SEED={seed}")
    return random.Random(seed)


async def until(done: Callable[[], Awaitable[Any]], what: str, *, seconds: float) -> Any:
    """Like `poll_until`, for what is awaited."""
    deadline = time.monotonic() + seconds
    while True:
        found = await done()
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        await asyncio.sleep(0.1)  # plays somebody who asks again


async def patient(call: Callable[[], Awaitable[Any]]) -> Any:
    """The answer, once the platform is there to give one: no answer and 503 are asked again, all else is raised."""
    while True:
        try:
            return await call()
        except ConnectionFailedError:
            pass
        except ApiError as error:
            if error.status not in {502, 503}:
                raise
        await asyncio.sleep(0.2)  # plays a client that tries again


@dataclass
class Reader:
    """An application that follows the feed with a saved cursor; `known` is each record's latest state it has seen."""

    api: AsyncClient
    connection_id: str
    cursor: str | None = None
    known: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    changes: int = 0
    last_time: str = ""
    complaints: list[str] = field(default_factory=list[str])

    async def catch_up(self) -> int:
        """Read to the end of the feed; return how many changes came."""
        came = 0
        while True:
            page = await patient(
                lambda: self.api.records.page(
                    MODEL, connection_id=self.connection_id, integration_id=INTEGRATION, cursor=self.cursor, limit=2000
                )
            )
            for record in page["records"]:
                self._take(record)
            came += len(page["records"])
            if page["next_cursor"] is None:
                self.changes += came
                return came

    def _take(self, record: dict[str, Any]) -> None:
        metadata = record["_nango_metadata"]
        if metadata["last_modified_at"] < self.last_time:
            self.complaints.append(f"{record['id']} came at {metadata['last_modified_at']} after {self.last_time}")
        self.last_time = metadata["last_modified_at"]
        self.known[record["id"]] = record
        self.cursor = metadata["cursor"]

    def live(self) -> dict[str, dict[str, Any]]:
        """What the application believes there is, as the shop would show it."""
        return {
            id_: {k: v for k, v in record.items() if k != "_nango_metadata"}
            for id_, record in self.known.items()
            if record["_nango_metadata"]["last_action"] != "DELETED"
        }


async def follow(reader: Reader, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        await reader.catch_up()
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 0.3)
