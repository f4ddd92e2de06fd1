"""Consents other than a plain authorization code: OAuth 1, installed apps, plugins, MCP servers."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from dragoman_server.api.popups import message_of
from tests.connect.browsing import API, browser
from tests.connect.vendors import APP_PEM, Market, integration, only, proxied
from tests.connect.world import World, params_of

APP = {"type": "APP", "app_id": "4711", "app_link": "https://hub.example/apps/ours", "private_key": APP_PEM}
BIRDS = {"type": "OAUTH1", "client_id": "app", "client_secret": "app-secret"}


async def begun(world: World, client: httpx.AsyncClient, key: str, **query: str) -> httpx.Response:
    _, token = await world.session(allowed_integrations=[key], tags={"team": "red"})
    return await client.get(f"/oauth/connect/{key}", params={"connect_session_token": token.reveal(), **query})


async def agreed(url: str) -> str:
    """Consent at the provider; return where it sends the browser back to."""
    async with httpx.AsyncClient() as provider:
        back = urlsplit((await provider.get(url)).headers["location"])
    return f"{back.path}?{back.query}"


async def test_oauth1_is_danced_and_its_requests_are_signed(market: Market) -> None:
    world = market.world
    made = await integration(world, "birds", BIRDS)
    async with browser(world) as client:
        away = await begun(world, client, "birds")
        assert away.status_code == 302, away.text
        answer = await client.get(await agreed(away.headers["location"]))

    assert answer.status_code == 200, answer.text
    connection = await only(world)
    assert connection.connection_config["screen_name"] == "ann"
    credential = await world.fresh(connection, made, force=True)
    assert dict(credential.values)["oauth_token"] == "the-token"
    sent = await proxied(world, made, connection, query=[("q", "a b")])
    request = httpx.Request("GET", sent["url"], headers={"authorization": sent["authorization"]})
    assert 'oauth_token="the-token"' in request.headers["authorization"]


async def test_an_oauth1_secret_that_is_wrong_is_told(market: Market) -> None:
    world = market.world
    await integration(world, "birds", {**BIRDS, "client_secret": "not-the-secret"})
    async with browser(world) as client:
        away = await begun(world, client, "birds")

    assert away.status_code == 400
    assert "signature_invalid" in away.text
    assert "not-the-secret" not in away.text


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"oauth_verifier": None}, "callback_err"),
        ({"oauth_token": "another"}, "state_err"),
        ({"denied": "x"}, "callback_err"),
    ],
)
async def test_a_strange_oauth1_callback_stores_nothing(market: Market, change: dict[str, Any], error: str) -> None:
    world = market.world
    await integration(world, "birds", BIRDS)
    async with browser(world) as client:
        away = await begun(world, client, "birds")
        back = await agreed(away.headers["location"])
        query = {k: v[0] for k, v in parse_qs(urlsplit(back).query).items()} | change
        answer = await client.get("/oauth/callback", params={k: v for k, v in query.items() if v is not None})

    assert answer.status_code == 400
    assert f'"errorType":"{error}"' in answer.text
    assert await world.one.connections.list(world.environment.id) == []


def installed(market: Market, number: int, *, age: timedelta = timedelta()) -> None:
    at = (datetime.now(UTC) - age).isoformat()
    market.vendors.installations.append({"id": number, "app_id": 4711, "created_at": at, "updated_at": at})


async def test_an_app_is_installed_and_its_token_exchanged_again(market: Market) -> None:
    world, vendors = market.world, market.vendors
    made = await integration(world, "hub", APP)
    installed(market, 77)
    async with browser(world) as client:
        away = await begun(world, client, "hub")
        url = away.headers["location"]
        state = params_of(url)["state"]
        answer = await client.get(
            "/app-auth/connect", params={"installation_id": "77", "setup_action": "install", "state": state}
        )

    assert url.startswith("https://hub.example/apps/ours/installations/new?state=")
    assert "Path=/app-auth/connect" in away.headers["set-cookie"]
    assert answer.status_code == 200, answer.text
    connection = await only(world)
    assert connection.connection_config["installation_id"] == "77"
    first = await world.fresh(connection, made)
    second = await world.fresh(connection, made, force=True)
    assert first.values["access_token"] != second.values["access_token"]
    assert {first.values["access_token"], second.values["access_token"]} <= vendors.tokens


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"installation_id": "78"}, "not made just now"),
        ({"installation_id": "79"}, "does not know this installation"),
        ({"setup_action": "request"}, "must approve the installation"),
        ({}, "no `installation_id`"),
    ],
)
async def test_an_installation_that_proves_nothing_is_refused(market: Market, query: dict[str, str], told: str) -> None:
    world = market.world
    await integration(world, "hub", APP)
    installed(market, 78, age=timedelta(days=3))
    async with browser(world) as client:
        away = await begun(world, client, "hub")
        state = params_of(away.headers["location"])["state"]
        answer = await client.get("/app-auth/connect", params={**query, "state": state})

    assert answer.status_code == 400
    assert told in answer.text.replace("&#39;", "'")
    assert await world.one.connections.list(world.environment.id) == []


@pytest.mark.parametrize("times", [{}, {"created_at": "yesterday", "updated_at": 5}, {"created_at": "2020-01-01"}])
async def test_an_installation_of_no_known_age_is_refused(market: Market, times: dict[str, Any]) -> None:
    """Without its age nothing tells it from another customer's whose number somebody put into the address."""
    world = market.world
    await integration(world, "hub", APP)
    market.vendors.installations.append({"id": 78, "app_id": 4711, **times})
    async with browser(world) as client:
        away = await begun(world, client, "hub")
        state = params_of(away.headers["location"])["state"]
        answer = await client.get("/app-auth/connect", params={"installation_id": "78", "state": state})

    assert answer.status_code == 400
    assert '"errorType":"state_err"' in answer.text
    assert await world.one.connections.list(world.environment.id) == []


