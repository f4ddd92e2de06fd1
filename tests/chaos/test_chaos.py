"""A sync of 20,000 records while processes are killed at random: nothing lost, nothing twice, nothing untrue.

CHAOS_SECONDS says how long processes are killed (default 24; `CHAOS_SECONDS=600` for a night), CHAOS_SEED repeats a
run's choices.
"""

import asyncio
import json
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest

from dragoman import AsyncClient
from dragoman_server.assembly.keys import keyring_of
from dragoman_server.assembly.layout import DataFolder
from dragoman_server.assembly.settings import read_settings
from dragoman_server.db import Database, Invalidations
from dragoman_server.db.driver import UNAVAILABLE
from dragoman_server.records import Records, StreamKey
from dragoman_server.vault import Vault
from dragoman_server.webhooks.payloads import wire_time
from tests.chaos.world import INTEGRATION, MODEL, Reader, World, follow, open_world, patient, seed_of, until
from tests.support import processes

ITEMS = 20_000
WEBHOOK_LEASE = 60
"""A message whose sender was killed in the act is sent again when its lease is over."""
NOTHING = {"added": 0, "updated": 0, "deleted": 0}
SECONDS = float(os.environ.get("CHAOS_SECONDS", "24"))

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("chaos"), pytest.mark.timeout(240 + SECONDS * 2)]


class WebhookWriter:
    """Somebody else who writes to the stream: what happens in the shop is saved at once, not at the next sync."""

    def __init__(self, world: World, choose: random.Random, environment_id: int, stream: StreamKey) -> None:
        self._world = world
        self._choose = choose
        self._environment_id: Any = environment_id
        self._stream = stream
        self.acknowledged: list[str] = []
        self._made = 0

    async def run(self, stopping: asyncio.Event) -> None:
        settings = read_settings({})
        database = Database(self._world.database_url(), max_size=2)
        await database.open()
        try:
            vault = Vault(
                database=database,
                keyring=keyring_of(settings, DataFolder(self._world.platform.data_dir)),
                invalidations=Invalidations(self._world.database_url()),
            )
            await vault.open()
            records = Records(database=database, vault=vault)
            while not stopping.is_set():
                batch = [(item["id"], msgspec.json.encode(item)) for item in self._happen()]
                await self._persist(
                    lambda batch=batch: records.save(self._environment_id, None, 0, self._stream, batch)
                )
                self.acknowledged += [id_ for id_, _ in batch]
                with suppress(TimeoutError):
                    await asyncio.wait_for(stopping.wait(), 0.05)
        finally:
            await database.close()

    def _happen(self) -> list[dict[str, Any]]:
        """A few new items and a few changed ones, in the shop first."""
        shop = self._world.shop
        with shop.lock:
            changed = self._choose.sample(sorted(shop.items), 3)
            self._made += 1
            return [
                shop.put(f"w{self._made:06d}", self._made),
                *(shop.put(i, shop.items[i]["price"] + 1) for i in changed),
            ]

    async def _persist(self, save: Callable[[], Awaitable[Any]]) -> None:
        while True:
            try:
                await save()
                return
            except UNAVAILABLE:
                await asyncio.sleep(0.2)  # plays a writer that tries again


async def evolve(world: World, choose: random.Random, stopping: asyncio.Event) -> None:
    """The shop's own life: items leave and prices change, unannounced."""
    shop = world.shop
    while not stopping.is_set():
        with shop.lock:
            ids = sorted(i for i in shop.items if i.startswith("i"))
            for id_ in choose.sample(ids, 5):
                del shop.items[id_]
            for id_ in choose.sample(ids, 20):
                if id_ in shop.items:
                    shop.put(id_, shop.items[id_]["price"] + 1)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 0.5)


async def keep_triggering(api: AsyncClient, world: World, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        await patient(lambda: api.syncs.trigger(INTEGRATION, ["items"], connection_id=world.connection_id))
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 1.0)


def victims(world: World, kind: str) -> list[processes.Found]:
    working = processes.workers(world.supervisor)
    match kind:
        case "work":
            return working
        case "postgres":
            return processes.postgres(world.supervisor)
        case "zygote":
            return [one for worker in working for one in processes.zygotes(worker.pid)]
        case _:
            return [one for worker in working for one in processes.runs(worker.pid)]


async def kill_at_random(world: World, choose: random.Random, seconds: float) -> dict[str, int]:
    """kill -9 one process after the other; return how many of each kind."""
    killed = {"work": 0, "postgres": 0, "zygote": 0, "run": 0}
    loop = asyncio.get_running_loop()
    ends = loop.time() + seconds
    while loop.time() < ends:
        order = ["run", "postgres", "zygote", "run", "work", "postgres"]
        choose.shuffle(order)
        for kind in order:
            await asyncio.sleep(choose.uniform(1.5, 5.0))  # plays the time in which nothing goes wrong
            found = victims(world, kind)
            if found and choose.choice(found).kill():
                killed[kind] += 1
            if loop.time() > ends:
                break
    return killed


async def test_a_sync_a_second_writer_and_a_reader_survive_kills_of_every_process() -> None:
    choose = seed_of("chaos")
    with open_world(items=ITEMS) as world:
        async with world.platform.async_client() as api:
            await play(world, choose, api)


