"""JupyterHub as the third party: sign-in at its own pages, 2,000 users followed, changed and deleted, one let in."""

import json
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from dragoman import Client, InvalidSignatureError, signing_secret, verify_webhook
from dragoman.client import ApiError
from tests.support.browser import Person, popup_url
from tests.support.platform import (
    RunningPlatform,
    clean_environment,
    make_data_dir,
    poll_until,
    remove_data_dir,
    start_platform,
)
from tests.support.receiver import Receiver, receiving

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("jupyterhub")]

HERE = Path(__file__).parent / "jupyterhub"
PEOPLE, BATCH = 2000, 200
ADMIN = "ada"
NAMES = [f"person-{n:04d}" for n in range(PEOPLE)]


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


@dataclass
class Hub:
    """A running JupyterHub; `api` calls its REST API as a service of its own, past Dragoman."""

    url: str
    password: str
    client_id: str
    client_secret: str
    api: httpx.Client
    dragoman_port: int

    def call(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.api.request(method, f"{self.url}/hub/api{path}", json=body)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None


@pytest.fixture(scope="session")
def hub() -> Iterator[Hub]:
    """JupyterHub with 2,000 users and its administrator; its proxy comes from `make node`."""
    assert shutil.which("node") is not None, "Node.js is missing; `make node` says what to install"
    assert (HERE / "node_modules").is_dir(), "run `make node` first"
    port, hub_port, proxy_port, dragoman_port = _free_ports(4)
    folder = make_data_dir()
    told = {
        "url": f"http://127.0.0.1:{port}",
        "hub_port": hub_port,
        "proxy_port": proxy_port,
        "folder": str(folder),
        "admin": ADMIN,
        "password": uuid.uuid4().hex,
        "client_id": "service-dragoman",
        "client_secret": uuid.uuid4().hex,
        "redirect_uri": f"http://127.0.0.1:{dragoman_port}/oauth/callback",
        "token": uuid.uuid4().hex,
    }
    log = folder / "hub.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "-f", str(HERE / "hub_config.py")],
            cwd=folder,
            env=clean_environment({"HUB_TOLD": json.dumps(told)}),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    api = httpx.Client(timeout=60, headers={"Authorization": f"token {told['token']}"})
    running = Hub(
        str(told["url"]), str(told["password"]), str(told["client_id"]), str(told["client_secret"]), api, dragoman_port
    )

    def answers() -> bool:
        assert process.poll() is None, log.read_text("utf-8", "replace")[-3000:]
        try:
            return api.get(f"{running.url}/hub/api/").status_code == 200
        except httpx.TransportError:
            return False

    try:
        poll_until(answers, "JupyterHub answers")
        for start in range(0, PEOPLE, BATCH):
            running.call("POST", "/users", {"usernames": NAMES[start : start + BATCH]})
        yield running
    finally:
        api.close()
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        remove_data_dir(folder)


@dataclass
class Story:
    """What was set up once: the function deployed, the administrator's account connected, the first sync done."""

    hub: Hub
    platform: RunningPlatform
    api: Client
    receiver: Receiver
    connection_id: str
    deployed: str
    pages: list[str]
    first: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])

    @property
    def where(self) -> dict[str, Any]:
        return {"connection_id": self.connection_id, "integration_id": "hub"}

    @property
    def signing_key(self) -> str:
        return self.platform.environment()["webhook_signing_key"]

    def sync(self) -> dict[str, Any]:
        """Run it once more; return the webhook that tells how it ended."""
        before = len(self.receiver.of("sync"))
        self.api.syncs.trigger("hub", ["people"], connection_id=self.connection_id)
        return poll_until(lambda: self.receiver.of("sync")[before:], "the sync's webhook")[0]

    def changes(self, cursor: str | None = None) -> list[dict[str, Any]]:
        return list(self.api.records.list("Person", cursor=cursor, page_size=500, **self.where))

    def now(self) -> str:
        """The cursor of a reader who has read everything."""
        return self.changes()[-1]["_nango_metadata"]["cursor"]


@pytest.fixture(scope="session")
def story(hub: Hub) -> Iterator[Story]:
    folder = make_data_dir()
    providers = {"DRAGOMAN_PROVIDERS_DIR": str(HERE / "providers")}
    platform = start_platform(folder / "data", port=hub.dragoman_port, extra=providers)
    try:
        with receiving() as receiver, platform.client() as api:
            api.environment.set_webhooks(primary_url=receiver.url, on_sync_completion_always=True)
            app = {
                "type": "OAUTH2",
                "client_id": hub.client_id,
                "client_secret": hub.client_secret,
                "scopes": "admin:users,list:users",
            }
            api.integrations.create("hub", "jupyterhub", credentials=app)
            deployed = platform.deploy(HERE / "project")
            session = api.connect.create_session(
                end_user={"id": "customer-1"},
                allowed_integrations=["hub"],
                integrations_config_defaults={"hub": {"connection_config": {"hub_url": hub.url}}},
            )
            with Person() as person:
                person.browse(popup_url(session, "hub"), {"username": ADMIN, "password": hub.password})
            (connection,) = api.connections.list(integration_id="hub")
            told = Story(hub, platform, api, receiver, connection["connection_id"], deployed, person.seen)
            poll_until(lambda: receiver.of("sync"), "the first sync runs by itself")
            told.first = told.changes()
            yield told
    except BaseException:
        print(platform.output()[-6000:])  # what went wrong is there
        raise
    finally:
        platform.stop()
        remove_data_dir(folder)


