"""What a deployed project answers on the wire: functions, syncs, records, actions, logs, webhook deliveries."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.api.calls import Api, Home, fresh, headers_of, places, refusal
from tests.support.platform import clean_environment, poll_until

pytestmark = pytest.mark.xdist_group("functions")  # one platform or project for all of them
FUNCTIONS = '''
from pydantic import BaseModel
from dragoman import ActionContext, ActionError, SyncContext, action, sync


class Thing(BaseModel):
    id: str
    name: str


class Given(BaseModel):
    name: str


@sync(integration="INTEGRATION", models=[Thing], every="1 hour")
async def things(ctx: SyncContext) -> None:
    """Three things."""
    await ctx.save([Thing(id=str(n), name=f"thing {n}") for n in range(3)])


@action(integration="INTEGRATION")
async def greet(ctx: ActionContext, given: Given) -> Thing:
    """Greets."""
    if given.name == "nobody":
        raise ActionError("Nobody is not greeted.", {"field": "name"})
    if given.name == "crash":
        raise ValueError("it crashed by itself")
    return Thing(id="1", name=f"hello {given.name}")


@action(integration="INTEGRATION")
async def nothing(ctx: ActionContext) -> None:
    """Answers null."""
'''


class Deployed:
    """An integration with functions and a connection whose sync ran once."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home, self.api, self.folder = home, home.api, folder
        self.integration = home.integration()
        (folder / "functions").mkdir()
        (folder / "functions" / "things.py").write_text(FUNCTIONS.replace("INTEGRATION", self.integration))
        self.connection = home.connection(self.integration)
        self.headers = headers_of(self.integration, self.connection)
        self.where = {"provider_config_key": self.integration, "connection_id": self.connection}
        self.deploy()
        poll_until(lambda: self.status()["status"] == "SUCCESS", "the first run")

    def deploy(self) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "dragoman.cli", "deploy", "test", "--project", str(self.folder), "-y"],
            env=clean_environment(
                {"DRAGOMAN_URL": self.home.platform.url, "DRAGOMAN_API_KEY_TEST": self.api.key or ""}
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def status(self, syncs: str = "things") -> dict[str, Any]:
        answer = self.api.get("/sync/status", params=self.where | {"syncs": syncs})
        assert answer.status_code == 200, answer.text
        [one] = answer.json()["syncs"]
        return one

    def records(self, query: str = "") -> dict[str, Any]:
        return self.api.get(f"/records?model=Thing{query}", headers=self.headers).json()

    def act(self, name: str, given: Any = None, **headers: str) -> Any:
        body = {"action_name": name} if given is None else {"action_name": name, "input": given}
        return self.api.post("/action/trigger", body, headers=self.headers | headers)


@pytest.fixture(scope="module")
def deployed(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Deployed:
    return Deployed(home, tmp_path_factory.mktemp("project"))


def test_deployed_functions_are_listed_and_shown(deployed: Deployed) -> None:
    path = f"/integrations/{deployed.integration}/functions"
    page = deployed.api.get(path).json()
    sync = deployed.api.get(f"{path}/things").json()["data"]
    [config] = deployed.api.get("/scripts/config").json()
    tools = deployed.api.get("/scripts/config?format=openai").json()["data"]

    assert page["pagination"] == {"total": 3, "page": 0, "limit": 20}
    assert [f["name"] for f in deployed.api.get(f"{path}?type=sync").json()["data"]] == ["things"]
    assert [f["name"] for f in deployed.api.get(f"{path}?search=GREE").json()["data"]] == ["greet"]
    assert len(deployed.api.get(f"{path}?limit=2&page=1").json()["data"]) == 1
    assert {
        "id",
        "name",
        "type",
        "enabled",
        "last_deployed",
        "source",
        "returns",
        "json_schema",
        "runs",
        "auto_start",
        "track_deletes",
    } <= set(sync)
    assert (sync["type"], sync["returns"], sync["enabled"]) == ("sync", ["Thing"], True)
    assert (config["providerConfigKey"], len(config["syncs"]), len(config["actions"])) == (deployed.integration, 1, 2)
    assert {t["name"] for t in tools} == {"greet", "nothing"}


def test_a_sync_shows_its_status(deployed: Deployed) -> None:
    status = deployed.status()

    assert {"id", "connection_id", "name", "variant", "type", "status", "finishedAt", "nextScheduledSyncAt", "frequency",
            "latestResult", "latestExecutionStatus", "recordCount", "checkpoint"} <= set(status)  # fmt: skip
    assert (status["name"], status["variant"], status["latestExecutionStatus"]) == ("things", "base", "SUCCESS")
    assert status["recordCount"] == {"Thing": 3}
    assert [
        s["name"] for s in deployed.api.get("/sync/status", params=deployed.where | {"syncs": "*"}).json()["syncs"]
    ] == ["things"]
    for query in ({"syncs": "a b"}, {"syncs": ""}, {}, {"syncs": "*", "x": "1"}):
        assert refusal(deployed.api.get("/sync/status", params=deployed.where | query)) == (400, "invalid_query_params")


def test_records_are_paged_filtered_and_pruned(deployed: Deployed) -> None:
    first = deployed.records("&limit=2")
    second = deployed.records(f"&cursor={first['next_cursor']}")
    one = first["records"][0]

    assert set(first) == {"records", "next_cursor"}
    assert [r["id"] for r in first["records"] + second["records"]] == ["0", "1", "2"]
    assert second["next_cursor"] is None
    assert set(one["_nango_metadata"]) == {
        "first_seen_at",
        "last_modified_at",
        "last_action",
        "deleted_at",
        "pruned_at",
        "cursor",
    }
    assert [r["id"] for r in deployed.records("&ids=1&ids=2")["records"]] == ["1", "2"]
    assert deployed.records("&filter=DELETED")["records"] == []
    body = {"model": "Thing", "until_cursor": one["_nango_metadata"]["cursor"]}
    pruned = deployed.api.patch("/records/prune", body, headers=deployed.headers)
    assert (pruned.status_code, pruned.json()) == (200, {"count": 1, "has_more": False})
    [gone] = deployed.records("&ids=0")["records"]
    assert set(gone) == {"id", "_nango_metadata"}
    for bad in ({"limit": 0}, {"limit": 10_001}, {"model": "thing"}, {"until_cursor": ""}, {"x": 1}):
        assert refusal(deployed.api.patch("/records/prune", body | bad, headers=deployed.headers)) == (
            400,
            "invalid_body",
        )
    no_header = deployed.api.patch("/records/prune", body)
    assert refusal(no_header) == (400, "invalid_headers")


@pytest.mark.parametrize(
    "query", ["", "model=Thing&limit=10001", "model=Thing&cursor=nonsense", "model=Thing&x=1", "model=thing"]
)
def test_a_bad_question_for_records_is_refused(deployed: Deployed, query: str) -> None:
    assert refusal(deployed.api.get(f"/records?{query}", headers=deployed.headers)) == (400, "invalid_query_params")


def test_syncs_are_paused_started_and_triggered(deployed: Deployed) -> None:
    def steer(verb: str, **more: Any) -> Any:
        return deployed.api.post(f"/sync/{verb}", deployed.where | {"syncs": ["things"]} | more)

    paused = steer("pause")
    assert paused.json()["success"] is True
    [result] = paused.json()["results"]
    assert set(result) == {"sync", "variant", "connection_id", "outcome"}
    assert deployed.status()["status"] == "PAUSED"
    finished = deployed.status()["finishedAt"]
    by_header = deployed.api.post("/sync/trigger", {"syncs": [{"name": "things"}]}, headers=deployed.headers)
    assert by_header.json()["success"] is True
    poll_until(lambda: deployed.status()["finishedAt"] not in {None, finished}, "a triggered run")
    poll_until(lambda: deployed.status()["status"] == "PAUSED", "a trigger leaves it paused")
    assert steer("start").json()["success"] is True
    poll_until(lambda: deployed.status()["status"] == "SUCCESS", "started again")
    assert steer("trigger", opts={"reset": True, "emptyCache": True}).json()["success"] is True
    poll_until(
        lambda: deployed.status()["status"] == "SUCCESS" and deployed.status()["recordCount"] == {"Thing": 3},
        "saved anew",
    )


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"syncs": ["nothing-such"]}, (400, "no_syncs_found")),
        ({"syncs": ["a b"]}, (400, "invalid_body")),
        ({"syncs": ["things::"]}, (400, "invalid_body")),
        ({"syncs": ["x"] * 257}, (400, "invalid_body")),
        ({"syncs": "things"}, (400, "invalid_body")),
        ({"provider_config_key": None}, (400, "missing_provider_config_key")),
        ({"colour": "red"}, (400, "invalid_body")),
    ],
)
@pytest.mark.parametrize("verb", ["trigger", "start", "pause"])
def test_a_bad_steering_is_refused(
    deployed: Deployed, verb: str, change: dict[str, Any], expected: tuple[int, str]
) -> None:
    assert refusal(deployed.api.post(f"/sync/{verb}", deployed.where | {"syncs": ["things"]} | change)) == expected


