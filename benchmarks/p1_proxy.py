"""P1: CPU of one proxied GET, measured alone: the door in uvicorn, real logs and Postgres, a mock upstream.

    .venv/bin/python benchmarks/p1_proxy.py [calls] [concurrency]

Counts the serving process and Postgres (`/proc/PID/stat`, reaped children too), not the upstream nor the load
generator. Names are looked up in memory: what control and connect add is measured by the whole suite.
"""

import asyncio
import json
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

BODY = json.dumps({"items": [{"id": i, "name": f"item number {i}", "done": False} for i in range(20)]}).encode()
ANSWER = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    b'Date: Mon, 01 Jan 2030 00:00:00 GMT\r\nETag: W/"abc"\r\nX-Request-Id: 1\r\nVary: Accept\r\n\r\n%b'
) % (len(BODY), BODY)
TICK = os.sysconf("SC_CLK_TCK")


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


class Upstream(asyncio.Protocol):
    """Answers every request head with the same JSON."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self.transport.write(ANSWER * data.count(b"\r\n\r\n"))


def run_upstream(port: Any) -> None:
    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(main())


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


def cpu_of(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(value) for value in fields[11:15])
    return total / TICK


def children_of(pid: int) -> list[int]:
    found: list[int] = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


async def load(port: int, calls: int, concurrency: int) -> list[float]:
    """Send `calls` GETs over `concurrency` keep-alive connections; raw sockets, so that the generator costs little."""
    request = (
        b"GET /proxy/user/repos?page=2 HTTP/1.1\r\nHost: localhost\r\nConnection-Id: user-1\r\n"
        b"Provider-Config-Key: github\r\nAuthorization: Bearer 00000000-0000-4000-8000-000000000000\r\n"
        b"Accept: application/json\r\nUser-Agent: bench\r\nBase-Url-Override: \r\n\r\n"
    )
    times: list[float] = []
    left = calls

    async def one() -> None:
        nonlocal left
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while left > 0:
            left -= 1
            start = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            await reader.readexactly(len(BODY))
            times.append(time.perf_counter() - start)
        writer.close()

    await asyncio.gather(*(one() for _ in range(concurrency)))
    return times


def started(target: Any, *arguments: Any) -> tuple[multiprocessing.Process, int]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    if not ours.poll(60):
        raise RuntimeError(f"{target.__name__} did not start")
    return process, ours.recv()  # pyright: ignore[reportReturnType]


def main() -> None:
    from dragoman_server.db.embedded import EmbeddedPostgres

    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    concurrency = int(sys.argv[2]) if len(sys.argv) > 2 else 16
    with tempfile.TemporaryDirectory(prefix="dgb-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        postgres = EmbeddedPostgres(Path(folder) / "pg")
        postgres.start()
        upstream, upstream_port = started(run_upstream)
        door, port = started(run_door, upstream_port, folder, postgres.url("postgres"))
        try:
            asyncio.run(load(port, 2000, concurrency))
            postmaster = int(next((Path(folder) / "pg").rglob("postmaster.pid")).read_text().split()[0])
            database = [postmaster, *children_of(postmaster)]
            before, before_db, start = cpu_of([door.pid or 0]), cpu_of(database), time.perf_counter()
            times = asyncio.run(load(port, calls, concurrency))
            took = time.perf_counter() - start
            time.sleep(0.5)
            serving = (cpu_of([door.pid or 0]) - before) / calls * 1000
            storing = (cpu_of(database) - before_db) / calls * 1000
            times.sort()
            print(
                f"P1 proxied GET c={concurrency}: {serving + storing:.3f} ms CPU "
                f"(door {serving:.3f}, postgres {storing:.3f}), {calls / took:.0f} req/s, "
                f"p50 {times[len(times) // 2] * 1000:.2f} ms, p99 {times[int(len(times) * 0.99)] * 1000:.2f} ms, "
                f"body {len(BODY)} B; target <= 0.30 ms"
            )
            ones = sorted(asyncio.run(load(port, 2000, 1)))
            direct = sorted(asyncio.run(load(upstream_port, 2000, 1)))
            p50, p99 = ((ones[at] - direct[at]) * 1000 for at in (1000, 1980))
            print(f"P2 c=1 added: p50 {p50:.2f} ms, p99 {p99:.2f} ms; target p50 <= 1, p99 <= 5")
        finally:
            os.kill(door.pid or 0, signal.SIGTERM)
            door.join(5)
            upstream.kill()
            postgres.stop()


if __name__ == "__main__":
    main()
