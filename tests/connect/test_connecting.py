"""Accounts are connected through the real routes: what the browser sees, what is stored, what is refused."""

import json
import re
from datetime import timedelta
from urllib.parse import urlsplit

import httpx
import pytest

from dragoman_server.connect.model import CredentialKey
from tests.conftest import MoveClock
from tests.connect.browsing import API, api_key, browser
from tests.connect.world import World, params_of


async def consent(world: World, url: str) -> str:
    """Agree at the provider; return where it sends the browser back to, as path and query."""
    async with httpx.AsyncClient() as provider:
        back = (await provider.get(url)).headers["location"]
    parts = urlsplit(back)
    return f"{parts.path}?{parts.query}"


async def begun(world: World, client: httpx.AsyncClient, **query: str) -> str:
    _, token = await world.session(allowed_integrations=["acme"], tags={"team": "red"})
    response = await client.get(
        "/oauth/connect/acme",
        params={"connect_session_token": token.reveal(), **query},
        headers={"referer": "https://app.example/page"},
    )
    assert response.status_code == 302, response.text
    return response.headers["location"]


async def test_a_person_connects_an_account_by_oauth(world: World) -> None:
    integration = await world.integration()
    async with browser(world) as client:
        url = await begun(world, client)
        asked = params_of(url)
        answer = await client.get(await consent(world, url))

    assert asked["redirect_uri"] == f"{API}/oauth/callback"
    assert asked["code_challenge_method"] == "S256"
    assert asked["scope"] == "read write"
    assert answer.status_code == 200
    assert '"target":"https://app.example"' in answer.text
    assert "nango_oauth_callback_success" in answer.text
    [connected] = world.told.connected
    assert connected.operation == "creation"
    assert connected.connection.tags == {"team": "red"}
    assert connected.connection.connection_config == {"instance_url": "https://one.acme.example", "realm": "r1"}
    credential = await world.fresh(connected.connection, integration)
    assert credential.values["access_token"] in world.server.access
    assert credential.values["refresh_token"] in world.server.live


async def test_the_state_cookie_is_hidden_from_scripts_and_sent_only_to_the_callback(world: World) -> None:
    await world.integration()
    _, token = await world.session(allowed_integrations=["acme"], tags={"team": "red"})
    async with browser(world) as client:
        response = await client.get("/oauth/connect/acme", params={"connect_session_token": token.reveal()})

    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "path=/oauth/callback" in cookie
    assert "max-age=900" in cookie


async def test_another_browser_cannot_finish_an_authorization_and_does_not_burn_it(world: World) -> None:
    await world.integration()
    async with browser(world) as mine, browser(world) as other:
        back = await consent(world, await begun(world, mine))
        refused = await other.get(back)
        answer = await mine.get(back)

    assert refused.status_code == 400
    assert "state_cookie_err" in refused.text
    assert answer.status_code == 200


async def test_a_state_works_once(world: World) -> None:
    await world.integration()
    async with browser(world) as client:
        back = await consent(world, await begun(world, client))
        first = await client.get(back)
        second = await client.get(back)

    assert first.status_code == 200
    assert second.status_code == 400
    assert "state_err" in second.text
    assert len(world.told.connected) == 1


async def test_a_state_dies_after_a_quarter_of_an_hour(world: World, move_clock: MoveClock) -> None:
    await world.integration()
    async with browser(world) as client:
        back = await consent(world, await begun(world, client))
        await move_clock(world.url, timedelta(minutes=15, seconds=1))
        answer = await client.get(back)

    assert answer.status_code == 400
    assert not world.told.connected


async def test_an_answer_of_another_issuer_is_refused(world: World) -> None:
    await world.integration()
    async with browser(world) as client:
        back = await consent(world, await begun(world, client))
        answer = await client.get(re.sub("iss=.*", "iss=https://evil.example", back))

    assert answer.status_code == 400
    assert "RFC 9207" in answer.text
    assert not world.server.calls["authorization_code"]


async def test_a_refusal_by_the_person_is_shown_and_told(world: World) -> None:
    await world.integration()
    async with browser(world) as client:
        state = params_of(await begun(world, client))["state"]
        answer = await client.get(f"/oauth/callback?error=access_denied&state={state}&iss={world.server.base}")

    assert answer.status_code == 400
    assert "access_denied" in answer.text
    assert '"errorType":"callback_err"' in answer.text
    assert [f.error_type for f in world.told.failed] == ["callback_err"]