def test_a_reset_is_asked_in_one_way(deployed: Deployed) -> None:
    both = deployed.where | {"syncs": ["things"], "opts": {"reset": True}, "full_resync": True}

    assert refusal(deployed.api.post("/sync/trigger", both)) == (400, "invalid_body")
    old = deployed.where | {"syncs": ["things"], "sync_mode": "nonsense"}
    assert places(deployed.api.post("/sync/trigger", old)) == [["sync_mode"]]


def test_a_frequency_is_overridden_for_one_connection(deployed: Deployed) -> None:
    def ask(frequency: str | None, **more: str) -> Any:
        body = deployed.where | {"sync_name": "things", "frequency": frequency} | more
        return deployed.api.put("/sync/update-connection-frequency", body)

    assert ask("every 5 minutes").json() == {"frequency": "every 5 minutes"}
    assert deployed.status()["frequency"] == "every 5 minutes"
    assert refusal(ask("every 5 seconds")) == (400, "sync_interval_too_short")
    assert refusal(ask("now and then")) == (400, "invalid_body")
    assert refusal(ask("every hour", sync_name="other")) == (400, "unknown_sync")
    assert deployed.status()["frequency"] == "every 5 minutes"
    assert "hour" in ask(None).json()["frequency"]


def test_a_variant_is_a_second_copy_of_a_sync(deployed: Deployed) -> None:
    path = f"/sync/things/variant/{fresh('v')}"
    made = deployed.api.post(path, deployed.where)

    assert set(made.json()) == {"id", "name", "variant"}
    assert refusal(deployed.api.post(path, deployed.where)) == (400, "sync_variant_already_exists")
    assert refusal(deployed.api.post("/sync/things/variant/base", deployed.where)) == (400, "invalid_variant")
    assert refusal(deployed.api.post("/sync/other/variant/v", deployed.where)) == (400, "unknown_sync")
    assert refusal(deployed.api.post("/sync/things/variant/a%20b", deployed.where)) == (400, "invalid_uri_params")
    assert deployed.api.delete(path, deployed.where).json() == {"success": True}
    assert refusal(deployed.api.delete(path, deployed.where)) == (404, "not_found")