async def test_an_app_is_imported_with_its_installation(market: Market) -> None:
    world, vendors = market.world, market.vendors
    made = await integration(world, "hub", APP)
    installed(market, 80, age=timedelta(days=300))
    done = await world.one.parts.connect.import_connection(
        world.environment.id,
        "hub",
        {"type": "APP", "app_id": "4711", "installation_id": "80"},
        connection_id="c1",
    )

    credential = await world.fresh(done.connection, made)
    assert credential.values["access_token"] in vendors.tokens
    assert done.connection.connection_config["installation_id"] == "80"


CUSTOM = {**APP, "type": "CUSTOM", "client_id": "app", "client_secret": "app-secret"}


async def returned(market: Market, client: httpx.AsyncClient, **query: str) -> httpx.Response:
    away = await begun(market.world, client, "hub-user")
    state = params_of(away.headers["location"])["state"]
    market.vendors.codes["code-1"] = {}
    return await client.get("/oauth/callback", params={"code": "code-1", "state": state, **query})


async def test_a_custom_connection_is_pending_until_its_app_is_installed(market: Market) -> None:
    world = market.world
    market.vendors.answers["seconds"] = 28_800
    made = await integration(world, "hub-user", CUSTOM)
    async with browser(world) as client:
        answer = await returned(market, client, setup_action="request")

    assert answer.status_code == 200, answer.text
    assert "must still approve" in answer.text
    assert message_of(world.told.outcomes[-1])["is_pending"] is True
    connection = await only(world)
    assert connection.connection_config["pending"] is True
    waiting = await world.fresh(connection, made)
    assert waiting.token() == waiting.values["user"]["access_token"]

    installed(market, 81)
    complete = await world.fresh(connection, made, force=True)

    assert complete.values["app"]["installation_id"] == "81"
    assert complete.token() == complete.values["app"]["access_token"]
    assert complete.values["user"] == waiting.values["user"]
    assert (await only(world)).connection_config["pending"] is False


async def test_a_custom_connection_has_both_tokens_and_renews_both(market: Market) -> None:
    world, vendors = market.world, market.vendors
    vendors.answers["seconds"] = 600
    made = await integration(world, "hub-user", CUSTOM)
    installed(market, 82)
    async with browser(world) as client:
        answer = await returned(market, client, installation_id="82")

    assert answer.status_code == 200, answer.text
    connection = await only(world)
    first = await world.fresh(connection, made)
    second = await world.fresh(connection, made, force=True)
    assert first.values["app"]["access_token"] != second.values["app"]["access_token"]
    assert first.values["user"]["refresh_token"] != second.values["user"]["refresh_token"]
    assert second.expires_at is not None
    assert second.expires_at < datetime.now(UTC) + timedelta(minutes=11)


async def test_anothers_installation_in_the_callback_is_refused(market: Market) -> None:
    world = market.world
    await integration(world, "hub-user", CUSTOM)
    installed(market, 83)
    async with browser(world) as client:
        answer = await returned(market, client, installation_id="999")

    assert answer.status_code == 400
    assert await world.one.connections.list(world.environment.id) == []


async def test_a_plugin_returns_with_its_state_under_another_name(market: Market) -> None:
    world = market.world
    custom = {"token_id": "plugin-id", "token_key": "plugin-key"}
    app = {"type": "INSTALL_PLUGIN", "app_link": "https://plugin.example/initiate/1"}
    made = await integration(world, "plugin", app, custom=custom)
    async with browser(world) as client:
        away = await begun(world, client, "plugin")
        state = params_of(away.headers["location"])["payload"]
        missing = await client.get("/oauth/callback", params={"payload": "x" * 43})
        answer = await client.get("/oauth/callback", params={"payload": state, "website_id": "w1"})

    assert missing.status_code == 400
    assert answer.status_code == 200, answer.text
    connection = await only(world)
    assert connection.connection_config["website_id"] == "w1"
    assert (await proxied(world, made, connection))["authorization"].startswith("Basic ")


