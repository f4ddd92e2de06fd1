"""Every public method of `Client` and `AsyncClient` against a running platform: statuses and shapes of the contract."""

import ast
import inspect
import json
import subprocess
import sys
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast, get_type_hints, is_typeddict

import pytest

from dragoman import AsyncClient, Client
from dragoman.client import ApiError, ConnectionFailedError
from dragoman.client import types as t
from tests.client.conftest import KEY, World, synced
from tests.client.faces import Face
from tests.support.platform import poll_until
from tests.support.receiver import receiving

pytestmark = pytest.mark.xdist_group("client")
ROOT = Path(__file__).parent.parent.parent


def fits(value: Any, shape: Any) -> Any:
    """Assert that an answer has every key its type promises, and none it does not name."""
    assert is_typeddict(shape)
    named = get_type_hints(shape)
    assert set(value) >= set(shape.__required_keys__), f"{shape.__name__} lacks {shape.__required_keys__ - set(value)}"
    assert set(value) <= set(named), f"{shape.__name__} does not name {set(value) - set(named)}"
    return value


def unique(prefix: str) -> str:
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


async def every(values: Any) -> list[Any]:
    return [value async for value in values]


# -- the whole surface -----------------------------------------------------------------------------------------------


def surface(kind: type[Any], client: object) -> set[tuple[str, ...]]:
    own = {(name,) for name, _ in inspect.getmembers(kind, inspect.isfunction) if not name.startswith("_")}
    parts: dict[str, Any] = {name: part for name, part in vars(client).items() if not name.startswith("_")}
    return own | {
        (name, method)
        for name, part in parts.items()
        for method, _ in inspect.getmembers(cast("type[object]", type(part)), inspect.isfunction)
        if not method.startswith("_")
    }


def called_here() -> set[tuple[str, ...]]:
    """`api.part.method(` and `account.part.method(` in this file."""
    found: set[tuple[str, ...]] = set()
    for node in ast.walk(ast.parse(Path(__file__).read_text("utf-8"))):
        if isinstance(node, ast.Call):
            names: list[str] = []
            here: ast.expr = node.func
            while isinstance(here, ast.Attribute):
                names.insert(0, here.attr)
                here = here.value
            if isinstance(here, ast.Name) and here.id in {"api", "account"}:
                found.add(tuple(names))
    return found


async def test_every_public_method_of_the_client_is_called_in_this_file() -> None:
    client = AsyncClient(url="http://127.0.0.1:9", api_key=str(uuid.uuid4()))
    await client.aclose()

    assert surface(AsyncClient, client) - called_here() == {("aclose",)}


async def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    later = AsyncClient(url="http://127.0.0.1:9", api_key=str(uuid.uuid4()))
    await later.aclose()
    with Client(url="http://127.0.0.1:9", api_key=str(uuid.uuid4())) as now:
        wanted, made = surface(AsyncClient, later), surface(Client, now)
        assert {tuple(n.replace("aclose", "close") for n in names) for names in wanted} == made
        for part, *method in made:
            if method:
                one, other = (getattr(getattr(c, part), method[0]) for c in (now, later))
                assert list(inspect.signature(one).parameters) == list(inspect.signature(other).parameters)


def test_the_synchronous_client_is_what_the_asynchronous_one_makes() -> None:
    script = [sys.executable, str(ROOT / "scripts" / "generate_client.py"), "--check"]

    assert subprocess.run(script, capture_output=True, text=True, check=False).returncode == 0


# -- what goes wrong -------------------------------------------------------------------------------------------------


async def test_a_refusal_names_the_bad_field(api: Face) -> None:
    with pytest.raises(ApiError) as caught:
        await api.integrations.create("no slash / here", "tp-key")

    error = caught.value
    assert (error.status, error.code) == (400, "invalid_body")
    assert error.errors[0]["path"] == ["unique_key"]
    assert "invalid_body" in str(error)


async def test_a_server_that_is_not_there_is_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("DRAGOMAN_API_KEY", str(uuid.uuid4()))
    with Client() as now, pytest.raises(ConnectionFailedError):
        now.integrations.list()
    with Client() as now, pytest.raises(ConnectionFailedError):
        now.proxy("GET", "/x", connection_id="c", integration_id="i")
    with Client() as now, pytest.raises(ConnectionFailedError):
        with now.proxy_stream("GET", "/x", connection_id="c", integration_id="i"):
            pass
    async with AsyncClient() as later:
        with pytest.raises(ConnectionFailedError):
            await later.integrations.list()