def test_an_action_answers_its_output_or_its_error(deployed: Deployed) -> None:
    assert deployed.act("greet", {"name": "you"}).json() == {"id": "1", "name": "hello you"}
    assert (deployed.act("nothing").status_code, deployed.act("nothing").json()) == (200, None)
    refused = deployed.act("greet", {"name": "nobody"})
    assert refusal(refused) == (500, "action_script_runtime_error")
    assert refused.json()["error"]["payload"] == {"field": "name"}
    crashed = deployed.act("greet", {"name": "crash"})
    assert refusal(crashed) == (500, "action_script_failure")
    assert "it crashed by itself" in crashed.json()["error"]["message"]
    assert refusal(deployed.act("greet", {"nome": "x"})) == (400, "invalid_action_input")
    assert refusal(deployed.act("things", {})) == (404, "not_found")


def test_an_asynchronous_action_is_answered_later(deployed: Deployed) -> None:
    queued = deployed.act("greet", {"name": "later"}, **{"X-Async": "true"})
    identity = queued.json()["id"]

    assert (queued.status_code, queued.json()) == (202, {"id": identity, "statusUrl": f"/action/{identity}"})
    poll_until(lambda: deployed.api.get(f"/action/{identity}").status_code == 200, "its output")
    assert deployed.api.get(f"/action/{identity}").json() == {"id": "1", "name": "hello later"}
    assert refusal(deployed.api.get("/action/6185e58a-542c-4896-afd2-90b15e2322ab")) == (404, "not_found")
    assert refusal(deployed.api.get("/action/x")) == (400, "invalid_uri_params")
    failing = deployed.act("greet", {"name": "nobody"}, **{"X-Async": "1"}).json()["id"]
    poll_until(lambda: deployed.api.get(f"/action/{failing}").status_code != 404, "its error")
    assert refusal(deployed.api.get(f"/action/{failing}")) == (500, "action_script_runtime_error")


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        ({}, {}, (400, "invalid_body")),
        ({"action_name": "a b"}, {}, (400, "invalid_body")),
        ({"action_name": "greet", "x": 1}, {}, (400, "invalid_body")),
        ({"action_name": "greet"}, {"X-Async": "perhaps"}, (400, "invalid_headers")),
        ({"action_name": "greet"}, {"X-Max-Retries": "6"}, (400, "invalid_headers")),
        ({"action_name": "greet"}, {"Connection-Id": ""}, (400, "invalid_headers")),
    ],
)
def test_a_bad_action_call_is_refused(
    deployed: Deployed, body: dict[str, Any], headers: dict[str, str], expected: tuple[int, str]
) -> None:
    assert refusal(deployed.api.post("/action/trigger", body, headers=deployed.headers | headers)) == expected


