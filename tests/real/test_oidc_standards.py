"""The OAuth standards against a certified provider: PAR, DPoP with nonces, private_key_jwt, device codes, introspection."""

from collections.abc import AsyncGenerator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from dragoman_server.connect.authorize import Asking
from dragoman_server.control.model import Connection, Integration
from dragoman_server.outbox import Relay
from dragoman_server.providers.model import AuthMode
from dragoman_server.proxy import Proxy, ProxyRequest, Target
from tests.connect.world import World, params_of
from tests.connect.world import world as make_world
from tests.real.provider import private_jwk, provider, sign_in, stats, use_code

pytestmark = pytest.mark.real
NOTHING = Asking(authorization_params={}, user_scopes=(), client_override={})
COMMON = """
display_name: OpenID
docs: https://openid.example/docs
categories: [iam]
auth_mode: {mode}
token_url: {issuer}/token
proxy:
  base_url: {issuer}
  verification:
    endpoints: [/me]
"""
CODE = """
authorization_url: {issuer}/auth
issuer: {issuer}
authorization_response_iss_parameter_supported: true
authorization_params: {{ prompt: consent }}
"""
PUSHED = "pushed_authorization_request_url: {issuer}/request\n"
BOUND = "dpop: true\n"
DEVICE = "device_authorization_url: {issuer}/device/auth\n"
KEYED = "token_request_auth_method: private_key_jwt\n"
ENTRIES = {
    "bound": COMMON
    + CODE
    + PUSHED
    + BOUND
    + "token_request_auth_method: basic\nrevocation: {{ url: '{issuer}/token/revocation' }}\n",
    "signed": COMMON + CODE + PUSHED + KEYED,
    "keyed-device": COMMON + DEVICE + KEYED + BOUND,
    "television": COMMON + DEVICE,
    "asked": COMMON + CODE + "token_expires_in_ms: 0\nintrospection_url: {issuer}/token/introspection\n",
}
MACHINE = COMMON.split("proxy:", maxsplit=1)[0] + KEYED + BOUND + "proxy: {{ base_url: '{issuer}' }}\n"
APPS = {
    "bound": {"client_id": "bound", "client_secret": "bound-secret-0123456789"},
    "signed": {"client_id": "keyed", "client_secret": private_jwk()},
    "keyed-device": {"client_id": "keyed", "client_secret": private_jwk()},
    "television": {"client_id": "television"},
    "asked": {"client_id": "app", "client_secret": "app-secret-0123456789"},
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    with provider() as address:
        yield address


@pytest.fixture
async def world(database_url: str, tmp_path: Path, issuer: str) -> AsyncGenerator[World]:
    folder = tmp_path / "providers"
    folder.mkdir()
    for name, text in ENTRIES.items():
        (folder / f"{name}.yaml").write_text(text.format(issuer=issuer, mode="OAUTH2"), "utf-8")
    (folder / "keyed-machine.yaml").write_text(MACHINE.format(issuer=issuer, mode="OAUTH2_CC"), "utf-8")
    async with make_world(database_url, tmp_path) as made:
        yield made


async def integration_of(world: World, name: str) -> Integration:
    app = {"type": "OAUTH2", "scopes": "openid", **APPS[name]}
    return await world.one.integrations.create(world.environment.id, name, name, credentials=app)


async def connected(world: World, name: str) -> tuple[Integration, Connection, str]:
    """Connect as a person in a browser does; return also where the browser was sent."""
    integration = await integration_of(world, name)
    session, _ = await world.session(allowed_integrations=[name], tags={"team": "red"})
    begun = await world.one.parts.connect.begin_oauth(session, name, {}, NOTHING)
    answer = await sign_in(begun.url)
    outcome = await world.one.parts.connect.finish_oauth(answer, {begun.cookie_name: begun.cookie_value})
    assert outcome.ok, outcome
    return integration, world.told.connected[-1].connection, begun.url


def proxy_of(world: World) -> Proxy:
    one = world.one
    return Proxy(
        egress=one.egress,
        catalogue=one.catalogue,
        fresh_credential=one.parts.credentials.fresh,
        integration_credentials=one.integrations.credentials,
        logs=one.logs,
    )


async def me(proxy: Proxy, world: World, integration: Integration, connection: Connection) -> int:
    target = Target(world.environment.id, integration, connection)
    async with proxy.call(target, ProxyRequest("GET", "/me?x=1")) as answer:
        return answer.status


async def test_a_pushed_request_leaves_the_browser_a_reference_and_nothing_else(world: World, issuer: str) -> None:
    before = await stats(issuer)

    _, _, url = await connected(world, "bound")

    assert set(params_of(url)) == {"client_id", "request_uri"}
    assert (await stats(issuer))["pushed"] == before["pushed"] + 1


async def test_a_bound_token_works_by_the_proxy_alone_and_stays_bound_when_renewed(world: World, issuer: str) -> None:
    integration, connection, _ = await connected(world, "bound")
    proxy = proxy_of(world)

    first = await world.fresh(connection, integration)
    before = await me(proxy, world, integration, connection)
    second = await world.fresh(connection, integration, force=True)
    after = [await me(proxy, world, integration, connection) for _ in range(3)]

    assert first.values["token_type"] == second.values["token_type"] == "DPoP"
    assert first.values["access_token"] != second.values["access_token"]
    assert first.values["dpop_key"] == second.values["dpop_key"]
    assert [before, *after] == [200] * 4
    async with httpx.AsyncClient() as thief:
        headers = {"authorization": f"Bearer {second.values['access_token']}"}
        assert (await thief.get(f"{issuer}/me", headers=headers)).status_code == 401


async def test_a_deleted_connection_is_revoked(world: World, issuer: str) -> None:
    integration, connection, _ = await connected(world, "bound")
    token = str((await world.fresh(connection, integration)).values["refresh_token"])
    one = world.one

    await one.parts.connect.delete(world.environment.id, "bound", connection.connection_id)
    await Relay(database=one.database, handlers={"revoke": one.parts.revoking.handle}).once()

    async with httpx.AsyncClient() as client:
        form = {"grant_type": "refresh_token", "refresh_token": token}
        answer = await client.post(f"{issuer}/token", data=form, auth=("bound", "bound-secret-0123456789"))
    assert answer.status_code == 400


async def test_a_client_with_a_key_pushes_redeems_and_renews(world: World) -> None:
    integration, connection, _ = await connected(world, "signed")

    first = await world.fresh(connection, integration)
    second = await world.fresh(connection, integration, force=True)

    assert first.values["refresh_token"] != second.values["refresh_token"]


async def test_a_machine_with_a_key_gets_bound_tokens(world: World) -> None:
    integration = await world.one.integrations.create(world.environment.id, "keyed-machine", "keyed-machine")
    session, _ = await world.session(tags={"team": "red"})
    client = {"client_id": "keyed", "client_private_key": private_jwk()}

    made = await world.one.parts.connect.connect_with_credentials(
        session, "keyed-machine", AuthMode.OAUTH2_CC, client, {}
    )
    first = await world.fresh(made.connection, integration)
    second = await world.fresh(made.connection, integration, force=True)

    assert first.values["token_type"] == second.values["token_type"] == "DPoP"
    assert first.values["token"] != second.values["token"]
    assert first.values["dpop_key"] == second.values["dpop_key"]


@pytest.mark.parametrize("name", ["television", "keyed-device"])
async def test_a_code_typed_in_elsewhere_connects(world: World, name: str) -> None:
    integration = await integration_of(world, name)
    session, _ = await world.session(allowed_integrations=[name], tags={"team": "red"})
    connect, devices = world.one.parts.connect, world.one.parts.devices

    begun = await connect.begin_device(session, name, {}, NOTHING)
    waits = await devices.poll(world.environment.id, begun.id)
    assert begun.code.verification_uri_complete is not None
    await use_code(begun.code.verification_uri_complete)
    ended = await devices.poll(world.environment.id, begun.id)
    standing: Any = await connect.device_standing(session, begun.id)

    assert waits == timedelta(seconds=5)
    assert ended is None
    assert standing.outcome.ok
    assert await world.fresh(world.told.connected[0].connection, integration, force=True)


async def test_a_code_declined_elsewhere_ends_in_one_clear_message(world: World) -> None:
    await integration_of(world, "television")
    session, _ = await world.session(allowed_integrations=["television"], tags={"team": "red"})
    connect, devices = world.one.parts.connect, world.one.parts.devices
    begun = await connect.begin_device(session, "television", {}, NOTHING)
    assert begun.code.verification_uri_complete is not None

    await use_code(begun.code.verification_uri_complete, decline=True)
    await devices.poll(world.environment.id, begun.id)
    standing: Any = await connect.device_standing(session, begun.id)

    assert standing.outcome.error_type == "access_denied"
    assert world.told.failed[0].error_type == "access_denied"
    assert world.told.connected == []


async def test_the_expiry_of_a_token_that_came_without_one_is_asked_for(world: World) -> None:
    integration, connection, _ = await connected(world, "asked")

    first = await world.fresh(connection, integration)
    second = await world.fresh(connection, integration, force=True)

    soon = datetime.now(UTC) + timedelta(seconds=6)
    assert first.expires_at is not None
    assert second.expires_at is not None
    assert first.expires_at < second.expires_at < soon
