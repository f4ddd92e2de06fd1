"""Runs over a real zygote in the best tier of this machine."""

# ruff: noqa: PT018

import asyncio
import hashlib
import json
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dragoman_server.kit.errors import ConflictError
from dragoman_server.kit.ids import DeploymentId, EnvironmentId, RunId
from dragoman_server.runners.errors import BundleError
from dragoman_server.runners.host import HostSettings, LocalRunnerHost, detect_tier
from dragoman_server.runners.port import (
    BundleRef,
    Failed,
    Interrupted,
    Limits,
    ProxyAnswer,
    ProxyCall,
    RunContext,
    RunOutcome,
    RunSpec,
    Succeeded,
)
from tests.runners.calls import RecordingCalls, body_of

PROJECT = """
import asyncio, hashlib, logging, os, time
from pydantic import BaseModel
from dragoman import action, sync, ActionError

class Contact(BaseModel):
    id: str
    name: str = ""

class Mark(BaseModel):
    page: int

@sync(integration="crm", models=[Contact], checkpoint=Mark, track_deletes=True)
async def contacts(ctx):
    start = await ctx.checkpoint.get()
    async for page in ctx.paginate("/contacts"):
        await ctx.save([Contact(id=str(row["id"])) for row in page], checkpoint=Mark(page=(start.page if start else 0) + 1))
    await ctx.delete(["gone"], model=Contact)
    found = await ctx.records(["1"])
    ctx.log("found", names=[item.name for item in found.values()])

@action(integration="crm")
def everything(ctx, input: dict) -> dict:
    print("printed")
    logging.getLogger("mine").warning("logged")
    ctx.metadata.set({"a": 1})
    return {
        "connection": dict(ctx.connection()), "variables": dict(ctx.variables()), "metadata": ctx.metadata.get(),
        "action": ctx.trigger_action("other", {"x": 1}), "run": [ctx.run_id, ctx.attempt, ctx.variant], "input": input,
    }

@action(integration="crm")
async def download(ctx) -> list:
    digest, size, beats = hashlib.sha256(), 0, 0
    async def beat():
        nonlocal beats
        while True:
            await ctx.metadata.get()
            beats += 1
    beating = asyncio.create_task(beat())
    async with ctx.stream("GET", "/large") as answer:
        async for piece in answer.iter_bytes():
            digest.update(piece)
            size += len(piece)
    beating.cancel()
    return [size, digest.hexdigest(), beats]

@action(integration="crm")
def download_plainly(ctx) -> list:
    digest, size = hashlib.sha256(), 0
    with ctx.stream("GET", "/large") as answer:
        for piece in answer.iter_bytes():
            digest.update(piece)
            size += len(piece)
    return [size, digest.hexdigest()]

@action(integration="crm")
def read_some(ctx) -> int:
    with ctx.stream("GET", "/large") as answer:
        for piece in answer.iter_bytes():
            break
    return ctx.get("/small").status

@action(integration="crm")
def upload(ctx) -> dict:
    return ctx.post("/files", content=(bytes([number % 256]) * 100_000 for number in range(50))).json()

@action(integration="crm")
async def at_once(ctx) -> int:
    answers = await asyncio.gather(*[ctx.get(f"/{number}") for number in range(200)])
    return len(answers)

@action(integration="crm")
def refused(ctx) -> None:
    raise ActionError("no", {"why": "because"})

@action(integration="crm")
def remember(ctx) -> int:
    global seen
    seen = globals().get("seen", 0) + 1
    return seen

@action(integration="crm")
def wait(ctx) -> None:
    ctx.log("waiting")
    time.sleep(100)  # the function hangs

@action(integration="crm")
def leave(ctx) -> None:
    os._exit(7)

@sync(integration="crm", models=[Contact])
def save_one(ctx):
    ctx.save(Contact(id="1"))
"""
CONTEXT = RunContext(
    "dev",
    "crm",
    "crm",
    "c",
    paginate={
        "type": "cursor",
        "cursor_path_in_response": "next",
        "cursor_name_in_request": "after",
        "response_path": "items",
    },
)


@pytest.fixture(scope="module")
def folders() -> Iterator[tuple[Path, Path]]:
    with tempfile.TemporaryDirectory(prefix="dgr-", dir="/tmp") as name:
        base = Path(name)
        base.chmod(0o755)
        project = base / "project" / "functions"
        project.mkdir(parents=True)
        (project / "crm.py").write_text(PROJECT)
        yield base / "cache", base / "project"


@pytest.fixture
async def host(folders: tuple[Path, Path]) -> AsyncIterator[LocalRunnerHost]:
    made = LocalRunnerHost(HostSettings(cache=folders[0], max_zygotes=2, idle_seconds=0.0))
    await made.open()
    yield made
    await made.close()


