"""The official Node client, published and unchanged: each of its 47 methods against a running platform.

Section 18 of the wire contract lists them; `driver.mjs` calls them once, the tests below read what each answered. The
package is installed and run, never opened.
"""

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dragoman import Client
from dragoman.bundling import bundle_project
from tests.support.platform import RunningPlatform, poll_until
from tests.support.receiver import Receiver, receiving
from tests.support.third_party import ThirdParty

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("nango_node")]
HERE = Path(__file__).parent / "nango_node"
PERSON, SPARE = "zoe@example.org/1", "spare"
METHODS = [
    "listProviders",
    "getProvider",
    "getProviderTemplates",
    "listIntegrations",
    "getIntegration",
    "createIntegration",
    "createQuickstartIntegration",
    "updateIntegration",
    "deleteIntegration",
    "listFunctions",
    "getFunction",
    "getFunctionCode",
    "deleteFunction",
    "listConnections",
    "getConnection",
    "getToken",
    "getRawTokenResponse",
    "getMetadata",
    "setMetadata",
    "updateMetadata",
    "patchConnection",
    "deleteConnection",
    "waitForConnection",
    "getScriptsConfig",
    "listRecords",
    "pruneRecords",
    "triggerSync",
    "startSync",
    "pauseSync",
    "syncStatus",
    "updateSyncConnectionFrequency",
    "createSyncVariant",
    "deleteSyncVariant",
    "getEnvironmentVariables",
    "triggerAction",
    "triggerActionAsync",
    "getAsyncActionResult",
    "proxy",
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "createConnectSession",
    "createReconnectSession",
]
"""All but the two that verify webhooks, which have a test of their own."""
REFUSED = {"deleteFunction"}


