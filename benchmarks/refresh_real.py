"""A platform of four processes, a slow token endpoint, and many readers of one connection whose token has expired."""

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
from aiohttp import web

from benchmarks.rig import running_platform, supervisor
from tests.support.platform import RunningPlatform
from tests.support.processes import below

ENTRY = """
display_name: Slow
docs: https://slow.example/docs
categories: [crm]
auth_mode: OAUTH2
authorization_url: {base}/authorize
token_url: {base}/token
proxy:
  base_url: {base}/api
"""
REUSE = 10.0
WORKERS = 3
"""`--api-workers`, besides the process that does everything."""


@dataclass(frozen=True, slots=True)
class Outcome:
    readers: int
    processes: int
    seconds: float
    calls: int
    lost: bool
    tokens: int
    took: float


@dataclass
class Vendor:
    """Single-use refresh tokens; a used one is forgiven for 10 s after its first use, then ends its family."""

    seconds: float
    base: str = ""
    calls: int = 0
    first_use: dict[str, float] = field(default_factory=dict[str, float])
    dead: bool = False
    callers: list[int] = field(default_factory=list[int])
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def token(self, request: web.Request) -> web.Response:
        self.calls += 1
        number, now = self.calls, time.monotonic()
        token = str((await request.post())["refresh_token"])
        peer = request.transport.get_extra_info("peername") if request.transport else None
        self.callers.append(peer[1] if peer else 0)
        self.dead = self.dead or now - self.first_use.setdefault(token, now) > REUSE
        self.asked.set()
        if self.dead:
            return web.json_response({"error": "invalid_grant"}, status=400)
        await asyncio.sleep(self.seconds)
        answer = {"access_token": f"at-{number}", "refresh_token": f"rt-{number}", "expires_in": 3600}
        return web.json_response(answer)


@asynccontextmanager
async def vendor_running(seconds: float) -> AsyncGenerator[Vendor]:
    vendor = Vendor(seconds)
    app = web.Application()
    app.router.add_post("/token", vendor.token)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    vendor.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vendor
    finally:
        await runner.cleanup()


def read_from_everywhere(*, seconds: float, readers: int, kill: bool) -> Outcome:
    """Have `readers` ask for the connection at once; with `kill`, kill the process whose call is out."""
    return asyncio.run(_read_from_everywhere(seconds, readers, kill))


async def _read_from_everywhere(seconds: float, readers: int, kill: bool) -> Outcome:
    with tempfile.TemporaryDirectory(prefix="dgb-p16-") as folder:
        async with vendor_running(seconds) as vendor:
            (Path(folder) / "slow.yaml").write_text(ENTRY.format(base=vendor.base), "utf-8")
            extra = {"DRAGOMAN_PROVIDERS_DIR": folder}
            arguments = ["--api-workers", str(WORKERS)]
            with running_platform(extra, arguments, own=True) as platform:
                await asyncio.to_thread(_connect, platform)
                return await _race(platform, vendor, readers, kill=kill)


def _connect(platform: RunningPlatform) -> None:
    app = {"type": "OAUTH2", "client_id": "app", "client_secret": "secret", "scopes": "read"}
    expired = {
        "type": "OAUTH2",
        "access_token": "old",
        "refresh_token": "rt-0",
        "expires_at": (datetime.now(UTC) - timedelta(minutes=5)).isoformat(),
    }
    with platform.client() as client:
        client.integrations.create("slow", "slow", credentials=app)
        client.connections.create("slow", expired, connection_id="one")


async def _race(platform: RunningPlatform, vendor: Vendor, readers: int, *, kill: bool) -> Outcome:
    headers = {"Authorization": f"Bearer {platform.environment()['api_key']}"}
    each_its_own = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    async with httpx.AsyncClient(timeout=60, headers=headers, limits=each_its_own) as http:
        began = time.monotonic()
        racing = [asyncio.create_task(_token(http, platform.url)) for _ in range(readers)]
        if kill:
            await vendor.asked.wait()
            await asyncio.to_thread(_kill_caller, platform, vendor.callers[0])
        tokens = set(await asyncio.gather(*racing))
        took = time.monotonic() - began
    return Outcome(readers, WORKERS + 1, vendor.seconds, vendor.calls, vendor.dead, len(tokens), round(took, 2))


async def _token(http: httpx.AsyncClient, url: str) -> str:
    """Ask until there is an answer: the process that was asked may be killed."""
    async with asyncio.timeout(60):
        while True:
            with suppress(httpx.TransportError):
                answer = await http.get(f"{url}/connections/one?provider_config_key=slow")
                if answer.status_code == 200:
                    return str(answer.json()["credentials"]["access_token"])
                if answer.status_code != 503:
                    raise AssertionError(f"{answer.status_code}: {answer.text[:300]}")
            await asyncio.sleep(0.2)


def _kill_caller(platform: RunningPlatform, port: int) -> None:
    """kill -9 the platform's process that holds the socket of this local port."""
    inode = next(
        fields[9]
        for line in Path("/proc/net/tcp").read_text("utf-8").splitlines()[1:]
        if (fields := line.split())[1].endswith(f":{port:04X}") and fields[9] != "0"
    )
    for one in below(supervisor(platform)):
        with suppress(OSError):
            if any(fd.readlink() == Path(f"socket:[{inode}]") for fd in Path(f"/proc/{one.pid}/fd").iterdir()):
                os.kill(one.pid, signal.SIGKILL)
                return
    raise AssertionError("no process of the platform holds the call's socket")