@pytest.fixture
def bundle(folders: tuple[Path, Path]) -> BundleRef:
    return BundleRef(EnvironmentId(3), DeploymentId("d"), folders[1])


def spec(bundle: BundleRef, function: str, kind: Any = "action", value: Any = None, **more: Any) -> RunSpec:
    limits = more.pop("limits", Limits(wall=timedelta(seconds=30)))
    raw = None if value is None else json.dumps(value).encode()
    return RunSpec(RunId(uuid4()), 1, kind, function, bundle, CONTEXT, input=raw, limits=limits, **more)


def answer_of(outcome: RunOutcome) -> Any:
    assert isinstance(outcome, Succeeded), outcome
    return json.loads(outcome.output or b"null")


async def test_a_sync_saves_deletes_tracks_and_keeps_its_checkpoint(host: LocalRunnerHost, bundle: BundleRef) -> None:
    pages = [b'{"items":[{"id":1},{"id":2}],"next":"b"}', b'{"items":[{"id":3}]}']
    calls = RecordingCalls(
        answer=lambda _: ProxyAnswer(200, [], body_of(pages.pop(0))), stored={"1": b'{"id":"1","name":"Ann"}'}
    )

    outcome = await host.run(spec(bundle, "contacts", "sync", checkpoint=b'{"page":4}'), calls)

    assert isinstance(outcome, Succeeded), outcome
    assert [(batch.batch, [id_ for id_, _ in batch.records], batch.checkpoint) for batch in calls.saved] == [
        (2, ["1", "2"], b'{"page":5}'),
        (3, ["3"], b'{"page":5}'),
    ]
    assert calls.deleted == [(4, "Contact", ["gone"])]
    assert calls.tracking == [("open", 1, "Contact"), ("close", 5, "Contact", False)]
    assert [(line.message, line.meta) for line in calls.lines] == [("found", {"names": ["Ann"]})]


async def test_a_plain_action_reaches_all_the_platform_offers(host: LocalRunnerHost, bundle: BundleRef) -> None:
    calls = RecordingCalls()
    asked = spec(bundle, "everything", value={"x": 1})

    answer = answer_of(await host.run(asked, calls))

    assert answer == {
        "connection": {"connection_id": "c"},
        "variables": {"REGION": "eu"},
        "metadata": {"list": "a"},
        "action": {"ran": "other"},
        "run": [str(asked.run_id), 1, "base"],
        "input": {"x": 1},
    }
    assert [(line.level, line.message) for line in calls.lines] == [("info", "printed"), ("warn", "logged")]


async def test_a_large_download_flows_beside_other_calls_in_bounded_memory(
    host: LocalRunnerHost, bundle: BundleRef
) -> None:
    piece = bytes(range(256)) * 256
    waiting = 0

    async def large() -> AsyncIterator[bytes]:
        nonlocal waiting
        for _ in range(800):
            waiting += 1
            yield piece

    digest = hashlib.sha256()
    for _ in range(800):
        digest.update(piece)
    calls = RecordingCalls(answer=lambda _: ProxyAnswer(200, [], large()))

    size, found, beats = answer_of(await host.run(spec(bundle, "download"), calls))
    assert (size, found) == (800 * len(piece), digest.hexdigest())
    assert beats > 5
    assert answer_of(await host.run(spec(bundle, "download_plainly"), calls)) == [size, found]


async def test_a_stream_that_is_left_early_ends_at_the_source(host: LocalRunnerHost, bundle: BundleRef) -> None:
    produced = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal produced
        while True:
            produced += 1
            yield b"x" * 65536

    def answer(call: ProxyCall) -> ProxyAnswer:
        return ProxyAnswer(200, [], endless() if call.endpoint == "/large" else body_of(b"{}"))

    assert answer_of(await host.run(spec(bundle, "read_some"), RecordingCalls(answer=answer))) == 200
    assert produced < 100


async def test_an_upload_streams_to_the_provider(host: LocalRunnerHost, bundle: BundleRef) -> None:
    async def count(call: ProxyCall) -> AsyncIterator[bytes]:
        assert call.body is not None and not isinstance(call.body, bytes)
        size = 0
        async for piece in call.body:
            size += len(piece)
        yield json.dumps({"size": size}).encode()

    calls = RecordingCalls(answer=lambda call: ProxyAnswer(201, [], count(call)))

    assert answer_of(await host.run(spec(bundle, "upload"), calls)) == {"size": 5_000_000}


async def test_two_hundred_calls_at_once_are_all_answered(host: LocalRunnerHost, bundle: BundleRef) -> None:
    assert answer_of(await host.run(spec(bundle, "at_once"), RecordingCalls())) == 200