def run_driver(**given: Any) -> dict[str, Any]:
    node = shutil.which("node")
    assert node is not None, "Node.js is missing; `make node` says what to install"
    assert (HERE / "node_modules").is_dir(), "run `make node` first"
    done = subprocess.run(
        [node, "driver.mjs"],
        cwd=HERE,
        input=json.dumps(given),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@dataclass
class World:
    platform: RunningPlatform
    key: str
    signing_key: str
    receiver: Receiver


@pytest.fixture(scope="module")
def world(platform: RunningPlatform, third_party: ThirdParty) -> Iterator[World]:
    with platform.account() as account, receiving() as receiver:
        environment = account.account.create_environment(f"node-{uuid.uuid4().hex[:8]}")
        key = account.account.create_api_key(environment["id"], "the official client")["secret"]
        with Client(url=platform.url, api_key=key) as api:
            signing_key = api.environment.rotate_webhook_signing_key()
            api.environment.set_webhooks(primary_url=receiver.url, on_sync_completion_always=True)
            api.environment.set_variable("GREETING", "Grüezi")
            api.integrations.create("node-key", "tp-key")
            app = {"type": "OAUTH2", "client_id": "id", "client_secret": "secret"}
            api.integrations.create("node-oauth", "tp-oauth", credentials=app)
            bundle = bundle_project(HERE / "project")
            api.functions.deploy(bundle.archive, json.dumps(bundle.manifest))
            connect(api, third_party, "node-key", SPARE, {"type": "API_KEY", "apiKey": "good"})
            connect(api, third_party, "node-key", PERSON, {"type": "API_KEY", "apiKey": "good-1"})
            tokens = {"type": "OAUTH2", "access_token": "access-0", "refresh_token": "refresh-0"}
            connect(api, third_party, "node-oauth", PERSON, tokens)
        yield World(platform, key, signing_key, receiver)


def connect(
    api: Client, third_party: ThirdParty, integration: str, connection_id: str, credentials: dict[str, Any]
) -> None:
    end_user = {"id": "user-of-node", "display_name": "Zoë Müller", "tags": {"seit": "März"}}
    api.connections.create(
        integration,
        credentials,
        connection_id=connection_id,
        connection_config={"url": third_party.url},
        tags={"plan": "größer"},
        end_user=end_user,
    )


@pytest.fixture(scope="module")
def told(world: World) -> dict[str, Any]:
    """What every call answered: `{"value": …}`, or `{"status", "body"}` when it was refused."""
    return run_driver(mode="methods", url=world.platform.url, key=world.key, connection=PERSON, spare=SPARE)


def value(told: dict[str, Any], name: str) -> Any:
    assert "value" in told[name], f"{name} was refused: {told[name]}"
    return told[name]["value"]


def refusal(told: dict[str, Any], name: str) -> tuple[int, str]:
    assert "value" not in told[name], f"{name} was not refused: {told[name]}"
    error = told[name]["body"]["error"]
    assert error["message"]
    return told[name]["status"], error["code"]


@pytest.mark.parametrize("method", METHODS)
def test_check_1_every_method_of_the_official_client_is_answered(told: dict[str, Any], method: str) -> None:
    assert ("value" in told[method]) is (method not in REFUSED), told[method]


def test_providers_are_found(told: dict[str, Any]) -> None:
    assert {p["name"] for p in value(told, "listProviders")["data"]} >= {"tp-key", "tp-oauth"}
    assert value(told, "getProvider")["data"]["auth_mode"] == "API_KEY"
    assert value(told, "getProviderTemplates") == {"data": []}


def test_integrations_are_made_changed_and_deleted(told: dict[str, Any]) -> None:
    assert value(told, "createIntegration")["data"]["display_name"] == "Gemacht"
    assert value(told, "updateIntegration")["data"]["display_name"] == "Geändert"
    read = value(told, "getIntegration")["data"]
    assert (read["credentials"]["client_id"], read["credentials"]["scopes"]) == ("id", "a,b")
    listed = {c["unique_key"] for c in value(told, "listIntegrations")["configs"]}
    assert {"node-key", "node-oauth", "node-made"} <= listed
    assert value(told, "deleteIntegration") == {"status": 200, "data": {"success": True}}
    assert refusal(told, "getIntegration/deleted") == (404, "not_found")


def test_a_quickstart_works_where_no_developer_application_is_needed(told: dict[str, Any]) -> None:
    assert value(told, "createQuickstartIntegration")["data"]["unique_key"] == "node-quick"
    assert refusal(told, "createQuickstartIntegration/oauth") == (400, "invalid_body")


def test_functions_are_described_with_their_source(told: dict[str, Any]) -> None:
    listed = value(told, "listFunctions")
    assert [f["name"] for f in listed["data"]] == ["people"]
    assert listed["pagination"] == {"total": 1, "page": 0, "limit": 20}
    assert value(told, "getFunction")["data"]["returns"] == ["Person"]
    code = value(told, "getFunctionCode")
    assert code == {"type": "sync", "code": (HERE / "project/functions/people.py").read_text("utf-8")}
    (config,) = value(told, "getScriptsConfig")
    assert {a["name"] for a in config["actions"]} == {"greet", "refuse", "echo"}
    assert {t["name"] for t in value(told, "getScriptsConfig/openai")["data"]} == {"greet", "refuse", "echo"}


def test_a_function_is_deleted_by_deploying_without_it(told: dict[str, Any]) -> None:
    assert refusal(told, "deleteFunction") == (400, "function_managed_by_deploy")


def test_connections_are_found_and_read(told: dict[str, Any]) -> None:
    listed = value(told, "listConnections")["connections"]
    assert {(c["provider_config_key"], c["connection_id"]) for c in listed} >= {
        ("node-key", PERSON),
        ("node-oauth", PERSON),
    }
    assert {c["connection_id"] for c in value(told, "listConnections/positional")["connections"]} == {PERSON}
    read = value(told, "getConnection")
    assert read["credentials"] == {"type": "API_KEY", "apiKey": "good-1"}
    assert read["end_user"]["display_name"] == "Zoë Müller"
    assert refusal(told, "getConnection/unknown") == (404, "not_found")
    assert value(told, "waitForConnection")["end_user"]["id"] == "user-of-node"


def test_tokens_are_fresh_and_of_the_shape_the_client_expects(told: dict[str, Any]) -> None:
    renewed = value(told, "getConnection/refresh")["credentials"]
    assert renewed["access_token"].startswith("access-")
    assert renewed["access_token"] != "access-0"
    assert renewed["refresh_token"] not in {"", "refresh-0"}
    assert value(told, "getToken") == renewed["access_token"]
    assert value(told, "getToken/key") == {"type": "API_KEY", "apiKey": "good-1"}
    raw = value(told, "getRawTokenResponse")
    assert raw["access_token"] == renewed["access_token"]
    assert "refresh_token" not in raw


def test_metadata_and_tags_are_written(told: dict[str, Any]) -> None:
    assert value(told, "setMetadata")["status"] == 201
    assert value(told, "updateMetadata")["status"] == 200
    assert value(told, "getMetadata") == {"a": {"b": "ß"}, "c": 2}
    assert value(told, "patchConnection") == {"success": True}


def test_a_connection_is_deleted_once(told: dict[str, Any]) -> None:
    assert value(told, "deleteConnection") == {"status": 200, "data": {"success": True}}
    assert refusal(told, "deleteConnection/again") == (400, "unknown_connection")


def test_connect_sessions_are_opened(told: dict[str, Any]) -> None:
    for name in ("createConnectSession", "createReconnectSession"):
        session = value(told, name)["data"]
        assert session["token"].startswith("nango_connect_session_")
        assert session["token"] in session["connect_link"]
        assert session["expires_at"].endswith("Z")


def test_variables_are_a_bare_list(told: dict[str, Any]) -> None:
    assert value(told, "getEnvironmentVariables") == [{"name": "GREETING", "value": "Grüezi"}]


def test_records_are_paged_filtered_and_pruned(told: dict[str, Any]) -> None:
    first, rest = value(told, "listRecords"), value(told, "listRecords/next")
    assert [r["id"] for r in first["records"] + rest["records"]] == ["0", "1", "2"]
    assert rest["next_cursor"] is None
    assert first["records"][0]["town"] == {"de": "Köln"}
    assert first["records"][0]["_nango_metadata"]["last_action"] == "ADDED"
    assert first["records"][1]["_nango_metadata"]["cursor"] == first["next_cursor"]
    assert value(told, "listRecords/ids")["records"] == []
    assert value(told, "pruneRecords") == {"count": 2, "has_more": False}


def test_syncs_are_steered(told: dict[str, Any]) -> None:
    (status,) = value(told, "syncStatus")["syncs"]
    assert (status["name"], status["status"], status["frequency"]) == ("people", "SUCCESS", "every hour")
    assert status["recordCount"] == {"Person": 3}
    for name in ("triggerSync", "pauseSync", "startSync"):
        assert value(told, name)["data"]["success"] is True
    assert value(told, "updateSyncConnectionFrequency") == {"frequency": "every 2 hours"}
    assert refusal(told, "updateSyncConnectionFrequency/short") == (400, "sync_interval_too_short")


def test_a_variant_comes_and_goes(told: dict[str, Any]) -> None:
    made = value(told, "createSyncVariant")
    assert (uuid.UUID(made["id"]).version, made["name"], made["variant"]) == (
        uuid.UUID(made["id"]).version,
        "people",
        "second",
    )
    assert value(told, "deleteSyncVariant") == {"success": True}
    assert refusal(told, "deleteSyncVariant/again") == (404, "not_found")


def test_actions_answer_now_or_later(told: dict[str, Any]) -> None:
    assert value(told, "triggerAction") == {"greeting": "Grüß dich, Zoë"}
    assert refusal(told, "triggerAction/refused") == (500, "action_script_runtime_error")
    assert told["triggerAction/refused"]["body"]["error"]["payload"] == {"reason": "not today"}
    assert refusal(told, "triggerAction/unknown") == (404, "not_found")
    queued = value(told, "triggerActionAsync")
    assert queued["statusUrl"] == f"/action/{queued['id']}"
    assert value(told, "getAsyncActionResult") == value(told, "getAsyncActionResult/id") == {"deep": [{"ü": "ö"}]}


def test_calls_through_the_proxy_reach_the_third_party_with_the_customers_key(told: dict[str, Any]) -> None:
    sent = value(told, "proxy")["data"]
    assert (sent["method"], sent["path"], sent["headers"]["x-api-key"]) == ("PUT", "/echo", "good-1")
    assert (sent["headers"]["x-own"], sent["query"]) == ("yes", "q=ü")
    for verb in ("get", "post", "put", "patch", "delete"):
        answer = value(told, verb)
        assert (answer["status"], answer["data"]["method"]) == (200, verb.upper())
    assert told["get/refused"] == {"status": 418, "body": {"asked": "418"}}


def test_check_5_both_helpers_accept_our_deliveries_and_nothing_changed(world: World, told: dict[str, Any]) -> None:
    def arrived() -> bool:
        return {r.event["type"] for r in list(world.receiver.received)} >= {"auth", "sync", "async_action"}

    poll_until(arrived, "an auth, a sync and an async_action webhook")
    deliveries = [{"body": r.body.decode(), "headers": r.headers} for r in world.receiver.received]
    assert any("größer" in d["body"] and "März" in d["body"] for d in deliveries), "not ASCII, and nested"

    checked = run_driver(
        mode="verify", url=world.platform.url, key=world.key, signing_key=world.signing_key, deliveries=deliveries
    )["deliveries"]

    assert len(checked) == len(deliveries) >= 3
    for one in checked:
        assert one["incoming"] is True, one
        assert one["older"] is True, one
        assert one["changed"] is False, one
        assert one["older_changed"] is False, one