def test_a_client_without_a_key_or_with_a_wrong_address_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="DRAGOMAN_API_KEY"):
        Client()
    for address in ("nonsense", "http://[::1", "ftp://x", "http://"):
        with pytest.raises(ValueError, match="server's address"):
            Client(url=address, api_key=str(uuid.uuid4()))


def test_a_server_that_is_not_dragoman_is_told_so(world: World) -> None:
    with Client(url=world.third_party.url, api_key=world.api_key) as now:
        with pytest.raises(ApiError) as caught:
            now.request("GET", "/status/500")
    assert caught.value.code == "unexpected_answer"

    with receiving() as page:
        page.answer = 200
        with Client(url=page.url, api_key=world.api_key) as now:
            assert now.request("POST", "", json={}) is None, "an empty 200 is an answer"


# -- catalogue, integrations -----------------------------------------------------------------------------------------


async def test_the_catalogue_is_listed_searched_and_read(api: Face) -> None:
    everything = await api.providers.list()
    found = await api.providers.list(search="github")
    one = await api.providers.get("github")

    assert len(everything) > 40
    assert 0 < len(found) < len(everything)
    assert {"name", "display_name", "auth_mode"} <= one.keys()
    assert one["name"] == "github"
    with pytest.raises(ApiError) as caught:
        await api.providers.get("no-such-provider")
    assert (caught.value.status, caught.value.code) == (404, "not_found")


async def test_an_integration_is_made_read_changed_and_deleted(api: Face) -> None:
    key = unique("github")
    secret = {"type": "OAUTH2", "client_id": "id", "client_secret": "very-secret", "scopes": "repo"}

    made = await api.integrations.create(
        key, "github", display_name="Ours", credentials=secret, allowed_origins=["https://files.example.com"]
    )
    assert api.last == ("POST", "/integrations", 200)
    assert fits(made, t.Integration)["display_name"] == "Ours"

    plain = await api.integrations.get(key)
    shown = await api.integrations.get(key, include=["credentials", "webhook"])
    assert "credentials" not in plain
    assert fits(shown, t.Integration)["credentials"]["client_secret"] == "very-secret"

    renamed = await api.integrations.update(key, display_name="Theirs", unique_key=key + "-2")
    assert (renamed["unique_key"], renamed["display_name"]) == (key + "-2", "Theirs")
    assert key + "-2" in {i["unique_key"] for i in await api.integrations.list()}

    assert await api.integrations.delete(key + "-2") is None
    with pytest.raises(ApiError) as caught:
        await api.integrations.get(key + "-2")
    assert (caught.value.status, caught.value.code) == (404, "not_found")


# -- connections -----------------------------------------------------------------------------------------------------


async def test_a_connection_is_imported_read_changed_and_deleted(api: Face, world: World) -> None:
    name = unique("imported")

    made = await api.connections.create(
        KEY,
        {"type": "API_KEY", "apiKey": "good"},
        connection_id=name,
        connection_config={"url": world.third_party.url},
        metadata={"count": 1},
        tags={"team": "red"},
        end_user={"id": "u-1", "email": "u@example.com"},
    )
    assert api.last == ("POST", "/connections", 201)
    assert fits(made, t.Connection)["credentials"] == {"type": "API_KEY", "apiKey": "good"}
    assert made["metadata"] == {"count": 1}

    read = await api.connections.get(name, KEY, force_refresh=True, refresh_token=True)
    assert fits(read, t.Connection)["tags"] == {"team": "red", "end_user_id": "u-1", "end_user_email": "u@example.com"}
    assert fits(read["end_user"], t.EndUser)["id"] == "u-1"

    assert await api.connections.update(name, KEY, tags={"team": "blue"}, webhook_url_override="") is None
    assert (await api.connections.get(name, KEY))["tags"] == {"team": "blue"}

    assert await api.connections.delete(name, KEY) is None
    with pytest.raises(ApiError) as gone:
        await api.connections.get(name, KEY)
    assert (gone.value.status, gone.value.code) == (404, "not_found")
    with pytest.raises(ApiError) as twice:
        await api.connections.delete(name, KEY)
    assert (twice.value.status, twice.value.code) == (400, "unknown_connection")


async def test_a_credential_the_provider_refuses_is_not_stored(api: Face, world: World) -> None:
    name = unique("refused")

    with pytest.raises(ApiError) as caught:
        await api.connections.create(
            KEY,
            {"type": "API_KEY", "apiKey": "wrong"},
            connection_id=name,
            connection_config={"url": world.third_party.url},
        )

    assert (caught.value.status, caught.value.code) == (400, "connection_test_failed")
    assert await api.connections.page(connection_id=name) == []