async def test_an_mcp_server_is_discovered_registered_with_and_refreshed(market: Market) -> None:
    world, vendors = market.world, market.vendors
    made = await integration(world, "mcp-any")
    async with browser(world) as client:
        away = await begun(world, client, "mcp-any", **{"params[mcp_server_url]": f"{vendors.base}/mcp"})
        asked = params_of(away.headers["location"])
        answer = await client.get(await agreed(away.headers["location"]))

    assert answer.status_code == 200, answer.text
    assert asked["resource"] == f"{vendors.base}/mcp"
    assert asked["client_id"] in vendors.clients
    assert vendors.clients[asked["client_id"]]["redirect_uris"] == [f"{API}/oauth/callback"]
    assert vendors.clients[asked["client_id"]]["token_endpoint_auth_method"] == "none"
    connection = await only(world)
    old = await world.fresh(connection, made)
    new = await world.fresh(connection, made, force=True)
    assert new.values["access_token"] != old.values["access_token"]
    assert new.values["access_token"] in vendors.tokens
    assert vendors.bodies[-1]["client_id"] == asked["client_id"]
    assert vendors.bodies[-1]["resource"] == f"{vendors.base}/mcp"
    sent = await proxied(world, made, connection)
    assert sent["authorization"] == f"Bearer {new.values['access_token']}"


@pytest.mark.parametrize(
    ("metadata", "resource"),
    [
        ({"issuer": "https://evil.example"}, None),
        ({"token_endpoint": "https://evil.example/${clientSecret}"}, None),
        ({"authorization_endpoint": "javascript:alert(1)"}, None),
        ({"code_challenge_methods_supported": ["plain"]}, None),
        ({"registration_endpoint": None}, None),
        ({}, "https://another.example/mcp"),
    ],
)
async def test_metadata_that_cannot_be_relied_on_are_refused(
    market: Market, metadata: dict[str, Any], resource: str | None
) -> None:
    world, vendors = market.world, market.vendors
    vendors.answers["metadata"], vendors.resource = metadata, resource
    await integration(world, "mcp-any")
    async with browser(world) as client:
        away = await begun(world, client, "mcp-any", **{"params[mcp_server_url]": f"{vendors.base}/mcp"})

    assert away.status_code == 400
    assert "evil.example" not in away.headers.get("location", "")
    assert vendors.clients == {}


async def test_a_known_mcp_server_registers_a_client_for_each_connection(market: Market) -> None:
    world, vendors = market.world, market.vendors
    made = await integration(world, "mcp-one")
    async with browser(world) as client:
        away = await begun(world, client, "mcp-one")
        answer = await client.get(await agreed(away.headers["location"]))

    assert answer.status_code == 200, answer.text
    credential = await world.fresh(await only(world), made, force=True)
    assert credential.values["config_override"]["client_id"] in vendors.clients


async def test_the_client_metadata_document_names_itself(market: Market) -> None:
    world = market.world
    await integration(world, "mcp-any", {"type": "MCP_OAUTH2_GENERIC", "client_name": "Acme sync"})
    await integration(world, "birds", BIRDS)
    path = f"/oauth/client-metadata/{world.environment.uuid}/mcp-any"
    async with browser(world) as client:
        found = await client.get(path)
        other = await client.get(f"/oauth/client-metadata/{world.environment.uuid}/birds")
        nobody = await client.get(f"/oauth/client-metadata/{world.account.uuid}/mcp-any")

    assert found.json()["client_id"] == f"{API}{path}"
    assert found.json()["redirect_uris"] == [f"{API}/oauth/callback"]
    assert found.json()["client_name"] == "Acme sync"
    assert found.json()["token_endpoint_auth_method"] == "none"
    assert other.status_code == 404
    assert nobody.status_code == 404


async def test_a_refresh_token_that_is_brought_along_needs_no_consent(market: Market) -> None:
    world, vendors = market.world, market.vendors
    app = {"type": "OAUTH2", "client_id": "app", "client_secret": "app-secret"}
    await integration(world, "revoking", app)
    vendors.refresh.add("brought-along")
    async with browser(world) as client:
        answer = await begun(
            world, client, "revoking", **{"credentials[oauth_refresh_token_override]": "brought-along"}
        )
        refused = await begun(
            world, client, "revoking", **{"credentials[oauth_refresh_token_override]": "brought-along"}
        )

    assert answer.status_code == 200, answer.text
    assert refused.status_code == 400
    assert "brought-along" not in refused.text
    assert len(await world.one.connections.list(world.environment.id)) == 1
