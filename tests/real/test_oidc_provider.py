"""A certified OpenID provider with 5 s tokens, rotation and reuse detection: one second use would revoke the grant.

`OIDC_SECONDS=60` before pytest lets the readers run for a minute; 20 s otherwise.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import httpx
import pytest

from dragoman_server.connect.authorize import Asking
from dragoman_server.connect.errors import RefreshFailedError
from dragoman_server.control.model import Integration
from dragoman_server.providers.model import AuthMode
from tests.connect.world import World
from tests.connect.world import world as make_world
from tests.real.provider import provider, sign_in, stats

pytestmark = pytest.mark.real
ROOT = Path(__file__).parent.parent.parent
SECONDS = float(os.environ.get("OIDC_SECONDS", "20"))
PROCESSES, READERS = 4, 50
ENTRY = """
display_name: OpenID
docs: https://openid.example/docs
categories: [iam]
auth_mode: {mode}
authorization_url: {issuer}/auth
token_url: {issuer}/token
issuer: {issuer}
authorization_response_iss_parameter_supported: true
authorization_params:
  prompt: consent
proxy:
  base_url: {issuer}
  verification:
    method: GET
    endpoints: [/me]
"""
MACHINE = """
display_name: OpenID machine
docs: https://openid.example/docs
categories: [iam]
auth_mode: OAUTH2_CC
token_url: {issuer}/token
token_request_auth_method: basic
proxy:
  base_url: {issuer}
"""


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The provider's address."""
    with provider() as address:
        yield address


@pytest.fixture
async def world(database_url: str, tmp_path: Path, issuer: str) -> AsyncGenerator[World]:
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "openid.yaml").write_text(ENTRY.format(issuer=issuer, mode="OAUTH2"), "utf-8")
    (tmp_path / "providers" / "openid-machine.yaml").write_text(MACHINE.format(issuer=issuer), "utf-8")
    async with make_world(database_url, tmp_path) as made:
        yield made


async def connected(world: World) -> Integration:
    app = {"type": "OAUTH2", "client_id": "app", "client_secret": "app-secret-0123456789", "scopes": "openid"}
    integration = await world.one.integrations.create(world.environment.id, "openid", "openid", credentials=app)
    session, _ = await world.session(allowed_integrations=["openid"], tags={"team": "red"})
    asking = Asking(authorization_params={}, user_scopes=(), client_override={})
    begun = await world.one.parts.connect.begin_oauth(session, "openid", {}, asking)
    answer = await sign_in(begun.url)
    outcome = await world.one.parts.connect.finish_oauth(answer, {begun.cookie_name: begun.cookie_value})
    assert outcome.ok, outcome
    return integration


async def test_a_code_with_pkce_and_iss_becomes_a_connection_that_refreshes(world: World, issuer: str) -> None:
    integration = await connected(world)
    connection = world.told.connected[0].connection

    first = await world.fresh(connection, integration)
    second = await world.fresh(connection, integration, force=True)

    assert first.values["access_token"] != second.values["access_token"]
    assert first.values["refresh_token"] != second.values["refresh_token"]
    assert second.expires_at is not None


async def test_the_provider_really_revokes_a_grant_whose_token_is_used_twice(world: World, issuer: str) -> None:
    integration = await connected(world)
    connection = world.told.connected[0].connection
    old = await world.fresh(connection, integration)
    await world.fresh(connection, integration, force=True)
    before = await stats(issuer)

    form = {
        "grant_type": "refresh_token", "refresh_token": old.values["refresh_token"],
        "client_id": "app", "client_secret": "app-secret-0123456789",
    }  # fmt: skip
    async with httpx.AsyncClient() as thief:
        stolen = await thief.post(f"{issuer}/token", data=form)

    assert stolen.json()["error"] == "invalid_grant"
    assert (await stats(issuer))["revoked"] > before["revoked"]
    with pytest.raises(RefreshFailedError) as caught:
        await world.fresh(connection, integration, force=True)
    assert caught.value.dead


async def test_client_credentials_with_a_basic_header(world: World) -> None:
    integration = await world.one.integrations.create(world.environment.id, "openid-machine", "openid-machine")
    session, _ = await world.session(tags={"team": "red"})
    client = {"client_id": "machine", "client_secret": "machine-secret-0123456789"}

    made = await world.one.parts.connect.connect_with_credentials(
        session, "openid-machine", AuthMode.OAUTH2_CC, client, {}
    )

    credential = await world.fresh(made.connection, integration, force=True)
    assert credential.values["token"]


async def test_two_hundred_readers_in_four_processes_never_get_the_grant_revoked(world: World, issuer: str) -> None:
    await connected(world)
    before = await stats(issuer)
    told = {
        "url": world.url,
        "folder": str(world.folder),
        "issuer": issuer,
        "environment_id": world.environment.id,
        "connection": world.told.connected[0].connection.id,
        "seconds": SECONDS,
        "readers": READERS,
    }
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.real.oidc_reader", json.dumps(told), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(PROCESSES)
    ]
    outputs = [await asyncio.wait_for(p.communicate(), SECONDS + 60) for p in processes]

    results = [json.loads(out) for out, _ in outputs]
    after = await stats(issuer)
    refreshed = after["refreshed"] - before["refreshed"]
    tokens = {t for r in results for t in r["tokens"]}
    assert [r["errors"] for r in results] == [{}] * PROCESSES
    assert after["revoked"] == before["revoked"]
    assert SECONDS / 5 - 1 <= refreshed <= SECONDS / 3.5 + 2, "a token of 5 s is renewed about every 4 s"
    assert len(tokens) <= refreshed + 1, "every call's answer was used, none was made twice"
    assert all(r["reads"] > 50 for r in results)