async def test_connections_are_found_page_by_page(api: Face, world: World) -> None:
    team = unique("team")
    with world.client() as client:
        names = {
            world.connect(client, tags={"team": team}, end_user={"id": team}, metadata={"count": 0}) for _ in range(3)
        }

    found = await every(api.connections.list(page_size=2, tags={"team": team}))
    first = await api.connections.page(limit=2, integration_id=[KEY], end_user_id=team)
    second = await api.connections.page(limit=2, page=1, integration_id=KEY, end_user_id=team)

    assert {c["connection_id"] for c in found} == names
    assert [len(first), len(second)] == [2, 1]
    assert all(fits(c, t.ConnectionSummary) for c in found)
    assert await api.connections.page(search=unique("nobody")) == []


async def test_metadata_is_replaced_and_merged_for_one_and_for_several(api: Face, world: World) -> None:
    with world.client() as client:
        names = [world.connect(client, metadata={"count": 0}) for _ in range(2)]

    await api.connections.set_metadata(names, KEY, {"a": 1, "b": {"c": 2}})
    assert api.last == ("POST", "/connections/metadata", 201)
    await api.connections.merge_metadata(names[0], KEY, {"b": 3})
    assert api.last == ("PATCH", "/connections/metadata", 200)

    read = [(await api.connections.get(n, KEY))["metadata"] for n in names]
    assert read == [{"a": 1, "b": 3}, {"a": 1, "b": {"c": 2}}]
    with pytest.raises(ApiError) as caught:
        await api.connections.set_metadata([names[0], "nobody"], KEY, {"x": 1})
    assert (caught.value.status, caught.value.code) == (404, "unknown_connection")
    assert (await api.connections.get(names[0], KEY))["metadata"] == {"a": 1, "b": 3}, "all or none"


async def test_sessions_give_a_link_for_half_an_hour(api: Face, world: World) -> None:
    made = await api.connect.create_session(
        end_user={"id": "u"},
        organization={"id": "o"},
        tags={"team": "red"},
        allowed_integrations=[KEY],
        integrations_config_defaults={KEY: {"connection_config": {"url": world.third_party.url}}},
    )
    assert api.last == ("POST", "/connect/sessions", 201)
    again = await api.connect.reconnect_session(world.connection_id, KEY, end_user={"id": "u"})
    assert api.last == ("POST", "/connect/sessions/reconnect", 201)

    for session in (made, again):
        fits(session, t.ConnectSession)
        assert session["token"] in session["connect_link"]
        left = datetime.fromisoformat(session["expires_at"]) - datetime.now(UTC)
        assert timedelta(minutes=29) < left <= timedelta(minutes=30, seconds=5)
    with pytest.raises(ApiError) as caught:
        await api.connect.create_session(allowed_integrations=[KEY])
    assert (caught.value.status, caught.value.code) == (400, "invalid_body")


# -- proxy -----------------------------------------------------------------------------------------------------------


async def test_a_proxied_call_arrives_with_everything_and_comes_back_as_it_is(api: Face, world: World) -> None:
    answer = await api.proxy(
        "POST",
        "/echo/here",
        params={"a": 1, "b": True},
        json={"x": 1},
        headers={"X-Colour": "red"},
        retries=1,
        **world.where,
    )
    seen = answer.json()
    assert (seen["method"], seen["path"], seen["query"]) == ("POST", "/echo/here", "a=1&b=true")
    assert (seen["headers"]["x-colour"], seen["headers"]["x-api-key"]) == ("red", "good")

    raw = await api.proxy("PUT", "echo", content=b"12345", **world.where)
    assert raw.json()["size"] == 5
    refused = await api.proxy("GET", "/status/418", **world.where)
    assert (refused.status_code, refused.json()) == (418, {"asked": "418"})
    with pytest.raises(ApiError) as elsewhere:
        await api.proxy("GET", "/x", base_url_override="https://evil.example.com", **world.where)
    assert (elsewhere.value.status, elsewhere.value.code) == (400, "base_url_override_not_allowed")
    with pytest.raises(ApiError) as unknown:
        await api.proxy("GET", "/x", connection_id="nobody", integration_id=KEY)
    assert unknown.value.status == 400