@pytest.mark.parametrize(
    "query", ["", "state=", "state=x", "state=%00", "code=1", "state=" + "A" * 43, "error=<script>alert(1)</script>"]
)
async def test_a_nonsensical_callback_is_a_page_not_a_500(world: World, query: str) -> None:
    async with browser(world) as client:
        answer = await client.get(f"/oauth/callback?{query}")

    assert answer.status_code == 400
    assert "<script>alert" not in answer.text
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_nothing_is_stored_when_what_follows_fails(world: World) -> None:
    await world.integration("simple")
    world.told.explode = True
    _, token = await world.session(allowed_integrations=["simple"], tags={"team": "red"})
    async with browser(world) as client:
        answer = await client.post(
            "/api-auth/basic/simple",
            json={"username": "u", "password": "p"},
            headers={"authorization": f"Bearer {token.reveal()}"},
        )

    assert answer.status_code == 409
    assert await world.one.connections.list(world.environment.id) == []


async def test_a_wrong_api_key_is_refused_helpfully_and_not_stored(world: World) -> None:
    await world.integration("keyed")
    _, token = await world.session(allowed_integrations=["keyed"], tags={"team": "red"})
    headers = {"authorization": f"Bearer {token.reveal()}"}
    async with browser(world) as client:
        wrong = await client.post(
            "/api-auth/api-key/keyed?params[region]=eu", json={"apiKey": "bad-key-123456"}, headers=headers
        )
        right = await client.post(
            "/api-auth/api-key/keyed?params[region]=eu", json={"apiKey": "good-key-123456"}, headers=headers
        )

    assert wrong.status_code == 400
    assert wrong.json()["error"]["code"] == "connection_test_failed"
    assert "bad-key" not in wrong.text
    assert right.status_code == 200
    assert right.json()["providerConfigKey"] == "keyed"
    [stored] = await world.one.connections.list(world.environment.id)
    assert stored.connection_id == right.json()["connectionId"]
    assert stored.connection_config == {"region": "eu"}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "invalid_query_params"),
        ("params[region]=EUROPE", "invalid_query_params"),
        ("params[region]=eu&params[other]=1", "invalid_query_params"),
        ("params[region]=eu&nonsense=1", "invalid_query_params"),
        ("params[region]=eu&connection_id=mine", "invalid_query_params"),
    ],
)
async def test_bad_fields_are_named(world: World, query: str, code: str) -> None:
    await world.integration("keyed")
    _, token = await world.session(allowed_integrations=["keyed"], tags={"team": "red"})
    async with browser(world) as client:
        answer = await client.post(
            f"/api-auth/api-key/keyed?{query}",
            json={"apiKey": "good-key-123456"},
            headers={"authorization": f"Bearer {token.reveal()}"},
        )

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["errors"]


async def test_a_session_connects_only_what_it_lists_and_in_its_mode(world: World) -> None:
    await world.integration("keyed")
    await world.integration("simple")
    _, token = await world.session(allowed_integrations=["simple"], tags={"team": "red"})
    headers = {"authorization": f"Bearer {token.reveal()}"}
    async with browser(world) as client:
        foreign = await client.post("/api-auth/api-key/keyed", json={"apiKey": "k"}, headers=headers)
        unknown = await client.post("/api-auth/api-key/nothing", json={"apiKey": "k"}, headers=headers)
        mode = await client.post("/api-auth/api-key/simple", json={"apiKey": "k"}, headers=headers)

    assert foreign.json()["error"]["code"] == "integration_not_allowed"
    assert unknown.json()["error"]["code"] == "integration_not_allowed"
    assert mode.json()["error"]["code"] == "invalid_auth_mode"


