"""Deployments, functions, syncs and runs."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from dragoman_server.control.errors import (
    AmbiguousFunctionError,
    ConcurrentDeploymentError,
    InvalidFrequencyError,
    InvalidValueError,
    InvalidVariantError,
    SyncVariantExistsError,
    TooManyVariantsError,
    UnknownIntegrationError,
    UnknownSyncError,
)
from dragoman_server.control.loops import Purger
from dragoman_server.control.model import Difference, FunctionSpec, FunctionType, RunEnd, RunStart, Sync
from dragoman_server.control.syncs import interval_of, is_scheduled
from dragoman_server.kit.ids import DeploymentId, RunId, SyncId, uuid7
from tests.conftest import MoveClock
from tests.control.conftest import Control


def spec(name: str, kind: FunctionType = "sync", integration: str = "github", **manifest: Any) -> FunctionSpec:
    return FunctionSpec(integration, name, kind, manifest)


async def deploy(control: Control, version: str, *specs: FunctionSpec, **more: Any) -> Difference:
    async with control.database.transaction() as conn:
        return await control.functions.replace_deployment(
            conn, control.environment.id, DeploymentId(version), specs, **more
        )


async def missing(control: Control) -> list[Sync]:
    async with control.database.transaction() as conn:
        return await control.syncs.create_missing(conn, control.environment.id)


async def test_a_pending_connection_gets_its_syncs_when_it_is_complete(control: Control) -> None:
    integration = await control.integration()
    await control.connect(integration, "waiting", pending=True)
    await deploy(control, "v1", spec("a", models={"A": {}}))

    assert await missing(control) == []

    async with control.database.transaction() as conn:
        connection, created = await control.connections.upsert(conn, integration, "waiting")
        again, created_again = await control.connections.upsert(conn, integration, "waiting")
    assert (created, connection.pending) == (True, False)
    assert (created_again, again.pending) == (False, False)
    assert [sync.connection_row_id for sync in await missing(control)] == [connection.id]


async def test_a_deployment_says_what_is_new_updated_unchanged_and_deleted(control: Control) -> None:
    await control.integration()
    await deploy(control, "v1", spec("a", models={"A": {}}), spec("b", models={"B": {}}), spec("act", "action"))

    specs = [spec("a", models={"A": {}}, version="2"), spec("c", models={"B": {}})]
    plan = await control.functions.plan_deployment(control.environment.id, specs, deployment_id=DeploymentId("v2"))
    done = await deploy(control, "v2", *specs)

    assert (plan.new, plan.updated, plan.deleted) == (done.new, done.updated, done.deleted)
    assert [new.name for new in done.new] == ["c"]
    assert [old.name for old in done.updated] == ["a"]
    assert sorted(gone.name for gone in done.deleted) == ["act", "b"]
    assert done.deleted_models == []
    assert [f.name for f in await control.functions.active(control.environment.id)] == ["a", "c"]


async def test_deploying_the_same_archive_again_changes_nothing(control: Control) -> None:
    await control.integration()
    await deploy(control, "v1", spec("a"))

    again = await deploy(control, "v1", spec("a"))

    assert [old.name for old in again.unchanged] == ["a"]
    [function] = await control.functions.active(control.environment.id)
    assert function.version == 1


async def test_without_reconcile_nothing_is_deleted_and_within_limits_it(control: Control) -> None:
    await control.integration()
    await control.integration("slack")
    await deploy(control, "v1", spec("a", models={"A": {}}), spec("s", integration="slack", models={"S": {}}))

    assert (await deploy(control, "v2", reconcile=False)).deleted == []
    kept = await deploy(control, "v3", within=["slack"])

    assert [gone.name for gone in kept.deleted] == ["s"]
    assert kept.deleted_models == ["S"]
    assert [f.name for f in await control.functions.active(control.environment.id)] == ["a"]


async def test_switch_and_frequency_survive_a_redeployment_and_versions_are_kept(control: Control) -> None:
    await control.integration()
    await deploy(control, "v1", spec("a", frequency="every hour"))
    [before] = await control.functions.active(control.environment.id)
    await control.functions.set_enabled(control.environment.id, before.id, enabled=False)
    await control.functions.set_frequency(control.environment.id, before.id, "every 5 minutes")

    await deploy(control, "v2", spec("a", frequency="every day"))

    [after] = await control.functions.active(control.environment.id)
    assert (after.id, after.enabled, after.frequency_override) == (before.id, False, "every 5 minutes")
    assert (after.deployment_id, after.version) == ("v2", 2)
    versions = await control.functions.versions(control.environment.id, after.id)
    assert [version["deployment_id"] for version in versions] == ["v2", "v1"]


async def test_two_deployments_at_once_conflict(control: Control) -> None:
    await control.integration()
    async with control.database.transaction() as conn:
        await control.functions.replace_deployment(conn, control.environment.id, DeploymentId("v1"), [spec("a")])

        with pytest.raises(ConcurrentDeploymentError):
            await deploy(control, "v2", spec("a"))


async def test_a_bad_deployment_changes_nothing(control: Control) -> None:
    await control.integration()
    bad = [
        [spec("a"), spec("a")],
        [spec("a b")],
        [spec("a", frequency="every 3 seconds")],
        [spec("a", frequency="often")],
        [spec("a", text="\0")],
    ]

    for specs in bad:
        with pytest.raises(InvalidValueError):
            await deploy(control, "v1", *specs)
    assert await control.functions.active(control.environment.id) == []


async def test_a_function_of_an_unknown_integration_is_named(control: Control) -> None:
    with pytest.raises(UnknownIntegrationError, match="nope"):
        await deploy(control, "v1", spec("a", integration="nope"))


async def test_a_name_of_two_types_is_ambiguous_until_the_type_is_given(control: Control) -> None:
    await control.integration()
    await deploy(control, "v1", spec("a"), spec("a", "action"))

    with pytest.raises(AmbiguousFunctionError):
        await control.functions.find(control.environment.id, "github", "a")
    found = await control.functions.find(control.environment.id, "github", "a", "action")
    assert found is not None
    assert found.type == "action"
    assert await control.functions.find(control.environment.id, "github", "b") is None


async def test_a_cached_function_follows_a_deployment_within_a_second(cached_control: Control) -> None:
    control = cached_control
    await control.integration()
    await deploy(control, "v1", spec("a", "action"))
    assert await control.functions.find(control.environment.id, "github", "a") is not None

    await deploy(control, "v2", spec("b", "action"))

    async with asyncio.timeout(1):
        while await control.functions.find(control.environment.id, "github", "a") is not None:
            await asyncio.sleep(0.01)  # between two looks


async def test_each_connection_gets_each_sync_of_its_integration_once(control: Control) -> None:
    github, _ = await control.integration(), await control.integration("slack")
    first, second = await control.connect(github, "c1"), await control.connect(github, "c2")
    await deploy(
        control, "v1", spec("a"), spec("b", auto_start=False), spec("act", "action"), spec("s", integration="slack")
    )

    made = await missing(control)
    again = await asyncio.gather(missing(control), missing(control))

    assert sorted((sync.connection_row_id, sync.function_name, sync.paused) for sync in made) == [
        (first.id, "a", False),
        (first.id, "b", True),
        (second.id, "a", False),
        (second.id, "b", True),
    ]
    assert again == [[], []]


async def make_sync(control: Control, **manifest: Any) -> Sync:
    await control.connect(await control.integration())
    await deploy(control, "v1", spec("a", **manifest))
    [made] = await missing(control)
    return made


async def test_the_connections_frequency_wins_over_the_functions_over_the_codes(control: Control) -> None:
    env, sync = control.environment.id, await make_sync(control, every="1 hour", interval_seconds=3600)
    assert interval_of(sync) == timedelta(hours=1)

    await control.functions.set_frequency(env, sync.function_id, "every half hour")
    assert (
        changed := await control.syncs.set_frequency(env, sync.id, "every 5 minutes")
    ).frequency == "every 5 minutes"
    assert interval_of(changed) == timedelta(minutes=5)
    assert (await control.syncs.set_frequency(env, sync.id, None)).frequency == "every half hour"
    with pytest.raises(InvalidFrequencyError):
        await control.syncs.set_frequency(env, sync.id, "often")


async def test_a_sync_is_scheduled_while_wanted_enabled_and_periodic(control: Control) -> None:
    env, sync = control.environment.id, await make_sync(control, frequency="every hour")
    assert is_scheduled(sync)

    assert await control.syncs.set_paused(env, [sync.id], paused=True) == [sync.id]
    assert await control.syncs.set_paused(env, [sync.id], paused=True) == []
    paused = await control.syncs.get(env, sync.id)
    assert paused is not None
    assert not is_scheduled(paused)
    await control.syncs.set_paused(env, [sync.id], paused=False)
    await control.functions.set_enabled(env, sync.function_id, enabled=False)
    disabled = await control.syncs.get(env, sync.id)
    assert disabled is not None
    assert not is_scheduled(disabled)


async def test_a_sync_of_another_environment_is_out_of_reach(control: Control) -> None:
    sync = await make_sync(control)
    other = await control.environments.create(control.account.id, "other")

    assert await control.syncs.get(other.id, sync.id) is None
    assert await control.syncs.set_paused(other.id, [sync.id], paused=True) == []


async def test_variants_are_made_counted_and_removed(control: Control) -> None:
    env, base = control.environment.id, await make_sync(control)
    made = await control.syncs.create_variant(env, "github", base.connection_row_id, "a", "v1")
    assert (made.variant, made.function_name) == ("v1", "a")

    with pytest.raises(SyncVariantExistsError):
        await control.syncs.create_variant(env, "github", base.connection_row_id, "a", "v1")
    for bad in ("base", "", "a b"):
        with pytest.raises(InvalidVariantError):
            await control.syncs.create_variant(env, "github", base.connection_row_id, "a", bad)
    with pytest.raises(UnknownSyncError):
        await control.syncs.create_variant(env, "github", base.connection_row_id, "nope", "v1")
    await control.syncs.delete_variant(env, "github", base.connection_row_id, "a", "v1")
    with pytest.raises(UnknownSyncError):
        await control.syncs.delete_variant(env, "github", base.connection_row_id, "a", "v1")


async def test_no_race_makes_more_than_a_hundred_variants(control: Control) -> None:
    env, base = control.environment.id, await make_sync(control)
    for number in range(98):
        await control.syncs.create_variant(env, "github", base.connection_row_id, "a", f"v{number}")

    answers = await asyncio.gather(
        *(control.syncs.create_variant(env, "github", base.connection_row_id, "a", f"w{n}") for n in range(5)),
        return_exceptions=True,
    )

    assert sum(isinstance(answer, TooManyVariantsError) for answer in answers) == 3
    assert len(await control.syncs.find(env, "github", base.connection_row_id, "a")) == 101


async def test_syncs_go_with_their_connection_and_with_their_function(control: Control) -> None:
    env, sync = control.environment.id, await make_sync(control)
    gone = await deploy(control, "v2", spec("b"))
    assert gone.deleted_syncs == [sync.id]
    [other] = await missing(control)

    async with control.database.transaction() as conn:
        _, deleted = await control.connections.delete(conn, env, "github", "c1")

    assert deleted == [other.id]
    assert await control.syncs.find(env, "github") == []


def start(control: Control, attempt: int = 1, run_id: RunId | None = None, sync_id: SyncId | None = None) -> RunStart:
    return RunStart(run_id or RunId(uuid7()), control.environment.id, "a", "sync", attempt, sync_id)


def end(begun: RunStart, **more: Any) -> RunEnd:
    return RunEnd(begun.id, begun.environment_id, begun.attempt, more.pop("state", "success"), **more)


async def test_an_older_attempt_cannot_end_a_run_and_is_told_so(control: Control) -> None:
    first = start(control)
    second = start(control, attempt=2, run_id=first.id)
    assert await control.runs.start(None, first)
    assert await control.runs.start(None, second)
    assert not await control.runs.start(None, first)

    assert not await control.runs.finish(None, end(first))
    assert await control.runs.finish(None, end(second, state="failed", error={"code": "x"}))
    assert not await control.runs.finish(None, end(second))

    found = await control.runs.get(control.environment.id, first.id)
    assert found is not None
    assert (found.attempt, found.state, found.error) == (2, "failed", {"code": "x"})


async def test_an_interrupted_run_may_be_attempted_again(control: Control) -> None:
    first = start(control)
    await control.runs.start(None, first)
    await control.runs.finish(None, end(first, state="interrupted"))

    second = start(control, attempt=2, run_id=first.id)
    assert await control.runs.start(None, second)
    assert await control.runs.finish(None, end(second, result={"A": {"added": 1}}, checkpoint_to={"c": 1}))
    found = await control.runs.get(control.environment.id, first.id)
    assert found is not None
    assert (found.state, found.result, found.checkpoint_to) == ("success", {"A": {"added": 1}}, {"c": 1})


async def test_the_latest_run_and_success_of_each_sync(control: Control) -> None:
    syncs = [SyncId(uuid7()) for _ in range(3)]
    ran = [start(control, sync_id=syncs[0]), start(control, sync_id=syncs[0]), start(control, sync_id=syncs[1])]
    for begun in ran:
        await control.runs.start(None, begun)
    assert await control.runs.finish_many(None, [end(ran[0]), end(ran[1], state="failed"), end(ran[2])]) == [True] * 3

    latest = await control.runs.latest_for(control.environment.id, syncs)

    assert {sync: run.id for sync, run in latest.items()} == {syncs[0]: ran[1].id, syncs[1]: ran[2].id}
    first = await control.runs.get(control.environment.id, ran[0].id)
    assert first is not None
    assert await control.runs.last_success(control.environment.id, syncs[0]) == first.started_at
    assert len(await control.runs.of_sync(control.environment.id, syncs[0])) == 2


async def test_old_runs_are_purged_but_never_a_running_one(
    control: Control, database_url: str, move_clock: MoveClock
) -> None:
    done, running = start(control), start(control)
    await control.runs.start_many(None, [done, running])
    await control.runs.finish(None, end(done))
    await move_clock(database_url, timedelta(days=32))

    await Purger(database=control.database, vault=control.vault).once()

    assert await control.runs.get(control.environment.id, done.id) is None
    assert await control.runs.get(control.environment.id, running.id) is not None


@pytest.mark.parametrize(
    "manifest",
    [
        {"timeout_seconds": 0},
        {"timeout_seconds": -5},
        {"timeout_seconds": True},
        {"timeout_seconds": 10**30},
        {"timeout_seconds": "5"},
        {"interval_seconds": 1e300},
        {"interval_seconds": float("inf")},
        {"interval_seconds": True},
        {"interval_seconds": [5]},
        {"models": 5},
        {"models": "Contact"},
        {"models": ["Contact"]},
        {"models": {"contact": {}}},
        {"models": {"C" * 256: {}}},
    ],
)
async def test_a_manifest_nobody_could_run_is_refused(control: Control, manifest: dict[str, Any]) -> None:
    await control.integration()

    with pytest.raises(InvalidValueError) as refused:
        await deploy(control, "v1", spec("a", **manifest))

    assert refused.value.issues[0].path == ("functions", 0, next(iter(manifest)))