async def test_a_query_in_a_path_and_a_whole_url_of_the_provider_arrive(api: Face, world: World) -> None:
    inline = (await api.proxy("GET", "/list?page=2&q=a%20b", **world.where)).json()
    both = (await api.proxy("GET", "/list?page=2", params={"size": 5}, **world.where)).json()
    whole = (await api.proxy("GET", f"{world.third_party.url}/list?page=3", **world.where)).json()

    assert (inline["path"], inline["query"]) == ("/list", "page=2&q=a b")
    assert both["query"] == "page=2&size=5"
    assert (whole["path"], whole["query"]) == ("/list", "page=3")
    assert whole["headers"]["x-api-key"] == "good"
    with pytest.raises(ApiError) as caught:
        await api.proxy("GET", "https://evil.example.com/list?page=3", **world.where)
    assert caught.value.code == "base_url_override_not_allowed"


async def test_a_proxied_answer_can_be_streamed(api: Face, world: World) -> None:
    async with api.proxy_stream("GET", "/echo/long", params={"n": 1}, headers={"X-Colour": "blue"}, **world.where) as (
        status,
        body,
    ):
        assert status == 200
        assert json.loads(body)["headers"]["x-colour"] == "blue"
    with pytest.raises(ApiError) as caught:
        async with api.proxy_stream("GET", "/x", connection_id="nobody", integration_id=KEY):
            raise AssertionError("not entered")
    assert caught.value.status == 400


async def test_any_endpoint_can_be_called_by_its_path(api: Face) -> None:
    assert (await api.request("GET", "/health"))["result"] == "ok"


# -- records, syncs, functions, actions ------------------------------------------------------------------------------


async def test_records_are_paged_followed_filtered_and_pruned(api: Face, world: World) -> None:
    with world.client() as client:
        name = world.connect(client)
        poll_until(lambda: synced(client, name), "its first sync")
    where = {"connection_id": name, "integration_id": KEY}

    first = fits(await api.records.page("Thing", limit=2, **where), t.RecordsPage)
    rest = await every(api.records.list("Thing", cursor=first["next_cursor"], page_size=2, **where))
    read = first["records"] + rest
    assert [r["id"] for r in read] == ["0", "1", "2", "3", "4"]
    assert all(fits(r["_nango_metadata"], t.RecordMetadata)["last_action"] == "ADDED" for r in read)
    assert await every(api.records.list("Thing", cursor=read[-1]["_nango_metadata"]["cursor"], **where)) == []

    some = await api.records.page("Thing", ids=["1", "3", "none"], filter=["added"], **where)
    assert {r["id"] for r in some["records"]} == {"1", "3"}
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    assert len((await api.records.page("Thing", modified_after=hour_ago, variant="base", **where))["records"]) == 5
    assert (await api.records.page("Unknown", **where))["records"] == []

    pruned = await api.records.prune("Thing", until_cursor=read[1]["_nango_metadata"]["cursor"], **where)
    assert fits(pruned, t.PruneResult) == {"count": 2, "has_more": False}
    left = await every(api.records.list("Thing", **where))
    assert [(r["id"], "colour" in r) for r in left] == [
        ("0", False),
        ("1", False),
        ("2", True),
        ("3", True),
        ("4", True),
    ]

    with pytest.raises(ApiError) as caught:
        await api.records.page("Thing", cursor="nonsense", **where)
    assert (caught.value.status, caught.value.code) == (400, "invalid_query_params")


async def test_syncs_are_steered(api: Face, world: World) -> None:
    with world.client() as client:
        name = world.connect(client, metadata={"count": 3})
        poll_until(lambda: synced(client, name), "its first sync")

        paused = fits(await api.syncs.pause(KEY, ["things"], connection_id=name), t.SyncAnswer)
        assert [fits(r, t.SyncOutcome)["connection_id"] for r in paused["results"]] == [name]
        (status,) = await api.syncs.status(KEY, ["things"], connection_id=name)
        assert fits(status, t.SyncStatus)["status"] == "PAUSED"
        assert status["recordCount"] == {"Thing": 3}

        await api.syncs.start(KEY, ["things"], connection_id=name)
        poll_until(lambda: synced(client, name), "it runs again")
        client.connections.set_metadata(name, KEY, {"count": 1})
        await api.syncs.trigger(KEY, ["things"], connection_id=name, reset=True, empty_cache=True)
        poll_until(
            lambda: client.syncs.status(KEY, ["things"], connection_id=name)[0]["recordCount"] == {"Thing": 1},
            "it ran from scratch",
        )

        assert await api.syncs.set_frequency(KEY, name, "things", "every 5 minutes") == "every 5 minutes"
        assert await api.syncs.set_frequency(KEY, name, "things", None) == "every hour"
        assert await api.syncs.set_frequency(KEY, name, "seldom", None) is None

        made = await api.syncs.create_variant(KEY, name, "things", "second")
        assert str(uuid.UUID(made)) == made
        variants = {s["variant"] for s in await api.syncs.status(KEY, "*", connection_id=name)}
        assert variants == {"base", "second"}
        assert await api.syncs.set_frequency(KEY, name, "things", "every hour", variant="second")
        assert await api.syncs.delete_variant(KEY, name, "things", "second") is None
        with pytest.raises(ApiError) as caught:
            await api.syncs.trigger(KEY, ["nothing"], connection_id=name)
        assert caught.value.status == 400


