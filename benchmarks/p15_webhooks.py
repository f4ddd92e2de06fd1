"""P15: outgoing webhooks from the outbox, all destinations well; then with 10 % of them hanging for 30 s.

Targets: >= 500 deliveries/s; with hanging destinations the rest keep p99 < 1 s.
"""

import asyncio
import json
import multiprocessing
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from benchmarks.result import Result
from benchmarks.rig import Size, benchmark
from dragoman_server.control.model import WebhookSettings
from dragoman_server.db import Database
from dragoman_server.db.embedded import EmbeddedPostgres
from dragoman_server.db.migrate import migrate
from dragoman_server.egress import EgressClient, EgressRules
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.kit.secret import Secret
from dragoman_server.logs import Logs
from dragoman_server.outbox import Fact, Relay, put
from dragoman_server.webhooks import ConnectionRef, Deliverer, SigningKeys, Webhooks, fact_for_async_action

ENV = EnvironmentId(1)


async def targets(_environment_id: EnvironmentId) -> WebhookSettings:
    return WebhookSettings()


async def keys(_environment_id: EnvironmentId) -> SigningKeys:
    return SigningKeys(Secret("benchmark-signing-key"))


class Customers:
    """Destinations on loopback: /fine answers, /hang does not."""

    def __init__(self) -> None:
        self.received: dict[str, float] = {}
        self.released = asyncio.Event()
        self._changed = asyncio.Condition()

    async def all_in(self, count: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: len(self.received) >= count)

    async def handle(self, request: web.Request) -> web.Response:
        body = json.loads(await request.read())
        if request.path.startswith("/hang"):
            await self.released.wait()
        self.received[body["payload"]["id"]] = time.monotonic()
        async with self._changed:
            self._changed.notify_all()
        return web.Response()

    async def serve(self) -> tuple[web.AppRunner, str]:
        app = web.Application()
        app.router.add_post("/{tail:.*}", self.handle)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, f"http://127.0.0.1:{runner.addresses[0][1]}"


def fact(number: int, url: str) -> Fact:
    connection = ConnectionRef(ENV, ConnectionRowId(number % 1000), f"c-{number % 1000}", "github", "github", url)
    return fact_for_async_action(connection, f"a{number}", action_id=str(number))


async def play(url: str, count: int, destinations: int, rate: int | None, hanging: int) -> dict[str, float]:
    """Put `count` facts (at once, or `rate` a second) for `destinations`, of which `hanging` hang."""
    database, work = Database(url, max_size=4), Database(url, max_size=8)
    await database.open()
    await work.open()
    customers = Customers()
    runner, base = await customers.serve()
    sent_at: dict[str, float] = {}
    fine = 0
    async with EgressClient(EgressRules(["127.0.0.0/8"])) as egress, asyncio.TaskGroup() as group:
        logs = Logs(database=work)
        deliverer = Deliverer(database=work, egress=egress, signing_keys=keys, version="0", logs=logs)
        webhooks = Webhooks(database=work, targets=targets, logs=logs, on_new=deliverer.wake)
        relay = Relay(database=work, handlers={"webhook": webhooks.handle})
        for service in (logs, deliverer, relay):
            group.create_task(service.run())
        began = time.monotonic()
        step = 50
        for first in range(0, count, step):
            facts: list[Fact] = []
            for number in range(first, min(first + step, count)):
                kind = "hang" if number % destinations < hanging else "fine"
                fine += kind == "fine"
                facts.append(fact(number, f"{base}/{kind}{number % destinations}"))
                if kind == "fine":
                    sent_at[str(number)] = time.monotonic()
            async with database.transaction() as conn:
                await put(conn, facts)
            relay.wake()
            if rate is not None:
                await asyncio.sleep(max(0.0, began + (first + step) / rate - time.monotonic()))
        async with asyncio.timeout(120):
            await customers.all_in(fine)
        took = time.monotonic() - began
        customers.released.set()
        for service in (relay, deliverer, logs):
            await service.stop()
    await runner.cleanup()
    await database.close()
    await work.close()
    late = sorted(customers.received[key] - at for key, at in sent_at.items())
    return {
        "deliveries_per_second": round(fine / took),
        "p50_ms": round(late[len(late) // 2] * 1000),
        "p99_ms": round(late[int(len(late) * 0.99)] * 1000),
    }


async def measure(url: str, facts: int, destinations: int) -> list[Result]:
    await migrate(url, [f"dragoman_server.{part}" for part in ("outbox", "logs", "webhooks")])
    flood = await play(url, facts, destinations, None, 0)
    steady = await play(url, facts, destinations, 200, destinations // 10)
    load = f"{facts:,} deliveries, {destinations} destinations; load average {os.getloadavg()[0]:.1f}"
    said = f"{load}; {steady['deliveries_per_second']} a second, p50 {steady['p50_ms']} ms"
    rate = flood["deliveries_per_second"]
    return [
        Result("P15", "deliveries, all destinations well", rate, "deliveries/s", 500, at_least=True, conditions=load),
        Result(
            "P15", "a tenth of the destinations hangs: p99 of the rest", steady["p99_ms"], "ms", 1000, conditions=said
        ),
    ]


def deliver_forever(url: str) -> None:
    """What the relay role does about webhooks, in a process that is going to be killed."""

    async def work() -> None:
        database = Database(url, max_size=8)
        await database.open()
        async with EgressClient(EgressRules(["127.0.0.0/8"])) as egress, asyncio.TaskGroup() as group:
            logs = Logs(database=database)
            deliverer = Deliverer(database=database, egress=egress, signing_keys=keys, version="0", logs=logs)
            webhooks = Webhooks(database=database, targets=targets, logs=logs, on_new=deliverer.wake)
            relay = Relay(database=database, handlers={"webhook": webhooks.handle})
            for service in (logs, deliverer, relay):
                group.create_task(service.run())

    asyncio.run(work())


async def lost_in_kills(url: str, facts: int, kills: int) -> Result:
    """Kill -9 the delivering process `kills` times while it delivers; count what never arrives."""
    database = Database(url, max_size=2)
    await database.open()
    customers = Customers()
    runner, base = await customers.serve()
    context = multiprocessing.get_context("spawn")
    began = time.monotonic()
    for kill in range(kills + 1):
        first = kill * facts
        async with database.transaction() as conn:
            await put(conn, [fact(10**6 + first + n, f"{base}/fine{n % 50}") for n in range(facts)])
        process = context.Process(target=deliver_forever, args=(url,), daemon=True)
        process.start()
        try:
            wanted = first + (facts if kill == kills else facts // 3)
            async with asyncio.timeout(240):
                await customers.all_in(wanted if kill < kills else (kills + 1) * facts)
        finally:
            process.kill()
            await asyncio.to_thread(process.join)
    lost = (kills + 1) * facts - len(customers.received)
    await runner.cleanup()
    await database.close()
    said = f"{(kills + 1) * facts:,} deliveries, all in after {time.monotonic() - began:.0f} s"
    return Result("P15", f"lost in {kills} kill -9 of the delivering process", lost, "deliveries", 0, conditions=said)


def run(size: Size) -> Iterator[Result]:
    """The parts outbox and webhooks in this process."""
    folder = Path(tempfile.mkdtemp(prefix="dgb-", dir="/tmp"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "pg")
    server.start()
    try:
        url = server.url("postgres")
        yield from asyncio.run(measure(url, size.pick(100, 3000, 10_000), size.pick(10, 100, 100)))
        yield asyncio.run(lost_in_kills(url, size.pick(30, 600, 2000), size.pick(1, 2, 5)))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    benchmark(run)