def test_logs_find_what_was_done(deployed: Deployed) -> None:
    deployed.act("greet", {"name": "for the logs"})

    def found() -> list[dict[str, Any]]:
        query = {"types": "action", "connections": deployed.connection, "states": "success"}
        return deployed.api.get("/logs/operations", params=query).json()["data"]

    operation = poll_until(found, "an action's operation")[0]
    assert operation["provider_config_key"] == deployed.integration
    assert deployed.api.get(f"/logs/operations/{operation['id']}").json()["data"]["id"] == operation["id"]
    messages = deployed.api.get(f"/logs/operations/{operation['id']}/messages").json()
    assert set(messages) == {"data", "pagination"}
    assert refusal(deployed.api.get("/logs/operations/6185e58a-542c-4896-afd2-90b15e2322ab")) == (404, "not_found")


def test_a_deployment_that_cannot_be_read_changes_nothing(deployed: Deployed) -> None:
    before = deployed.api.get("/scripts/config").json()
    for route in ("/functions/deployments/bundle", "/functions/deployments/bundle/preview"):
        no_files = deployed.api.post(route, {})
        assert refusal(no_files) == (400, "invalid_body")
        assert places(no_files) == [["manifest"], ["archive"]]
        broken = deployed.api.post(route, files={"manifest": b"{", "archive": b"x"})
        assert broken.status_code == 400
        assert broken.json()["error"]["message"]
        no_archive = deployed.api.post(route, files={"manifest": b'{"v": 1}', "archive": b"not a tar"})
        assert no_archive.status_code == 400
    assert deployed.api.get("/scripts/config").json() == before


def test_a_deployment_of_functions_for_an_unknown_integration_is_refused(deployed: Deployed, tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "x.py").write_text(FUNCTIONS.replace("INTEGRATION", "nobody"))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "dragoman.cli",
            "deploy",
            "test",
            "--project",
            str(tmp_path),
            "-y",
            "--allow-destructive",
        ],
        env=clean_environment(
            {"DRAGOMAN_URL": deployed.home.platform.url, "DRAGOMAN_API_KEY_TEST": deployed.api.key or ""}
        ),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert "nobody" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(deployed.api.get("/scripts/config").json()) == 1


def test_deliveries_are_listed_and_sent_again(api: Api, home: Home) -> None:
    home.api.put("/environment/webhooks", {"primary_url": f"{home.third_party.url}/hooks"})
    integration = home.integration()
    session = home.session(
        integration, integrations_config_defaults={integration: {"connection_config": {"url": home.third_party.url}}}
    )
    session.post(f"/auth/unauthenticated/{integration}")

    def delivered() -> list[dict[str, Any]]:
        return api.get("/webhook-deliveries", params={"integrations": integration, "states": "success"}).json()["data"]

    delivery = poll_until(delivered, "an auth webhook")[0]
    home.api.put("/environment/webhooks", {"primary_url": None})
    shown = api.get(f"/webhook-deliveries/{delivery['id']}").json()["data"]
    assert (delivery["type"], delivery["last_status"]) == ("auth", 200)
    assert {"body", "history"} <= set(shown)
    again = api.post(f"/webhook-deliveries/{delivery['id']}/redeliver")
    assert again.status_code == 202
    poll_until(lambda: len(delivered()) == 2, "the second delivery")
    assert refusal(api.post("/webhook-deliveries/6185e58a-542c-4896-afd2-90b15e2322ab/redeliver")) == (404, "not_found")


def test_a_deleted_connection_ends_its_syncs_and_records(deployed: Deployed) -> None:
    other = deployed.home.connection(deployed.integration)
    where = {"provider_config_key": deployed.integration, "connection_id": other, "syncs": "*"}
    poll_until(
        lambda: [s["status"] for s in deployed.api.get("/sync/status", params=where).json()["syncs"]] == ["SUCCESS"],
        "its run",
    )

    assert deployed.api.delete(f"/connections/{other}?provider_config_key={deployed.integration}").status_code == 200
    everything = deployed.api.get(
        "/sync/status", params={"provider_config_key": deployed.integration, "syncs": "*"}
    ).json()
    assert {s["connection_id"] for s in everything["syncs"]} == {deployed.connection}
    assert deployed.home.connection(deployed.integration, connection_id=other) == other
    empty = deployed.api.get("/records?model=Thing&filter=deleted", headers=headers_of(deployed.integration, other))
    assert empty.json()["records"] == []
