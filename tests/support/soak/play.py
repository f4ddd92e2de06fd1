"""The soak itself: customers, their traffic, the kills, and what must be true in the end.

Two environments with half of the customers each. All the while: proxied calls, actions (waited for and not), scheduled
syncs over stock that changes, webhooks, some calls to a third party that hangs and some readers that hardly read.
Traffic is paced, so it is bounded by the time it runs; everything ends with `seconds`.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from dragoman import AsyncClient
from dragoman.client import ApiError, ConnectionFailedError
from dragoman_server.db.driver import UNAVAILABLE, RawConnection, connect
from dragoman_server.db.embedded import EmbeddedPostgres
from tests.support import processes
from tests.support.platform import RunningPlatform
from tests.support.soak.bazaar import PROJECT, Bazaar, Stall
from tests.support.soak.measuring import FAILED, Tally

INTEGRATION = "bazaar"
ENVIRONMENTS = ("dev", "prod")


@dataclass
class Customer:
    """One connection: where it lives and what it has at the third party."""

    environment: str
    connection_id: str
    stall: Stall
    acknowledged: list[str] = field(default_factory=list[str])
    """References of purchases whose success was answered."""


@dataclass
class Soak:
    """A platform under traffic."""

    platform: RunningPlatform
    bazaar: Bazaar
    choose: random.Random
    customers: list[Customer] = field(default_factory=list[Customer])
    apis: dict[str, AsyncClient] = field(default_factory=dict[str, AsyncClient])
    tally: Tally = field(default_factory=Tally)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def supervisor(self) -> int:
        return self.platform.commands[-1].popen.pid

    def some(self) -> tuple[Customer, AsyncClient]:
        customer = self.choose.choice(self.customers)
        return customer, self.apis[customer.environment]

    async def pause(self, seconds: float) -> None:
        """Plays the time between two requests of people; ends early when the soak does."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)

    async def query(self, sql: str, *arguments: object) -> list[dict[str, Any]]:
        while True:
            try:
                url = EmbeddedPostgres.attach(self.platform.data_dir / "postgres", "dragoman")
                connection: RawConnection = await connect(url)
                try:
                    return [dict(row) for row in await connection.fetch(sql, *arguments)]
                finally:
                    await connection.close()
            except UNAVAILABLE:
                await asyncio.sleep(0.2)  # until Postgres is back