async def test_actions_answer_now_or_later(api: Face, world: World) -> None:
    assert await api.actions.trigger(KEY, world.connection_id, "double", {"n": 21}) == {"n": 42}

    with pytest.raises(ApiError) as own:
        await api.actions.trigger(KEY, world.connection_id, "double", {"n": -1})
    assert (own.value.status, own.value.code, own.value.payload) == (500, "action_script_runtime_error", {"n": -1})
    with pytest.raises(ApiError) as bad:
        await api.actions.trigger(KEY, world.connection_id, "double", {"n": "many"})
    assert (bad.value.status, bad.value.code) == (400, "invalid_action_input")
    with pytest.raises(ApiError) as unknown:
        await api.actions.trigger(KEY, world.connection_id, "nothing")
    assert (unknown.value.status, unknown.value.code) == (404, "not_found")

    queued = fits(
        await api.actions.trigger_async(KEY, world.connection_id, "double", {"n": 4}, max_retries=1), t.AsyncAction
    )
    assert api.last == ("POST", "/action/trigger", 202)
    with world.client() as client:

        def done() -> Any:
            try:
                return client.actions.result(queued["id"])
            except ApiError as error:
                if error.status != 404:
                    raise
                return None

        poll_until(done, "the action's answer")
    assert await api.actions.result(queued["id"]) == {"n": 8}


async def test_functions_are_listed_previewed_and_deployed(api: Face, world: World) -> None:
    manifest = json.dumps(world.bundle.manifest)

    difference = fits(await api.functions.preview(world.bundle.archive, manifest), t.DeploymentDifference)
    assert all(difference[key] == [] for key in ("newSyncs", "deletedSyncs", "newActions", "deletedActions"))
    done = await api.functions.deploy(world.bundle.archive, manifest)
    assert len(done["functions"]) == 3

    listed = await api.functions.list(KEY)
    assert {f["name"] for f in listed} == {"things", "seldom", "double"}
    assert [f["name"] for f in await api.functions.list(KEY, type="action")] == ["double"]
    one = await api.functions.get(KEY, "things", type="sync")
    assert (one["runs"], one["returns"], one["description"]) == ("every hour", ["Thing"], "Things.")
    with pytest.raises(ApiError) as caught:
        await api.functions.deploy(b"no archive", manifest)
    assert caught.value.status == 400


# -- environment, account --------------------------------------------------------------------------------------------


async def test_variables_are_set_read_and_deleted(api: Face) -> None:
    name = unique("VAR").replace("-", "_")

    assert await api.environment.set_variable(name, "value") is None
    assert {"name": name, "value": "value"} in await api.environment.variables()
    assert await api.environment.delete_variable(name) is None
    assert api.last[2] == 204
    assert name not in {v["name"] for v in await api.environment.variables()}


async def test_environments_and_keys_come_and_go_with_the_account_key(account: Face, world: World) -> None:
    name = unique("env")

    made = fits(await account.account.create_environment(name), t.Environment)
    assert name in {fits(e, t.Environment)["name"] for e in await account.account.environments()}
    key = await account.account.create_api_key(made["id"], "reader", scopes=["environment:records:read"])
    assert fits(key, t.ApiKey)["scopes"] == ["environment:records:read"]
    with Client(url=world.platform.url, api_key=key["secret"]) as reader:
        with pytest.raises(ApiError) as caught:
            reader.integrations.list()
        assert (caught.value.status, caught.value.code) == (403, "forbidden")
        assert "environment:integrations:list" in caught.value.message
        assert await account.account.delete_api_key(made["id"], key["id"]) is None

        def refused() -> bool:
            try:
                reader.records.page("Thing", connection_id="c", integration_id=KEY)
            except ApiError as error:
                return error.status == 401
            return False

        poll_until(refused, "the key is refused", seconds=5)
    with pytest.raises(ApiError) as taken:
        await account.account.create_environment(name)
    assert (taken.value.status, taken.value.code) == (409, "conflict")
    assert await account.account.delete_environment(made["id"]) is None
    assert account.last[2] == 204


