"""P15: outgoing webhooks from the outbox, all destinations well; then with 10 % of them hanging for 30 s.

Targets: >= 500 deliveries/s; with hanging destinations the rest keep p99 < 1 s.
    python -m benchmarks.p15_webhooks [facts] [destinations]
"""

import asyncio
import json
import shutil
import sys
import tempfile
import time
from pathlib import Path

from aiohttp import web

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


async def measure(url: str, facts: int, destinations: int) -> dict[str, object]:
    await migrate(url, [f"dragoman_server.{part}" for part in ("outbox", "logs", "webhooks")])
    flood = await play(url, facts, destinations, None, 0)
    steady = await play(url, facts, destinations, 200, destinations // 10)
    return {
        "name": "P15",
        "facts": facts,
        "destinations": destinations,
        "all_well_at_once": flood,
        "a_tenth_hanging_200_per_second": steady,
        "target": {"deliveries_per_second": 500, "p99_ms_with_hanging": 1000},
    }


def main(facts: int = 3000, destinations: int = 100) -> dict[str, object]:
    """Return the figures."""
    folder = Path(tempfile.mkdtemp(prefix="dgb-", dir="/tmp"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "pg")
    server.start()
    try:
        return asyncio.run(measure(server.url("postgres"), facts, destinations))
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    print(json.dumps(main(*[int(a) for a in sys.argv[1:3]]), indent=1))