def set_up(platform: RunningPlatform, bazaar: Bazaar, *, customers: int, wares: int) -> list[Customer]:
    """Integration, functions, webhooks and `customers` connections with `wares` each, half in each environment."""
    made: list[Customer] = []
    for number, environment in enumerate(ENVIRONMENTS):
        bazaar.signing_keys.append(platform.environment(environment)["webhook_signing_key"])
        with platform.client(environment) as api:
            api.integrations.create(INTEGRATION, INTEGRATION)
            api.environment.set_webhooks(
                primary_url=f"{bazaar.url}/hooks/{number}", on_sync_completion_always=True, on_auth_creation=False
            )
            platform.deploy(PROJECT, environment)
            for index in range(customers // len(ENVIRONMENTS)):
                name = f"{environment}{index:03d}"
                key = bazaar.open_stall(name, wares)
                api.connections.create(
                    INTEGRATION,
                    {"type": "API_KEY", "apiKey": key},
                    connection_id=name,
                    connection_config={"bazaar_url": bazaar.url},
                )
                made.append(Customer(environment, name, bazaar.stalls[key]))
    return made


# -- traffic ---------------------------------------------------------------------------------------------------------


async def repeat(soak: Soak, kind: str, every: float, once: Callable[[], Awaitable[None]]) -> None:
    """Do it until the soak ends; file its errors."""
    while not soak.stopping.is_set():
        began = time.monotonic()
        try:
            await once()
            soak.tally.took(kind, began)
        except FAILED as error:
            soak.tally.judge(kind, began, error)
        await soak.pause(every)


async def proxied_call(soak: Soak) -> None:
    customer, api = soak.some()
    echo = uuid4().hex
    answer = await api.proxy(
        "GET", "/me", connection_id=customer.connection_id, integration_id=INTEGRATION, params={"echo": echo}
    )
    if answer.status_code != 200 or answer.json() != {"account": customer.stall.name, "echo": echo}:
        soak.tally.fault(f"proxy: {customer.connection_id} got {answer.status_code} {answer.text[:200]}")


async def action(soak: Soak) -> None:
    customer, api = soak.some()
    reference = uuid4().hex
    output = await api.actions.trigger(INTEGRATION, customer.connection_id, "buy", {"reference": reference})
    if output != {"reference": reference, "account": customer.stall.name}:
        soak.tally.fault(f"action: {customer.connection_id} got {output}")
    customer.acknowledged.append(reference)


async def async_action(soak: Soak) -> None:
    """Submit and ask for the result; errors of asking are an outage's, the result has to come."""
    customer, api = soak.some()
    reference = uuid4().hex
    submitted = await api.actions.trigger_async(INTEGRATION, customer.connection_id, "buy", {"reference": reference})
    while True:
        began = time.monotonic()
        try:
            output = await api.actions.result(submitted["id"])
        except ApiError as error:
            if error.status != 404:
                raise
        except ConnectionFailedError as error:
            soak.tally.judge("async action", began, error)
        else:
            if output != {"reference": reference, "account": customer.stall.name}:
                soak.tally.fault(f"async action: {customer.connection_id} got {output}")
            customer.acknowledged.append(reference)
            return
        await asyncio.sleep(0.2)  # plays somebody who asks again


async def change_stock(soak: Soak) -> None:
    """At the third party: a price changes, a ware comes or goes."""
    customer, _ = soak.some()
    with soak.bazaar.lock:
        wares = customer.stall.wares
        match soak.choose.randrange(3):
            case 0:
                customer.stall.put(soak.choose.randrange(60), soak.choose.randrange(10_000))
            case 1 if len(wares) > 10:
                del wares[soak.choose.choice(sorted(wares))]
            case _:
                wares[soak.choose.choice(sorted(wares))]["price"] += 1


async def hang(soak: Soak) -> None:
    """A call that its third party never answers: broken off by its caller when the soak ends."""
    customer, api = soak.some()
    asked = asyncio.ensure_future(
        api.proxy("GET", "/hang", connection_id=customer.connection_id, integration_id=INTEGRATION)
    )
    ended = asyncio.ensure_future(soak.stopping.wait())
    try:
        await asyncio.wait({asked, ended}, return_when=asyncio.FIRST_COMPLETED)
        if asked.done():
            asked.result()
    finally:
        ended.cancel()
        asked.cancel()
        await asyncio.wait({asked, ended})


async def dawdle(soak: Soak) -> None:
    """Take a large file piece by piece, far slower than it comes."""
    customer, api = soak.some()
    try:
        async with api.proxy_stream(
            "GET", "/large", connection_id=customer.connection_id, integration_id=INTEGRATION
        ) as answer:
            async for _ in answer.aiter_bytes(64 * 1024):
                await soak.pause(0.5)
                if soak.stopping.is_set():
                    return
    except httpx.TransportError as error:
        raise ConnectionFailedError(str(error)) from error


# -- kills -----------------------------------------------------------------------------------------------------------


def victims(soak: Soak, kind: str) -> list[processes.Found]:
    working = processes.workers(soak.supervisor)
    match kind:
        case "work":
            return working
        case "postgres":
            return processes.postgres(soak.supervisor)
        case _:
            return [one for worker in working for one in processes.zygotes(worker.pid)]


async def kill_now_and_then(soak: Soak, every: float) -> None:
    """kill -9 a process of each kind in turn; an outage lasts until a probe that needs all parts is answered."""
    turn = 0
    while True:
        await soak.pause(every * soak.choose.uniform(0.7, 1.3))
        if soak.stopping.is_set():
            return
        kind = ("postgres", "work", "zygote")[turn % 3]
        turn += 1
        found = victims(soak, kind)
        if not found:
            continue
        outage = soak.tally.begin(kind)
        soak.choose.choice(found).kill()
        await recovered(soak)
        outage.ended = time.monotonic()


async def recovered(soak: Soak) -> None:
    """An action (so API, Postgres, orchestrator, jobs, runner, proxy) is answered again."""
    customer, api = soak.some()
    while True:
        reference = uuid4().hex
        try:
            await asyncio.wait_for(
                api.actions.trigger(INTEGRATION, customer.connection_id, "buy", {"reference": reference}), 20
            )
        except FAILED:
            await asyncio.sleep(0.05)  # plays a prober
        else:
            customer.acknowledged.append(reference)
            return


# -- the end ---------------------------------------------------------------------------------------------------------


async def everything_is_told(soak: Soak) -> None:
    """In peace: every customer has what the third party has, every purchase is made as often as it was answered."""
    since = (await soak.query("SELECT kit.now() AS now"))[0]["now"]
    for customer in soak.customers:
        await soak.apis[customer.environment].syncs.trigger(
            INTEGRATION, ["stock"], connection_id=customer.connection_id
        )

    async def all_ran() -> bool:
        rows = await soak.query(
            "SELECT count(DISTINCT (environment_id, sync_id)) AS n FROM control.runs"
            " WHERE state = 'success' AND attempt = 1 AND started_at > $1",
            since,
        )
        return rows[0]["n"] >= len(soak.customers)

    await asyncio.wait_for(until(all_ran), 180)
    for customer in soak.customers:
        await check_customer(soak, customer)
    await check_runs_and_webhooks(soak)
    if soak.bazaar.refused_hooks:
        soak.tally.fault(f"{soak.bazaar.refused_hooks} webhooks with a wrong signature")


async def until(done: Callable[[], Awaitable[bool]]) -> None:
    while not await done():
        await asyncio.sleep(0.3)  # plays somebody who asks again


async def check_customer(soak: Soak, customer: Customer) -> None:
    api, tally, name = soak.apis[customer.environment], soak.tally, customer.connection_id
    wanted = customer.stall.wares
    found = {
        record["id"]: {k: v for k, v in record.items() if k != "_nango_metadata"}
        async for record in api.records.list("Ware", connection_id=name, integration_id=INTEGRATION)
        if record["_nango_metadata"]["deleted_at"] is None
    }
    if found != wanted:
        tally.fault(f"{name}: {len(found)} records that differ from the {len(wanted)} wares there are")
    for reference in customer.acknowledged:
        if customer.stall.purchases[reference] != 1:
            tally.fault(
                f"{name}: purchase {reference} was answered once and made {customer.stall.purchases[reference]}x"
            )
    doubled = [r for r, n in customer.stall.purchases.items() if n > 1]
    if doubled:
        tally.fault(f"{name}: purchases made more than once: {doubled}")


async def check_runs_and_webhooks(soak: Soak) -> None:
    """No run is left open, and each ended run was told of once."""

    async def none_open() -> bool:
        return not await soak.query("SELECT id FROM control.runs WHERE state = 'running' LIMIT 1")

    await asyncio.wait_for(until(none_open), 90)
    rows = await soak.query("SELECT id FROM control.runs WHERE function_name = 'stock' AND state <> 'cancelled'")

    async def told() -> bool:
        return len({name for name, event in list(soak.bazaar.hooks) if event["type"] == "sync"}) >= len(rows)

    with suppress(TimeoutError):
        await asyncio.wait_for(until(told), 100)  # a message whose sender was killed goes out again after its lease
    names = {name for name, event in soak.bazaar.hooks if event["type"] == "sync"}
    if len(names) != len(rows):
        soak.tally.fault(f"{len(rows)} runs ended and {len(names)} webhooks told of them")


# -- all of it -------------------------------------------------------------------------------------------------------


async def run(soak: Soak, *, seconds: float, kill_every: float, pace: float = 1.0) -> None:
    """Traffic for `seconds`, then peace, then every check; `pace` 2 asks twice as often."""
    async with (
        AsyncClient(url=soak.platform.url, api_key=soak.platform.environment("dev")["api_key"]) as dev,
        AsyncClient(url=soak.platform.url, api_key=soak.platform.environment("prod")["api_key"]) as prod,
    ):
        soak.apis = {"dev": dev, "prod": prod}
        loops: list[tuple[str, float, int, Callable[[Soak], Awaitable[None]]]] = [
            ("proxy", 0.1, 6, proxied_call),
            ("action", 0.3, 2, action),
            ("async action", 0.5, 1, async_action),
            ("stock", 0.05, 1, change_stock),
            ("hang", 0.1, 6, hang),
            ("slow reader", 0.1, 3, dawdle),
        ]
        async with asyncio.TaskGroup() as group:
            for kind, every, many, once in loops:
                for _ in range(many):
                    group.create_task(repeat(soak, kind, every / pace, lambda once=once: once(soak)))
            group.create_task(kill_now_and_then(soak, kill_every))
            group.create_task(watch_memory(soak))
            await asyncio.sleep(seconds)  # plays the time in which customers come
            soak.stopping.set()
        await everything_is_told(soak)


async def watch_memory(soak: Soak) -> None:
    while not soak.stopping.is_set():
        soak.tally.memory.append(await asyncio.to_thread(memory_of, soak.supervisor))
        await soak.pause(5.0)


def memory_of(supervisor: int) -> float:
    """Megabytes (PSS) of the work processes: what a leak in the serving process would grow."""
    total = 0
    for worker in processes.workers(supervisor):
        with suppress(OSError):
            text = Path(f"/proc/{worker.pid}/smaps_rollup").read_text("utf-8")
            total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024