async def test_a_session_is_made_read_and_ended(world: World, move_clock: MoveClock) -> None:
    await world.integration("simple")
    headers = await api_key(world)
    body = {
        "end_user": {"id": "u1", "email": "a@b.example"},
        "organization": {"id": "o1"},
        "allowed_integrations": ["simple"],
    }
    async with browser(world) as client:
        made = await client.post("/connect/sessions", json=body, headers=headers)
        token = made.json()["data"]["token"]
        mine = {"authorization": f"Bearer {token}"}
        read = await client.get("/connect/session", headers=mine)
        ended = await client.delete("/connect/session", headers=mine)
        gone = await client.get("/connect/session", headers=mine)

    assert made.status_code == 201
    assert re.fullmatch(r"nango_connect_session_[0-9a-f]{64}", token)
    assert made.json()["data"]["connect_link"] == f"{API}/connect-ui/?session_token={token}"
    assert read.json()["data"]["endUser"]["organization"] == {"id": "o1", "display_name": None}
    assert read.json()["data"]["allowed_integrations"] == ["simple"]
    assert ended.status_code == 204
    assert gone.status_code == 401


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"end_user": {"id": ""}},
        {"end_user": {"id": "u", "nonsense": 1}},
        {"end_user": {"id": "u"}, "allowed_integrations": ["unknown"]},
        {"end_user": {"id": "u"}, "unknown": 1},
        {"tags": {"1bad": "x"}},
        {"end_user": {"id": "u"}, "webhook_url_override": "ftp://x"},
        {"end_user": {"id": "u"}, "integrations_config_defaults": {"simple": {"connection_config": {"x": {"y": 1}}}}},
        [],
    ],
)
async def test_a_bad_session_body_is_named(world: World, body: object) -> None:
    await world.integration("simple")
    headers = await api_key(world)
    async with browser(world) as client:
        answer = await client.post("/connect/sessions", json=body, headers=headers)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_body"


async def test_a_session_ends_after_half_an_hour(world: World, move_clock: MoveClock) -> None:
    _, token = await world.session(tags={"team": "red"})
    await move_clock(world.url, timedelta(minutes=30, seconds=1))

    assert await world.one.parts.sessions.find(token.reveal()) is None


async def test_presets_of_the_session_win_over_the_browser(world: World) -> None:
    await world.integration("keyed")
    defaults = {"keyed": {"connection_config": {"region": "us"}}}
    _, token = await world.session(
        allowed_integrations=["keyed"], tags={"team": "red"}, integrations_config_defaults=defaults
    )
    async with browser(world) as client:
        answer = await client.post(
            "/api-auth/api-key/keyed?params[region]=eu",
            json={"apiKey": "good-key-123456"},
            headers={"authorization": f"Bearer {token.reveal()}"},
        )

    assert answer.status_code == 200
    [stored] = await world.one.connections.list(world.environment.id)
    assert stored.connection_config["region"] == "us"


async def test_a_reconnect_keeps_the_connection_and_replaces_its_credential(world: World) -> None:
    integration = await world.integration()
    old = await world.imported(integration, expires_in=3600)
    headers = await api_key(world)
    async with browser(world) as client:
        made = await client.post(
            "/connect/sessions/reconnect", json={"connection_id": "c1", "integration_id": "acme"}, headers=headers
        )
        response = await client.get(
            "/oauth/connect/acme", params={"connect_session_token": made.json()["data"]["token"]}
        )
        await client.get(await consent(world, response.headers["location"]))

    assert made.status_code == 201
    connected = world.told.connected[-1]
    assert connected.operation == "override"
    assert connected.connection.id == old.id
    credential = await world.fresh(connected.connection, integration)
    assert credential.values["access_token"] in world.server.access


async def test_a_reconnect_never_brings_a_deleted_connection_back(world: World) -> None:
    integration = await world.integration()
    await world.imported(integration, expires_in=3600)
    headers = await api_key(world)
    async with browser(world) as client:
        made = await client.post(
            "/connect/sessions/reconnect", json={"connection_id": "c1", "integration_id": "acme"}, headers=headers
        )
        session = {"connect_session_token": made.json()["data"]["token"]}
        begun_before = await client.get("/oauth/connect/acme", params=session)
        back = await consent(world, begun_before.headers["location"])
        await world.one.parts.connect.delete(world.environment.id, "acme", "c1")
        finished = await client.get(back)
        begun_after = await client.get("/oauth/connect/acme", params=session)

    assert finished.status_code == 400
    assert begun_after.status_code != 302
    assert await world.one.connections.list(world.environment.id) == []


