"""A platform with a vendor, an integration, a connection and functions, made through the API as a user does."""

import itertools
import json
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from benchmarks.load import get
from benchmarks.rig import running_platform, supervisor, unique
from benchmarks.upstream import Upstream, running_upstream
from dragoman import Client
from dragoman.bundling import bundle_project
from dragoman_server.db.embedded import EmbeddedPostgres
from tests.support.platform import RunningPlatform, poll_until

FUNCTIONS = '''
"""What the benchmarks deploy."""
import asyncio

from pydantic import BaseModel

from dragoman import ActionContext, SyncContext, action, sync


class Address(BaseModel):
    city: str
    zip: int


class Person(BaseModel):
    id: str
    name: str
    email: str
    version: int
    notes: str
    tags: list[str]
    address: Address


@action(integration="INTEGRATION")
async def echo(ctx: ActionContext, value: int) -> int:
    return value + 1


@action(integration="INTEGRATION")
async def rest(ctx: ActionContext, seconds: float) -> bool:
    await ctx.get("/count", params={"of": "resting-INTEGRATION"})
    await asyncio.sleep(seconds)
    return True


@sync(integration="INTEGRATION", models=[Person], every=None, auto_start=False)
async def people(ctx: SyncContext) -> None:
    """All people the vendor has, with delete tracking."""
    plan = (await ctx.get("/values")).json()
    async with ctx.track_deletes(Person):
        for page in range(-(-plan["total"] // 1000)):
            query = {"page": page, "total": plan["total"], "version": plan["version"]}
            answer = (await ctx.get("/people", params=query)).json()
            await ctx.save([Person.model_validate(row) for row in answer["people"]])


@sync(integration="INTEGRATION", models=[Person], name="busy", every=None, auto_start=False)
async def busy(ctx: SyncContext) -> None:
    """Save at full speed until the vendor says stop; every record of every round changes."""
    turn = 0
    rows = (await ctx.get("/people", params={"page": 0, "total": 1000})).json()["people"]
    while not (await ctx.get("/values")).json().get("stop"):
        turn += 1
        await ctx.save([Person.model_validate(row | {"version": turn}) for row in rows])
        await ctx.get("/count", params={"of": "batches-INTEGRATION"})


@sync(integration="INTEGRATION", models=[Person], name="long", every=None, auto_start=False)
async def long(ctx: SyncContext) -> None:
    """Tell the vendor that it started, then wait until the vendor says stop."""
    await ctx.get("/count", params={"of": "started-INTEGRATION"})
    while not (await ctx.get("/values")).json().get("stop"):
        await asyncio.sleep(0.5)
'''


@dataclass(frozen=True)
class World:
    """`integration` and `connection` exist at the vendor `upstream`."""

    platform: RunningPlatform
    upstream: Upstream
    integration: str
    connection: str
    api: Client

    @property
    def pid(self) -> int:
        return supervisor(self.platform)

    @property
    def port(self) -> int:
        return urlsplit(self.platform.url).port or 0

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.platform.environment()['api_key']}"}

    def proxied(self, connections: Sequence[str] = (), path: str = "/json") -> Iterator[bytes]:
        """Endless proxied GETs through `connections`, one after the other."""
        made = [
            get(
                f"/proxy{path}",
                {**self.authorization, "Connection-Id": one, "Provider-Config-Key": self.integration},
            )
            for one in connections or [self.connection]
        ]
        return itertools.cycle(made)

    def connect(self, name: str, api: Client | None = None, integration: str | None = None) -> None:
        """Import a connection with a token that is fresh for a day."""
        (api or self.api).connections.create(
            integration or self.integration,
            {
                "type": "OAUTH2",
                "access_token": f"token-of-{name}",
                "refresh_token": f"refresh-of-{name}",
                "expires_at": (datetime.now(UTC) + timedelta(days=1)).isoformat(),
            },
            connection_id=name,
            connection_config={"url": self.upstream.url},
        )

    def database_url(self, name: str = "dragoman") -> str:
        return EmbeddedPostgres.attach(self.platform.data_dir / "postgres", name)

    def sync_status(self, name: str) -> dict[str, Any]:
        [found] = self.api.syncs.status(self.integration, syncs=[name], connection_id=self.connection)
        return dict(found)

    def run_sync(self, name: str, *, seconds: float = 300) -> None:
        """Run it to its end; AssertionError when it fails."""
        before = self.sync_status(name).get("finishedAt")
        self.api.syncs.trigger(self.integration, [name], connection_id=self.connection)

        def ended() -> dict[str, Any] | None:
            status = self.sync_status(name)
            return status if status.get("finishedAt") != before and status["status"] != "RUNNING" else None

        status = poll_until(ended, f"the end of {name}", seconds=seconds, every=0.2)
        assert status["latestExecutionStatus"] == "SUCCESS", status


def deploy(apis: Sequence[Client], integration: str) -> None:
    """Deploy FUNCTIONS over `integration` through each client, as `dragoman deploy` does."""
    with TemporaryDirectory(prefix="dgb-project-") as folder:
        functions = Path(folder) / "functions"
        functions.mkdir()
        (functions / "__init__.py").write_text("")
        (functions / "bench.py").write_text(FUNCTIONS.replace("INTEGRATION", integration))
        bundle = bundle_project(folder)
    for api in apis:
        api.functions.deploy(bundle.archive, json.dumps(bundle.manifest))


@contextmanager
def open_world(
    extra: Mapping[str, str] | None = None, *, functions: bool = False, own: bool = False
) -> Generator[World]:
    """Start platform and vendor, connect one account; `functions` are deployed if wanted."""
    with running_upstream() as upstream, running_platform(extra, own=own) as platform, platform.client() as api:
        world = World(platform, upstream, unique("bench"), "c0", api)
        api.integrations.create(
            world.integration, "bench", credentials={"type": "OAUTH2", "client_id": "id", "client_secret": "secret"}
        )
        world.connect("c0")
        if functions:
            deploy([api], world.integration)
        yield world
