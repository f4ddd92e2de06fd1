"""Who slept past his lease and wakes up changes nothing: the worker process, and the process of a function."""

import asyncio
import os
import signal
from collections.abc import Generator

import pytest

from dragoman import AsyncClient
from tests.chaos.world import INTEGRATION, MODEL, Reader, patient, until
from tests.support import processes
from tests.support.apart import Apart
from tests.support.platform import make_data_dir, poll_until, remove_data_dir
from tests.support.shop import KEY, PROJECT, Shop, open_shop, write_entries

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("fences")]
ACCOUNT = "account-1"


@pytest.fixture
def shop() -> Generator[Shop]:
    with open_shop() as made:
        yield made


@pytest.fixture
def apart(shop: Shop) -> Generator[Apart]:
    folder = make_data_dir()
    made = Apart(folder / "apart", {"DRAGOMAN_PROVIDERS_DIR": str(write_entries(folder / "providers"))})
    try:
        platform = made.start_all()
        shop.signing_key = platform.environment()["webhook_signing_key"]
        with platform.client() as api:
            api.integrations.create(INTEGRATION, INTEGRATION)
            api.environment.set_webhooks(primary_url=shop.hooks_url, on_sync_completion_always=True)
            platform.deploy(PROJECT)
        yield made
    finally:
        made.stop()
        remove_data_dir(folder)


def connect(apart: Apart, shop: Shop) -> None:
    """Connect the account: its sync `items` starts by itself."""
    with apart.platform().client() as api:
        config = {"shop_url": shop.url}
        api.connections.create(
            INTEGRATION, {"type": "API_KEY", "apiKey": KEY}, connection_id=ACCOUNT, connection_config=config
        )


async def state_of(api: AsyncClient, sync: str) -> dict[str, object]:
    return dict((await api.syncs.status(INTEGRATION, [sync], connection_id=ACCOUNT))[0])


async def test_a_worker_that_slept_past_its_lease_changes_nothing_when_it_wakes(apart: Apart, shop: Shop) -> None:
    shop.fill(2500)
    shop.gate.clear()
    connect(apart, shop)
    poll_until(lambda: 1 in shop.held, "the first attempt waits for its second page")
    sleeper = apart.commands["jobs"]
    os.kill(sleeper.popen.pid, signal.SIGSTOP)

    shop.barred.add(1)
    shop.gate.set()
    apart.start("jobs", name="jobs-2")
    async with apart.platform().async_client() as api:

        async def taken_over() -> bool:
            return (await state_of(api, "items"))["status"] == "SUCCESS"

        await until(taken_over, "another worker takes the run over and ends it", seconds=60)
        await api.syncs.pause(INTEGRATION, ["items"], connection_id=ACCOUNT)
        reader = Reader(api, ACCOUNT)
        await reader.catch_up()
        assert reader.live() == shop.items
        shop.put("poison", 1)
        shop.put("i000001", 999_999)
        shop.barred.clear()
        os.kill(sleeper.popen.pid, signal.SIGCONT)
        await asyncio.to_thread(
            poll_until, lambda: "finish_fenced" in sleeper.text(), "the sleeper hears that it is too late"
        )

        assert await reader.catch_up() == 0
        assert shop.ended == {2}
        await asyncio.to_thread(poll_until, lambda: shop.hook_ids("sync"), "the webhook of the run")
        assert [event["success"] for _, event in shop.hooks if event["type"] == "sync"] == [True]
        found = await state_of(api, "items")
        assert (found["latestExecutionStatus"], found["recordCount"]) == ("SUCCESS", {MODEL: 2500})


async def test_a_function_that_slept_past_its_time_is_ended_and_changes_nothing(apart: Apart, shop: Shop) -> None:
    shop.fill(10)
    connect(apart, shop)
    async with apart.platform().async_client() as api:

        async def ended(sync: str, status: str) -> bool:
            return (await state_of(api, sync))["latestExecutionStatus"] == status

        await until(lambda: ended("items", "SUCCESS"), "the first sync", seconds=30)
        await api.syncs.pause(INTEGRATION, ["items"], connection_id=ACCOUNT)
        reader = Reader(api, ACCOUNT)
        await reader.catch_up()
        shop.put("i000001", 999_999)
        shop.barred.add(2)
        await patient(lambda: api.syncs.trigger(INTEGRATION, ["brief"], connection_id=ACCOUNT))
        await asyncio.to_thread(poll_until, lambda: 2 in shop.held, "the function waits for the shop")
        inside = processes.runs(apart.commands["jobs"].popen.pid)
        for one in inside:
            one.kill(signal.SIGSTOP)
        shop.barred.clear()

        await until(lambda: ended("brief", "ERROR"), "the run is ended as failed", seconds=30)
        for one in inside:
            one.kill(signal.SIGCONT)
        assert await reader.catch_up() == 0
        await api.syncs.trigger(INTEGRATION, ["brief"], connection_id=ACCOUNT)
        await until(lambda: ended("brief", "SUCCESS"), "the next run works", seconds=30)
        await reader.catch_up()
        assert reader.live() == shop.items


async def test_a_function_that_slept_through_its_workers_death_changes_nothing_when_it_wakes(
    apart: Apart, shop: Shop
) -> None:
    shop.fill(10)
    shop.barred.add(1)
    connect(apart, shop)
    await asyncio.to_thread(poll_until, lambda: 1 in shop.held, "the function waits for the shop")
    worker = apart.commands["jobs"]
    inside = processes.below(worker.popen.pid)
    for one in inside:
        one.kill(signal.SIGSTOP)
    worker.kill()
    apart.start("jobs", name="jobs-2")

    async with apart.platform().async_client() as api:

        async def taken_over() -> bool:
            return (await state_of(api, "items"))["status"] == "SUCCESS"

        await until(taken_over, "another worker takes the run over and ends it", seconds=60)
        await api.syncs.pause(INTEGRATION, ["items"], connection_id=ACCOUNT)
        reader = Reader(api, ACCOUNT)
        await reader.catch_up()
        for one in inside:
            one.kill(signal.SIGCONT)
        await asyncio.to_thread(poll_until, lambda: not [one for one in inside if one.alive], "nothing of it is left")
        assert await reader.catch_up() == 0
        assert reader.live() == shop.items
        assert shop.ended == {2}