async def test_the_callback_of_its_own_address_accepts_no_other(world: World) -> None:
    integration = await world.integration()
    await world.one.integrations.update(world.environment.id, "acme", custom={"oauth_callback": "own"})
    async with browser(world) as client:
        url = await begun(world, client)
        back = await consent(world, url)
        wrong = await client.get(back.replace(f"/{integration.uuid}", ""))

    assert params_of(url)["redirect_uri"] == f"{API}/oauth/callback/{integration.uuid}"
    assert wrong.status_code == 400
    assert not world.told.connected


async def test_a_script_is_told_the_address_so_that_its_token_stands_in_a_header(world: World) -> None:
    await world.integration()
    _, token = await world.session(allowed_integrations=["acme"], tags={"team": "red"})
    headers = {"authorization": f"Bearer {token.reveal()}", "accept": "application/json", "referer": f"{API}/"}
    async with browser(world) as client:
        begun = await client.get("/oauth/connect/acme?ws_client_id=mine", headers=headers)
        answer = await client.get(await consent(world, begun.json()["data"]["url"]))
        refused = await client.get("/oauth/connect/unknown", headers=headers)

    assert (begun.status_code, begun.headers["cache-control"]) == (200, "no-store")
    assert token.reveal() not in begun.text
    [connected] = world.told.connected
    said = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', answer.text)
    assert said is not None
    outcome = json.loads(said[1])
    assert outcome["target"] == API
    assert (
        outcome["opener"]["payload"]
        == outcome["message"]["payload"]
        == {
            "wsClientId": "mine",
            "connectionId": connected.connection.connection_id,
            "providerConfigKey": "acme",
        }
    )
    assert (refused.status_code, refused.json()["error"]["code"]) == (400, "integration_not_allowed")


async def test_a_window_of_unknown_origin_hears_of_no_connection(world: World) -> None:
    await world.integration()
    _, token = await world.session(allowed_integrations=["acme"], tags={"team": "red"})
    headers = {"authorization": f"Bearer {token.reveal()}", "accept": "application/json"}
    async with browser(world) as client:
        begun = await client.get("/oauth/connect/acme?ws_client_id=mine", headers=headers)
        answer = await client.get(await consent(world, begun.json()["data"]["url"]))

    said = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', answer.text)
    assert said is not None
    outcome = json.loads(said[1])
    assert outcome["target"] == "*"
    assert outcome["opener"] == {"type": "nango_oauth_callback_success", "payload": {}}
    assert "outcome.opener, outcome.target" in answer.text


async def test_the_page_a_provider_returns_to_refuses_frames_and_keeps_nothing(world: World) -> None:
    async with browser(world) as client:
        answers = [await client.get(path) for path in ("/oauth/callback?state=x", "/app-auth/connect")]

    for answer in answers:
        assert answer.status_code == 400
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-frame-options"] == "DENY"
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
    nonces = {re.search(r"script-src '(nonce-[^']+)'", a.headers["content-security-policy"]) for a in answers}
    assert len({n[1] for n in nonces if n}) == 2


async def test_what_a_person_typed_wrongly_stores_nothing_and_may_be_typed_again(world: World) -> None:
    await world.integration("keyed")
    _, token = await world.session(allowed_integrations=["keyed"], tags={"team": "red"})
    headers = {"authorization": f"Bearer {token.reveal()}"}
    async with browser(world) as client:
        url = "/api-auth/api-key/keyed?params[region]=eu.keyed.example"
        refused = await client.post(url, json={"apiKey": "bad-key-123456"}, headers=headers)
        done = await client.post(url, json={"apiKey": "good-key-123456"}, headers=headers)

    assert refused.status_code == 400
    assert "did not accept these credentials" in refused.json()["error"]["message"]
    assert "bad-key" not in refused.text
    assert done.status_code == 200
    [stored] = await world.one.connections.list(world.environment.id)
    assert stored.connection_config == {"region": "eu"}


async def test_a_stored_credential_is_sealed(world: World) -> None:
    integration = await world.integration()
    connection = await world.imported(integration, expires_in=3600, access_token="find-me-access")
    key = CredentialKey(world.environment.id, connection.id)

    from dragoman_server.connect import _store

    async with world.one.database.connection() as conn:
        row = await _store.read_credential(conn, key)

    assert row is not None
    assert b"find-me" not in row.sealed
    stored = await world.one.parts.book.read(key)
    assert "find-me" not in repr(stored)
