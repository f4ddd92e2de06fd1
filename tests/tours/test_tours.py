"""The stories of docs/explanation/tours.md, played in one process tree and apart: api | orchestrator, relay | jobs."""

import secrets
import shutil
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dragoman import Client
from dragoman.client import ApiError
from tests.support.apart import Apart
from tests.support.browser import Person, popup_url
from tests.support.platform import RunningPlatform, make_data_dir, poll_until, remove_data_dir, start_platform
from tests.support.shop import CLIENT_ID, CLIENT_SECRET, KEY, PROJECT, Shop, open_shop, write_entries

pytestmark = pytest.mark.xdist_group("tours")
INTEGRATION, CONSENT, MODEL = "shop", "shop-consent", "Item"


@dataclass
class Stage:
    platform: RunningPlatform
    shop: Shop
    api: Client
    folder: Path

    def connect(self) -> str:
        """An account of its own, by its API key; returns its connection id."""
        id_ = f"account-{secrets.token_hex(4)}"
        config = {"shop_url": self.shop.url}
        credentials = {"type": "API_KEY", "apiKey": KEY}
        self.api.connections.create(INTEGRATION, credentials, connection_id=id_, connection_config=config)
        return id_

    def told(self, kind: str, connection_id: str) -> list[dict[str, Any]]:
        """The messages of a type about a connection."""
        return [
            event for _, event in self.shop.hooks if event["type"] == kind and event["connectionId"] == connection_id
        ]

    def operations(self, connection_id: str) -> set[str]:
        found = self.api.logs.operations(connections=[connection_id])
        return {f"{o['operation']['type']}:{o['operation']['action']}" for o in found if o["state"] == "success"}


@pytest.fixture(scope="module", params=["in one process tree", "apart"])
def stage(request: pytest.FixtureRequest) -> Generator[Stage]:
    folder = make_data_dir()
    extra = {"DRAGOMAN_PROVIDERS_DIR": str(write_entries(folder / "providers"))}
    apart = Apart(folder / "apart", extra) if request.param == "apart" else None
    try:
        platform = start_platform(folder / "data", extra=extra) if apart is None else apart.start_all()
        with open_shop() as shop, platform.client() as api:
            shop.fill(50)
            shop.signing_key = platform.environment()["webhook_signing_key"]
            api.environment.set_webhooks(primary_url=shop.hooks_url, on_sync_completion_always=True)
            api.integrations.create(INTEGRATION, INTEGRATION)
            client = {"type": "OAUTH2", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "scopes": "items.read"}
            api.integrations.create(CONSENT, CONSENT, credentials=client)
            platform.deploy(PROJECT)
            yield Stage(platform, shop, api, folder)
            platform.stop()
        if apart is not None:
            apart.stop()
    finally:
        remove_data_dir(folder)


def test_a_proxied_call(stage: Stage) -> None:
    id_ = stage.connect()

    answer = stage.api.proxy("GET", "/me", connection_id=id_, integration_id=INTEGRATION)
    with pytest.raises(ApiError) as refused:
        stage.api.proxy(
            "GET", "/me", connection_id=id_, integration_id=INTEGRATION, base_url_override="http://127.0.0.1:9"
        )

    assert (answer.status_code, answer.json()) == (200, {"user": "ada"})
    assert (refused.value.status, refused.value.code) == (400, "base_url_override_not_allowed")
    poll_until(lambda: "proxy:call" in stage.operations(id_), "the call is in the logs")
    assert KEY not in stage.platform.output()


def test_a_user_connects_an_account(stage: Stage) -> None:
    session = stage.api.connect.create_session(
        end_user={"id": "customer-7"},
        allowed_integrations=[CONSENT],
        integrations_config_defaults={CONSENT: {"connection_config": {"shop_url": stage.shop.url}}},
    )

    with Person() as person:
        assert person.http.get(session["connect_link"]).status_code == 200
        person.browse(popup_url(session, CONSENT), {})

    found = [c for c in stage.api.connections.list(integration_id=CONSENT) if c.get("end_user")]
    id_ = found[0]["connection_id"]
    assert stage.api.proxy("GET", "/me", connection_id=id_, integration_id=CONSENT).json() == {"user": "ada"}
    poll_until(lambda: stage.told("auth", id_), "the webhook")
    assert stage.told("auth", id_)[0]["success"] is True
    stage.api.connections.delete(id_, CONSENT)