async def test_what_the_connect_ui_looks_like_is_set_and_read(api: Face) -> None:
    colours = {"light": {"primary": "#0a7d55"}, "dark": {"primary": "#5fd3a5"}}
    before = fits(await api.environment.connect_ui(), t.ConnectUiSettings)

    changed = fits(await api.environment.set_connect_ui(theme=colours, showWatermark=True), t.ConnectUiSettings)

    assert changed == before | {"theme": colours, "showWatermark": True}
    assert await api.environment.connect_ui() == changed
    assert await api.environment.set_connect_ui(theme=before["theme"], showWatermark=False) == before


# -- logs, webhooks --------------------------------------------------------------------------------------------------


async def test_operations_are_searched_and_read(api: Face, world: World) -> None:
    with world.client() as client:
        for n in range(3):
            client.actions.trigger(KEY, world.connection_id, "double", {"n": n})
        poll_until(lambda: len(client.logs.page(types=["action"])["data"]) > 2, "the actions are in the logs")
        poll_until(lambda: list(client.logs.operations(search="counted the things")), "the function's line")

    page = fits(
        await api.logs.page(
            search="counted the things",
            types=["sync"],
            states=["success"],
            integrations=[KEY],
            connections=[world.connection_id],
            syncs=["things"],
            levels=["info"],
            since=datetime.now(UTC) - timedelta(hours=1),
            until=datetime.now(UTC) + timedelta(minutes=1),
            limit=1,
        ),
        t.LogPage,
    )
    (found,) = page["data"]
    assert fits(found, t.LogOperation)["operation"] == {"type": "sync", "action": "run"}
    assert fits(await api.logs.operation(found["id"]), t.LogOperation) == found
    lines = await every(api.logs.messages(found["id"], page_size=1))
    assert [m["source"] for m in lines if m["message"] == "counted the things"] == ["user"]
    assert all(fits(m, t.LogMessage) for m in lines)
    assert len(await every(api.logs.messages(found["id"], search="counted", levels=["info"]))) == 1
    several = await every(api.logs.operations(limit=2, integrations=[KEY]))
    assert len(several) > 2
    assert [o["created_at"] for o in several] == sorted((o["created_at"] for o in several), reverse=True)


async def test_webhooks_are_set_delivered_listed_and_sent_again(api: Face, world: World) -> None:
    with receiving() as receiver, world.client() as client:
        settings = await api.environment.set_webhooks(primary_url=receiver.url, on_sync_completion_always=True)
        assert fits(settings, t.WebhookSettings)["primary_url"] == receiver.url
        assert await api.environment.webhooks() == settings
        name = world.connect(client, metadata={"count": 2})
        poll_until(lambda: receiver.of("sync", connectionId=name), "the sync's webhook")

        def listed() -> list[t.WebhookDelivery]:
            return client.webhook_deliveries.page(connections=[name], types=["sync"], states=["success"])["data"]

        poll_until(listed, "the delivery is written down")
        (delivery,) = await every(api.webhook_deliveries.list(connections=[name], types=["sync"], limit=1))
        page = await api.webhook_deliveries.page(webhook_id=delivery["webhook_id"])
        assert [fits(d, t.WebhookDelivery)["id"] for d in page["data"]] == [delivery["id"]]
        whole = fits(await api.webhook_deliveries.get(delivery["id"]), t.WebhookDelivery)
        assert json.loads(whole["body"])["responseResults"] == {"added": 2, "updated": 0, "deleted": 0}
        assert [fits(a, t.DeliveryAttempt)["status"] for a in whole["history"]] == [204]

        again = await api.webhook_deliveries.redeliver(delivery["id"])
        assert again != delivery["id"]
        poll_until(lambda: len(receiver.of("sync", connectionId=name)) == 2, "it comes again")
        await api.environment.set_webhooks(primary_url=None)


async def test_a_rotated_signing_key_is_another(api: Face) -> None:
    first = await api.environment.rotate_webhook_signing_key()
    assert first != await api.environment.rotate_webhook_signing_key()
