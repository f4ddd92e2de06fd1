"""kill -9 of everything and a second start: what was acknowledged is there, what was promised happens."""

import signal
import threading
from collections.abc import Generator
from typing import Any

import httpx
import pytest

from dragoman.client import ApiError
from tests.chaos.world import ACCOUNT, INTEGRATION, MODEL, World, open_world, until
from tests.support import processes
from tests.support.platform import make_data_dir, poll_until, remove_data_dir, start_platform
from tests.support.shop import Shop

pytestmark = [pytest.mark.chaos, pytest.mark.xdist_group("restart")]


@pytest.fixture
def world() -> Generator[World]:
    with open_world(items=300) as made:
        yield made


def last_status(world: World) -> dict[str, object]:
    with world.platform.client() as api:
        return dict(api.syncs.status(INTEGRATION, ["items"], connection_id=ACCOUNT)[0])


def order_in_thread(world: World, answers: list[object]) -> threading.Thread:
    def call() -> None:
        with world.platform.client() as api:
            try:
                answers.append(api.actions.trigger(INTEGRATION, ACCOUNT, "order", {"item": "i000001"}))
            except ApiError as error:
                answers.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    return thread


def restart(world: World) -> None:
    port = httpx.URL(world.platform.url).port or 0
    world.platform = start_platform(world.platform.data_dir, port=port, extra=world.settings)


def told(shop: Shop, kind: str) -> list[dict[str, Any]]:
    """What was received of a type; a repeat with the same webhook-id counts once."""
    return list({name: event for name, event in shop.hooks if event["type"] == kind}.values())


def test_kill_nine_of_everything_loses_nothing_acknowledged(world: World) -> None:
    shop = world.shop
    shop.hooks_up = False
    poll_until(lambda: last_status(world)["status"] == "SUCCESS", "the first sync")
    with world.platform.client() as api:
        before = list(api.records.list(MODEL, connection_id=ACCOUNT, integration_id=INTEGRATION))
        cursor = before[-1]["_nango_metadata"]["cursor"]
        shop.gate.clear()
        under_way = api.actions.trigger_async(INTEGRATION, ACCOUNT, "order", {"item": "i000001"})["id"]
        poll_until(lambda: len(shop.orders) == 1, "the action is under way")
    everything = processes.below(world.supervisor)
    runs_before = shop.visits
    for command in world.platform.commands:
        command.kill()
    for one in everything:
        one.kill()
    poll_until(lambda: not [one for one in everything if one.alive], "all processes are gone")

    shop.hooks_up = True
    shop.gate.set()
    restart(world)

    with world.platform.client() as api:
        assert [c["connection_id"] for c in api.connections.list()] == [ACCOUNT]
        after = list(api.records.list(MODEL, connection_id=ACCOUNT, integration_id=INTEGRATION))
        assert after == before
        assert list(api.records.list(MODEL, connection_id=ACCOUNT, integration_id=INTEGRATION, cursor=cursor)) == []
        poll_until(lambda: told(shop, "sync"), "the pending webhook of the first sync", seconds=100)
        assert told(shop, "sync")[0]["responseResults"] == {"added": 300, "updated": 0, "deleted": 0}
        assert told(shop, "auth")[0]["connectionId"] == ACCOUNT
        poll_until(lambda: shop.visits > runs_before, "the schedule goes on", seconds=60)
        poll_until(lambda: told(shop, "async_action"), "the end of the action is told", seconds=120)
        assert [event["payload"]["id"] for event in told(shop, "async_action")] == [under_way]
        with pytest.raises(ApiError) as refusal:
            api.actions.result(under_way)
        assert refusal.value.code in {"script_aborted", "interrupted"}
    assert len(shop.orders) == 1, "an action that is not declared idempotent is never run twice"


def test_sigterm_drains_what_is_under_way(world: World) -> None:
    shop = world.shop
    shop.gate.clear()
    answers: list[object] = []
    thread = order_in_thread(world, answers)
    poll_until(lambda: shop.orders, "the action is under way")

    world.platform.commands[-1].popen.send_signal(signal.SIGTERM)
    shop.gate.set()
    thread.join(20)

    assert answers == [{"number": 1, "item": "i000001"}]
    assert world.platform.commands[-1].popen.wait(40) == 0
    assert processes.below(world.supervisor) == []


def test_a_killed_supervisor_takes_its_workers_and_postgres_along(world: World) -> None:
    everything = processes.below(world.supervisor)
    world.platform.commands[-1].kill()

    poll_until(lambda: not [one for one in everything if one.alive], "nothing is left of it", seconds=40)
    restart(world)
    with world.platform.client() as api:
        assert [c["connection_id"] for c in api.connections.list()] == [ACCOUNT]


async def test_the_successor_of_a_killed_worker_does_not_wait_for_its_lease(world: World) -> None:
    known = await world.query("SELECT id FROM orchestrator.workers", database="dragoman_orchestrator")
    assert len(known) == 1

    processes.workers(world.supervisor)[0].kill()

    async def replaced() -> Any:
        found = await world.query("SELECT id FROM orchestrator.workers", database="dragoman_orchestrator")
        return found if {row["id"] for row in found} != {known[0]["id"]} else None

    assert known[0] not in await until(replaced, "another worker", seconds=60), "it was said that the first is dead"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/records?model=Item"),
        ("GET", "/sync/status"),
        ("POST", "/sync/trigger"),
        ("POST", "/action/trigger"),
        ("GET", "/action/00000000-0000-0000-0000-000000000000"),
        ("POST", "/functions/deployments/bundle/preview"),
        ("POST", "/functions/deployments/bundle"),
    ],
)
def test_the_auth_edition_says_what_it_does_not_have(auth_platform: tuple[str, str], method: str, path: str) -> None:
    url, key = auth_platform
    answer = httpx.request(method, url + path, headers={"Authorization": f"Bearer {key}"}, timeout=10)

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "feature_disabled")


def test_the_auth_edition_has_what_it_is_for(auth_platform: tuple[str, str]) -> None:
    url, key = auth_platform
    for path in ("/integrations", "/connections", "/providers", "/logs/operations"):
        assert httpx.get(url + path, headers={"Authorization": f"Bearer {key}"}, timeout=10).status_code == 200


@pytest.fixture(scope="module")
def auth_platform() -> Generator[tuple[str, str]]:
    folder = make_data_dir()
    running = start_platform(folder / "data", extra={"DRAGOMAN_EDITION": "auth"})
    try:
        yield running.url, running.environment()["api_key"]
    finally:
        running.stop()
        remove_data_dir(folder)