async def test_every_run_starts_from_a_fresh_copy(host: LocalRunnerHost, bundle: BundleRef) -> None:
    assert [answer_of(await host.run(spec(bundle, "remember"), RecordingCalls())) for _ in range(3)] == [1, 1, 1]


async def test_an_action_error_a_platform_error_and_a_missing_function_are_told_apart(
    host: LocalRunnerHost, bundle: BundleRef
) -> None:
    refused = await host.run(spec(bundle, "refused"), RecordingCalls())
    stale = await host.run(spec(bundle, "save_one", "sync"), RecordingCalls(failure=ConflictError("An older attempt.")))
    broken = await host.run(spec(bundle, "save_one", "sync"), RecordingCalls(failure=RuntimeError("a secret")))
    missing = await host.run(spec(bundle, "nowhere"), RecordingCalls())

    assert isinstance(refused, Failed) and refused.error.code == "action_script_runtime_error"
    assert refused.error.payload == {"why": "because"}
    assert isinstance(stale, Failed) and stale.error.code == "conflict"
    assert isinstance(broken, Failed) and broken.error.code == "server_error" and "secret" not in repr(broken)
    assert isinstance(missing, Failed) and missing.error.code == "script_invalid_error"


async def test_a_process_that_leaves_without_a_word_is_no_success(host: LocalRunnerHost, bundle: BundleRef) -> None:
    outcome = await host.run(spec(bundle, "leave"), RecordingCalls())

    assert isinstance(outcome, Failed)
    assert "status 7" in outcome.error.message


async def test_a_lost_zygote_interrupts_its_runs_and_the_next_run_gets_a_new_one(
    host: LocalRunnerHost, bundle: BundleRef
) -> None:
    calls = RecordingCalls()
    running = asyncio.create_task(host.run(spec(bundle, "wait"), calls))
    async with asyncio.timeout(20):
        while not calls.lines:
            await asyncio.sleep(0.01)  # between two looks
    (pid,) = host.zygote_pids()

    os.kill(pid, signal.SIGKILL)
    outcome = await running

    assert isinstance(outcome, Interrupted) and outcome.reason == "runner_lost"
    assert answer_of(await host.run(spec(bundle, "remember"), RecordingCalls())) == 1


async def test_cancelling_the_caller_ends_the_run(host: LocalRunnerHost, bundle: BundleRef) -> None:
    calls = RecordingCalls()
    running = asyncio.create_task(host.run(spec(bundle, "wait"), calls))
    async with asyncio.timeout(20):
        while not calls.lines:
            await asyncio.sleep(0.01)  # between two looks

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert answer_of(await host.run(spec(bundle, "remember"), RecordingCalls())) == 1


async def test_a_closing_host_interrupts_what_runs(folders: tuple[Path, Path], bundle: BundleRef) -> None:
    host = LocalRunnerHost(HostSettings(cache=folders[0]))
    await host.open()
    calls = RecordingCalls()
    running = asyncio.create_task(host.run(spec(bundle, "wait"), calls))
    async with asyncio.timeout(20):
        while not calls.lines:
            await asyncio.sleep(0.01)  # between two looks

    await host.close()
    outcome = await running

    assert isinstance(outcome, Interrupted) and outcome.reason == "shutdown"


async def test_an_idle_zygote_is_evicted_and_comes_back(host: LocalRunnerHost, bundle: BundleRef) -> None:
    await host.run(spec(bundle, "remember"), RecordingCalls())
    assert len(host.zygote_pids()) == 1

    await host.once()
    assert host.zygote_pids() == []

    assert answer_of(await host.run(spec(bundle, "remember"), RecordingCalls())) == 1


async def test_no_more_zygotes_than_allowed_are_kept(host: LocalRunnerHost, folders: tuple[Path, Path]) -> None:
    for number in range(4):
        bundle = BundleRef(EnvironmentId(number), DeploymentId("d"), folders[1])
        assert answer_of(await host.run(spec(bundle, "remember"), RecordingCalls())) == 1

    assert len(host.zygote_pids()) == 2


async def test_the_manifest_made_in_the_sandbox_is_the_authors(host: LocalRunnerHost, bundle: BundleRef) -> None:
    from dragoman.bundling import manifest_of

    assert await host.describe(bundle) == manifest_of(bundle.folder)


async def test_a_project_that_does_not_import_is_described_by_its_error(host: LocalRunnerHost, tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "bad.py").write_text("import nowhere_at_all\n")

    with pytest.raises(BundleError, match="nowhere_at_all"):
        await host.describe(BundleRef(EnvironmentId(1), DeploymentId("bad"), tmp_path))


def test_a_word_that_is_no_tier_is_refused() -> None:
    with pytest.raises(ValueError, match="none-of-these"):
        detect_tier("none-of-these")
