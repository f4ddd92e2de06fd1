"""A developer's desk: a project folder of its own, an environment on the shared platform, and the command line."""

import os
import subprocess
import sys
import uuid
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dragoman import Client
from tests.support.platform import RunningPlatform, clean_environment
from tests.support.third_party import ThirdParty

KEY = "desk"
FUNCTIONS = '''
from pydantic import BaseModel
from dragoman import ActionContext, ActionError, SyncContext, action, sync


class Page(BaseModel):
    id: str
    path: str
    query: str = ""


class Mark(BaseModel):
    seen: int


class Wish(BaseModel):
    path: str


@sync(integration="desk", models=[Page], every="1 hour", checkpoint=Mark, auto_start=False)
async def pages(ctx: SyncContext) -> None:
    """Two pages."""
    async with ctx.track_deletes(Page):
        for number in (1, 2):
            seen = (await ctx.get(f"/list?page={number}")).json()
            await ctx.save([Page(id=str(number), path=seen["path"], query=seen["query"])])
    before = await ctx.checkpoint.get()
    await ctx.checkpoint.save(Mark(seen=2 + (before.seen if before else 0)))
    await ctx.metadata.update(told=True)
    ctx.log.info("both are read")


@action(integration="desk")
async def wish(ctx: ActionContext, wanted: Wish) -> str:
    """Ask for something."""
    if not wanted.path.startswith("/"):
        raise ActionError("Not a path.", {"path": wanted.path})
    return (await ctx.post(wanted.path, json={})).json()["path"]
'''


@dataclass
class Desk:
    folder: Path
    url: str
    api_key: str
    connection_id: str = ""
    environment: Mapping[str, str] = field(default_factory=dict[str, str])

    def write(self, text: str, name: str = "work.py") -> None:
        path = self.folder / "functions" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(self, *arguments: str, stdin: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
        """`dragoman …` in the project's folder. The key comes from the shell unless `DRAGOMAN_API_KEY=""` is given."""
        extra = {"DRAGOMAN_URL": self.url, "DRAGOMAN_API_KEY_DEV": self.api_key, **environment}
        if "DRAGOMAN_API_KEY" in environment and "DRAGOMAN_API_KEY_DEV" not in environment:
            extra.pop("DRAGOMAN_API_KEY_DEV")
        return subprocess.run(
            [sys.executable, "-m", "dragoman.cli", *arguments],
            cwd=self.folder,
            env=clean_environment({k: v for k, v in extra.items() if v}),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def client(self) -> Client:
        return Client(url=self.url, api_key=self.api_key)


@contextmanager
def open_desk(platform: RunningPlatform, third_party: ThirdParty, folder: Path) -> Generator[Desk]:
    with platform.account() as account:
        environment = account.account.create_environment(f"desk-{uuid.uuid4().hex[:8]}")
        key = account.account.create_api_key(environment["id"], "desk")["secret"]
    desk = Desk(folder, platform.url, key)
    desk.write(FUNCTIONS)
    with desk.client() as api:
        api.integrations.create(KEY, "tp-key")
        made = api.connections.create(
            KEY, {"type": "API_KEY", "apiKey": "good"}, connection_config={"url": third_party.url}
        )
    desk.connection_id = made["connection_id"]
    yield desk


def told(done: "subprocess.CompletedProcess[str]") -> str:
    """What a refused command says; it must say it in words, not by a traceback of ours."""
    assert done.returncode != 0, done.stdout
    assert f"{os.sep}dragoman{os.sep}" not in done.stderr, done.stderr
    return done.stderr