async def play(world: World, choose: random.Random, api: AsyncClient) -> None:
    environment_id = world.platform.environment()["id"]
    row = (await world.query("SELECT id, uuid FROM control.connections WHERE connection_id = $1", world.connection_id))[
        0
    ]
    stream = StreamKey(row["id"], UUID(str(row["uuid"])), MODEL)
    writer = WebhookWriter(world, choose, environment_id, stream)
    reader = Reader(api, world.connection_id)
    busy, reading = asyncio.Event(), asyncio.Event()

    async with asyncio.TaskGroup() as group:
        group.create_task(follow(reader, reading))
        active = [
            group.create_task(writer.run(busy)),
            group.create_task(evolve(world, choose, busy)),
            group.create_task(keep_triggering(api, world, busy)),
        ]
        killed = await kill_at_random(world, choose, SECONDS)
        print(f"killed {killed}; {world.shop.visits} visits, {len(writer.acknowledged)} saves of the second writer")
        busy.set()
        await asyncio.wait(active)
        await quiet_run(world, api)
        last = await quiet_run(world, api)
        reading.set()

    await reader.catch_up()
    await check_records(world, api, reader, writer)
    assert not any(n for counted in last["result"].values() for n in counted.values()), "a run in peace changes nothing"
    await check_runs(world)
    await check_webhooks(world)
    assert sum(killed.values()) >= SECONDS / 8
    assert "shop-key" not in world.platform.output()


async def quiet_run(world: World, api: AsyncClient) -> dict[str, Any]:
    """A run that began after everything had become quiet, and succeeded.

    A later attempt of a run that had begun before does not count: it goes on with what the first attempt saw, so what
    left in between is only found missing by the next run.
    """
    since = (await world.query("SELECT kit.now() AS now"))[0]["now"]

    async def succeeded() -> Any:
        await patient(lambda: api.syncs.trigger(INTEGRATION, ["items"], connection_id=world.connection_id))
        found = await world.query(
            "SELECT * FROM control.runs WHERE function_name = 'items' AND state = 'success' AND attempt = 1"
            " AND started_at > $1",
            since,
        )
        return found[0] if found else None

    found = await until(succeeded, "a run succeeds in peace", seconds=60)
    return {**found, "result": json.loads(found["result"])}


async def check_records(world: World, api: AsyncClient, reader: Reader, writer: WebhookWriter) -> None:
    shop = world.shop
    assert reader.complaints == []
    assert reader.live() == shop.items, "what the reader knows is what there is"
    assert {i for i in writer.acknowledged if i not in reader.known} == set()
    anew = Reader(api, world.connection_id)
    await anew.catch_up()
    assert anew.known == reader.known, "who followed all the time and who reads from the start know the same"
    status = (await api.syncs.status(INTEGRATION, ["items"], connection_id=world.connection_id))[0]
    assert status["recordCount"] == {MODEL: len(shop.items)}


async def check_runs(world: World) -> None:
    """No success that was none, no overlap, and the engine and the control plane agree."""

    async def none_open() -> bool:
        return not await world.query("SELECT id FROM control.runs WHERE state = 'running'")

    await until(none_open, "every run has an end", seconds=90)
    runs = {r["id"]: r for r in await world.query("SELECT * FROM control.runs WHERE function_name = 'items'")}
    for run in runs.values():
        if run["state"] == "success":
            assert json.loads(run["checkpoint_to"])["visit"] in world.shop.ended, run
    tasks = await world.query(
        "SELECT * FROM orchestrator.task_log WHERE queue = 'sync' ORDER BY created_at", database="dragoman_orchestrator"
    )
    for before, after in zip(tasks, tasks[1:], strict=False):
        assert before["finished_at"] <= after["created_at"] + timedelta(milliseconds=1), "a schedule overlapped itself"
    told = {t["id"]: t["state"] for t in tasks if t["id"] in runs}
    states = {"success": "succeeded", "failed": "failed", "cancelled": "cancelled", "interrupted": "interrupted"}
    assert {i: states[r["state"]] for i, r in runs.items()} == told
    highest = 0
    for visit in world.shop.served:
        assert visit >= highest, "an attempt went on after a newer one had begun"
        highest = visit


async def check_webhooks(world: World) -> None:
    """Exactly one message a finished run, by its `webhook-id` and by the run it tells of; each says what the row says."""
    rows = await world.query("SELECT * FROM control.runs WHERE function_name = 'items' AND state <> 'cancelled'")
    runs = {wire_time(run["started_at"]): run for run in rows}
    assert len(runs) == len(rows)

    async def arrived() -> bool:
        return len(world.shop.hook_ids("sync")) >= len(runs)

    await until(arrived, f"{len(runs)} webhooks", seconds=WEBHOOK_LEASE + 30)
    events = {name: event for name, event in world.shop.hooks if event["type"] == "sync"}
    told = [event["queryTimeStamp"] if event["success"] else event["startedAt"] for event in events.values()]
    assert sorted(told) == sorted(runs)
    assert world.shop.refused_hooks == 0
    for at, event in zip(told, events.values(), strict=True):
        assert event["success"] is (runs[at]["state"] == "success"), (runs[at], event)
        if event["success"]:
            assert event["responseResults"] == json.loads(runs[at]["result"]).get(MODEL, NOTHING)