def actions_of(records: list[dict[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for record in records:
        found.setdefault(record["_nango_metadata"]["last_action"], set()).add(record["id"])
    return found


def test_the_account_is_authorized_at_the_hubs_own_pages(story: Story) -> None:
    assert any("/hub/login" in page for page in story.pages)
    assert any("/hub/api/oauth2/authorize" in page for page in story.pages)
    me = story.api.proxy("GET", "/user", **story.where).json()
    assert (me["name"], me["admin"]) == (ADMIN, True)
    (told,) = story.receiver.of("auth")
    assert (told["operation"], told["success"], told["connectionId"]) == ("creation", True, story.connection_id)


def test_two_thousand_people_are_read_once_each(story: Story) -> None:
    assert len(story.first) == PEOPLE + 1
    assert actions_of(story.first) == {"ADDED": {ADMIN, *NAMES}}
    first = story.receiver.of("sync")[0]
    assert first["success"] is True
    assert first["model"] == "Person"
    assert first["responseResults"] == {"added": PEOPLE + 1, "updated": 0, "deleted": 0}


def test_a_reader_with_a_saved_cursor_sees_exactly_what_changed_and_what_was_deleted(story: Story) -> None:
    cursor = story.now()
    joined, left = NAMES[100:150], NAMES[1500:1520]
    story.hub.call("POST", "/groups/night-shift/users", {"users": joined})
    for name in left:
        story.hub.call("DELETE", f"/users/{name}")

    told = story.sync()

    seen = story.changes(cursor)
    assert len(seen) == len(joined) + len(left)
    assert actions_of(seen) == {"UPDATED": set(joined), "DELETED": set(left)}
    assert all(r["groups"] == ["night-shift"] for r in seen if r["id"] in joined)
    assert all(r["_nango_metadata"]["deleted_at"] for r in seen if r["id"] in left)
    assert told["responseResults"] == {"added": 0, "updated": len(joined), "deleted": len(left)}

    cursor = seen[-1]["_nango_metadata"]["cursor"]
    again = story.sync()
    assert story.changes(cursor) == [], "nothing changed, nothing is told"
    assert again["responseResults"] == {"added": 0, "updated": 0, "deleted": 0}


def test_an_action_lets_somebody_in_and_the_next_sync_sees_them(story: Story) -> None:
    cursor = story.now()

    made = story.api.actions.trigger("hub", story.connection_id, "let_in", {"name": "grace"})
    with pytest.raises(ApiError) as twice:
        story.api.actions.trigger("hub", story.connection_id, "let_in", {"name": "grace"})
    told = story.sync()

    assert made == {"id": "grace", "admin": False, "groups": []}
    assert (twice.value.status, twice.value.code) == (500, "action_script_runtime_error")
    assert twice.value.payload == {"name": "grace"}
    assert story.hub.call("GET", "/users/grace")["name"] == "grace"
    assert actions_of(story.changes(cursor)) == {"ADDED": {"grace"}}
    assert told["responseResults"] == {"added": 1, "updated": 0, "deleted": 0}


def test_webhooks_verify_with_standardwebhooks_and_with_the_client(story: Story) -> None:
    judge = Webhook(signing_secret(story.signing_key))
    poll_until(lambda: story.receiver.of("auth") and story.receiver.of("sync"), "an auth and a sync webhook")

    for one in list(story.receiver.received):
        assert judge.verify(one.body, one.headers) == one.event
        assert verify_webhook(one.body, one.headers, story.signing_key) == one.event
        assert verify_webhook(one.body, {"X-Nango-Hmac-Sha256": one.headers["x-nango-hmac-sha256"]}, story.signing_key)
        tampered = one.body.replace(story.connection_id.encode(), uuid.uuid4().hex.encode())
        with pytest.raises(WebhookVerificationError):
            judge.verify(tampered, one.headers)
        with pytest.raises(InvalidSignatureError):
            verify_webhook(tampered, one.headers, story.signing_key)
    ids = [one.headers["webhook-id"] for one in story.receiver.received]
    assert len(set(ids)) == len(ids), "none came twice"


def test_what_happened_is_found_in_the_logs_by_text(story: Story) -> None:
    def found() -> list[Any]:
        return list(story.api.logs.operations(search="read 200 people", types=["sync"]))

    operations = poll_until(found, "the function's own log line")
    run = operations[-1]  # the first run: later ones see fewer people
    assert run["sync_name"] == "people"
    assert run["state"] == "success"
    lines = [m["message"] for m in story.api.logs.messages(run["id"])]
    assert lines.count("read 200 people") == PEOPLE // BATCH
    assert list(story.api.logs.operations(search="zebra-crossing-never-said")) == []


def test_no_secret_of_the_account_is_in_any_output(story: Story) -> None:
    shown = story.api.connections.get(story.connection_id, "hub")
    token = shown["credentials"]["access_token"]
    operations = list(story.api.logs.operations(limit=200))
    messages = [m for o in operations for m in story.api.logs.messages(o["id"])]
    said = story.platform.output() + story.deployed + json.dumps([operations, messages])

    assert len(messages) > 20, "there is something to look through"
    assert token not in said
    assert story.hub.client_secret not in said
    assert story.hub.password not in said
