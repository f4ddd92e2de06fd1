"""P1, a part of it: the proxy's door alone in uvicorn, with real logs and Postgres, names looked up in memory.

Counts the serving process and Postgres, not the upstream nor the load generator. `p1_whole` measures the platform.
"""

import asyncio
import itertools
import multiprocessing
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.load import flood, get
from benchmarks.result import Result
from benchmarks.rig import Size, benchmark, measured
from benchmarks.upstream import JSON, running_upstream
from dragoman_server.db.embedded import EmbeddedPostgres

HEADERS = {
    "Connection-Id": "user-1",
    "Provider-Config-Key": "github",
    "Authorization": "Bearer 00000000-0000-4000-8000-000000000000",
}


@dataclass(frozen=True)
class Integration:
    unique_key: str = "github"
    provider: str = "github"
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    custom: Mapping[str, Any] = field(default_factory=dict[str, Any])
    allowed_origins: tuple[str, ...] = ()


@dataclass(frozen=True)
class Connection:
    id: Any = 1
    connection_id: str = "user-1"
    connection_config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metadata: Mapping[str, Any] | None = None


def run_door(port: Any, upstream: int, folder: str, url: str) -> None:
    import uvicorn

    from dragoman_server.api.proxy_door import ProxyDoor
    from dragoman_server.db import Database
    from dragoman_server.db.migrate import migrate
    from dragoman_server.egress import EgressClient, EgressRules
    from dragoman_server.kit.ids import EnvironmentId
    from dragoman_server.logs.service import Logs
    from dragoman_server.providers.catalogue import load_catalogue
    from dragoman_server.providers.model import AuthMode, Credential
    from dragoman_server.proxy import Proxy, Target

    credential = Credential(AuthMode.OAUTH2, {"access_token": "gho_0123456789abcdefghij", "refresh_token": "r" * 40})

    async def fresh(*_: Any, **__: Any) -> Credential:
        return credential

    async def application(_: Any) -> Mapping[str, Any]:
        return {"client_id": "app", "client_secret": "app-secret"}

    async def main() -> None:
        providers = Path(folder) / "providers"
        providers.mkdir()
        entry = (Path(__file__).parent.parent / "src/dragoman_server/providers/catalogue/github.yaml").read_text()
        entry = entry.replace("https://api.github.com", f"http://127.0.0.1:{upstream}")
        (providers / "github.yaml").write_text(entry)
        await migrate(url, ["dragoman_server.logs"])
        database = Database(url)
        await database.open()
        logs = Logs(database=database)
        writing = asyncio.create_task(logs.run())
        async with EgressClient(EgressRules(["127.0.0.0/8"])) as egress:
            proxy = Proxy(
                egress=egress, catalogue=load_catalogue(providers), fresh_credential=fresh,
                integration_credentials=application, logs=logs,
            )  # fmt: skip
            target = Target(EnvironmentId(1), Integration(), Connection())

            async def find(*_: Any) -> Target:
                return target

            class Caller:
                environment_id = EnvironmentId(1)

            async def authenticate(*_: Any) -> Any:
                return Caller

            app = ProxyDoor(proxy=proxy, find_target=find, authenticate=authenticate)
            config = uvicorn.Config(app, port=0, lifespan="off", log_level="warning", access_log=False)
            config.load()
            server = uvicorn.Server(config)
            server.lifespan = config.lifespan_class(config)
            await server.startup()
            port.send(server.servers[0].sockets[0].getsockname()[1])
            await server.main_loop()
            await server.shutdown()
        await logs.stop()
        await writing

    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def started(target: Any, *arguments: Any) -> tuple[multiprocessing.Process, int]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    if not ours.poll(60):
        raise RuntimeError(f"{target.__name__} did not start")
    return process, ours.recv()  # pyright: ignore[reportReturnType]


def run(size: Size) -> Iterator[Result]:
    """The door alone."""
    calls = size.pick(300, 20_000, 100_000)
    request = itertools.cycle([get("/proxy/json", HEADERS)])
    with running_upstream() as upstream, tempfile.TemporaryDirectory(prefix="dgb-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        postgres = EmbeddedPostgres(Path(folder) / "pg")
        postgres.start()
        try:
            door, port = started(run_door, upstream.port, folder, postgres.url("postgres"))
            try:
                flood(port, request, calls=calls // 10, at_once=16, check=JSON.__eq__)
                assert door.pid is not None
                assert postgres.pid is not None
                with measured(door.pid, postgres.pid, label="p1 door") as spent:
                    flood(port, request, calls=calls, at_once=16, check=JSON.__eq__)
                    time.sleep(0.5)  # its log rows are written in the background
                yield Result(
                    "P1",
                    "the proxy's door alone, c=16: CPU",
                    spent.cpu / calls * 1000,
                    "ms",
                    conditions=f"{spent.conditions}; {len(JSON)} bytes; door and Postgres",
                )
            finally:
                door.terminate()
                door.join(10)
        finally:
            postgres.stop()


if __name__ == "__main__":
    benchmark(run)