def test_a_token_refresh(stage: Stage) -> None:
    stage.shop.refresh_token = secrets.token_urlsafe(16)
    before = stage.shop.refreshes
    stale = {
        "type": "OAUTH2",
        "access_token": "no longer good",
        "refresh_token": stage.shop.refresh_token,
        "expires_at": "2020-01-01T00:00:00Z",
    }
    id_ = f"account-{secrets.token_hex(4)}"
    stage.api.connections.create(CONSENT, stale, connection_id=id_, connection_config={"shop_url": stage.shop.url})

    with ThreadPoolExecutor(20) as pool:
        calls = [
            pool.submit(stage.api.proxy, "GET", "/me", connection_id=id_, integration_id=CONSENT) for _ in range(20)
        ]
        statuses = {call.result().status_code for call in calls}

    assert statuses == {200}
    assert stage.shop.refreshes == before + 1
    stage.api.connections.delete(id_, CONSENT)


def test_a_scheduled_sync(stage: Stage) -> None:
    id_ = stage.connect()
    where: dict[str, Any] = {"connection_id": id_, "integration_id": INTEGRATION}
    poll_until(lambda: stage.told("sync", id_), "the schedule runs the sync, the webhook tells of it")
    found = list(stage.api.records.list(MODEL, **where))
    cursor = found[-1]["_nango_metadata"]["cursor"]
    assert {r["id"] for r in found} == set(stage.shop.items)
    assert stage.told("sync", id_)[0]["responseResults"] == {"added": len(found), "updated": 0, "deleted": 0}

    changed, gone = found[0]["id"], found[1]["id"]
    stage.shop.put(changed, 777)
    del stage.shop.items[gone]
    poll_until(
        lambda: stage.api.syncs.trigger(INTEGRATION, ["items"], connection_id=id_) and len(stage.told("sync", id_)) > 1,
        "the next run",
        every=0.5,
    )

    news = {r["id"]: r["_nango_metadata"]["last_action"] for r in stage.api.records.list(MODEL, cursor=cursor, **where)}
    assert news == {changed: "UPDATED", gone: "DELETED"}
    poll_until(lambda: "sync:run" in stage.operations(id_), "the run is in the logs")


def test_an_action(stage: Stage) -> None:
    id_ = stage.connect()

    made = stage.api.actions.trigger(INTEGRATION, id_, "order", {"item": "i000001"})
    with pytest.raises(ApiError) as refused:
        stage.api.actions.trigger(INTEGRATION, id_, "order", {"item": "i000001", "count": 0})
    queued = stage.api.actions.trigger_async(INTEGRATION, id_, "order", {"item": "i000002"})["id"]
    poll_until(lambda: stage.told("async_action", id_), "the webhook")

    assert made["item"] == "i000001"
    assert refused.value.payload == {"field": "count"}
    assert stage.told("async_action", id_)[0]["payload"]["id"] == queued
    assert stage.api.actions.result(queued)["item"] == "i000002"
    poll_until(lambda: "action:run" in stage.operations(id_), "the run is in the logs")


def test_a_deploy(stage: Stage) -> None:
    id_ = stage.connect()
    project = stage.folder / "project"
    shutil.copytree(PROJECT, project, dirs_exist_ok=True)
    source = project / "functions" / "shop.py"
    source.write_text(
        source.read_text("utf-8").replace('item=made["item"]', 'item="by the new code"'), encoding="utf-8"
    )

    stage.platform.deploy(project)
    new = stage.api.actions.trigger(INTEGRATION, id_, "order", {"item": "i000001"})["item"]
    stage.platform.deploy(PROJECT)
    old = stage.api.actions.trigger(INTEGRATION, id_, "order", {"item": "i000001"})["item"]

    assert (new, old) == ("by the new code", "i000001")
    assert {f["name"] for f in stage.api.functions.list(INTEGRATION)} == {"items", "brief", "order"}
