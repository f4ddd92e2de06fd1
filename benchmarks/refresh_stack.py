"""Seeded schedules of refreshes over a real Postgres and a token endpoint of 30 ms, many at once."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from aiohttp import web

from dragoman_server.connect.errors import ConnectError
from dragoman_server.control.accounts import Accounts
from dragoman_server.control.environments import Environments
from dragoman_server.control.model import Connection, Environment, Integration
from dragoman_server.db.migrate import migrate
from tests.connect.world import Process, Told, process, write_entries
from tests.support.refreshing.model import Provider, Use

PAUSE = 0.03
PROCESSES, READERS = 4, 6
AT_ONCE = 10
FAULTS = ("none", "leave", "slow", "error_before", "error_after", "half_closed", "reconnect")
LOSING = frozenset({"error_after", "half_closed"})
"""An answer does not arrive, so the grant is used twice."""
PARTS = ("outbox", "vault", "control", "logs", "connect")


@dataclass(slots=True)
class Played:
    seed: int
    fault: str
    grace: float
    calls: int
    overlapping: bool
    lost: bool
    right_family: bool

    def problems(self) -> list[str]:
        """What this schedule must not have done."""
        found: list[str] = []
        if self.calls > (2 if self.fault in LOSING else 1):
            found.append(f"one refresh token was used {self.calls} times")
        if self.overlapping:
            found.append("two calls were out at once")
        if self.lost and (self.grace >= 10 or self.fault not in LOSING):
            found.append("the grant was lost")
        if not self.right_family:
            found.append("an older grant won over a later consent")
        return found


class Endpoint:
    """One vendor for all schedules; a refresh token begins with its schedule's seed."""

    def __init__(self) -> None:
        self.base = ""
        self.vendors: dict[str, Provider] = {}
        self.asked: dict[str, asyncio.Event] = {}

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/token", self._token)
        return app

    async def _token(self, request: web.Request) -> web.StreamResponse:
        seed, _, token = str((await request.post())["refresh_token"]).partition(":")
        vendor, loop = self.vendors[seed], asyncio.get_running_loop()
        fault, vendor.fault = vendor.fault, None
        if fault == "error_before":
            return web.json_response({"error": "server_error"}, status=503)
        use = Use(token, 0, loop.time())
        vendor.uses.append(use)
        following = vendor.exchange(token, loop.time())
        self.asked[seed].set()
        await asyncio.sleep(vendor.rng.uniform(1, 3) if fault == "slow" else PAUSE)
        use.answered = loop.time()
        if fault == "error_after":
            return web.json_response({"error": "server_error"}, status=502)
        if fault == "half_closed" and request.transport is not None:
            request.transport.close()
        if following is None:
            return web.json_response({"error": "invalid_grant"}, status=400)
        answer = {"access_token": f"at-{following}", "refresh_token": f"{seed}:{following}", "expires_in": 3600}
        return web.json_response(answer)


class Stack:
    """The processes and the vendor; `play` runs one schedule on a connection of its own."""

    def __init__(
        self, processes: list[Process], endpoint: Endpoint, environment: Environment, integration: Integration
    ) -> None:
        self.processes = processes
        self.endpoint = endpoint
        self.environment = environment
        self.integration = integration
        self._room = asyncio.Semaphore(AT_ONCE)

    async def play(self, seed: int) -> Played:
        async with self._room:
            return await self._play(seed)

    async def _play(self, seed: int) -> Played:
        rng, name = random.Random(seed), str(seed)
        fault, grace = FAULTS[seed % len(FAULTS)], rng.choice([10.0, 0.0])
        vendor = self.endpoint.vendors[name] = Provider(grace, rng)
        asked = self.endpoint.asked[name] = asyncio.Event()
        connection = await self._consent(name, vendor, family=1, life=-1.0)
        vendor.fault = fault
        readers = [
            asyncio.create_task(self._read(one, connection, rng.uniform(0, 0.06)))
            for one in self.processes
            for _ in range(READERS)
        ]
        family = 1
        if fault in ("leave", "reconnect"):
            await asked.wait()
        if fault == "leave":
            for reader in rng.sample(readers, len(readers) // 2):
                reader.cancel()
        elif fault == "reconnect":
            family = 2
            await self._consent(name, vendor, family=2, life=3600.0)
        await asyncio.gather(*readers, return_exceptions=True)
        return await self._look(seed, fault, vendor, connection, family)

    async def _consent(self, name: str, vendor: Provider, *, family: int, life: float) -> Connection:
        """A consent whose token is used up already, or is good for `life` seconds."""
        credentials = {
            "type": "OAUTH2",
            "access_token": f"first-{family}",
            "refresh_token": f"{name}:{vendor.grant(family)}",
            "expires_at": (datetime.now(UTC) + timedelta(seconds=life)).isoformat(),
        }
        connect = self.processes[0].parts.connect
        key = self.integration.unique_key
        return (await connect.import_connection(self.environment.id, key, credentials, connection_id=name)).connection

    async def _read(self, one: Process, connection: Connection, wait: float) -> None:
        await asyncio.sleep(wait)
        with suppress(ConnectError):
            await one.parts.credentials.fresh(self.environment.id, connection, self.integration)

    async def _look(self, seed: int, fault: str, vendor: Provider, connection: Connection, family: int) -> Played:
        fresh = self.processes[-1].parts.credentials.fresh
        uses = sorted(vendor.uses, key=lambda u: u.arrived)
        works = True
        try:
            found = await fresh(self.environment.id, connection, self.integration)
            token = str(found.values["refresh_token"]).partition(":")[2]
            works = vendor.works(token)
            right = vendor.family[token] == family
        except ConnectError:
            works, right = False, True
        overlapping = any(
            a.token == b.token and (a.answered is None or b.arrived < a.answered) for a, b in itertools.pairwise(uses)
        )
        calls = max(Counter(u.token for u in uses).values(), default=0)
        return Played(seed, fault, vendor.grace, calls, overlapping, not works, right)


async def play_all(url: str, folder: Path, seeds: Sequence[int]) -> list[Played]:
    """Play `seeds`, a few at a time, over four processes' worth of parts with a pool each."""
    await migrate(url, [f"dragoman_server.{part}" for part in PARTS])
    endpoint = Endpoint()
    async with AsyncExitStack() as stack:
        runner = web.AppRunner(endpoint.app(), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        endpoint.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
        write_entries(folder, endpoint.base)
        told = Told()
        processes = [await stack.enter_async_context(process(url, folder, told)) for _ in range(PROCESSES)]
        one = processes[0]
        accounts = Accounts(database=one.database, vault=one.vault, invalidations=one.invalidations)
        environments = Environments(database=one.database, vault=one.vault, invalidations=one.invalidations)
        account = await accounts.create("P16")
        environment = await environments.create(account.id, "dev")
        app = {"type": "OAUTH2", "client_id": "app", "client_secret": "app-secret", "scopes": "read"}
        integration = await one.integrations.create(environment.id, "acme", "acme", credentials=app)
        world = Stack(processes, endpoint, environment, integration)
        return list(await asyncio.gather(*(world.play(seed) for seed in seeds)))
