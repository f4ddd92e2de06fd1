"""Deleting a connection ends its grant at the provider, again and again until the provider has heard."""

from datetime import timedelta
from typing import Any

import pytest

from dragoman_server.connect.grants import revocation
from dragoman_server.connect.grants.model import Client
from dragoman_server.outbox import Relay
from dragoman_server.providers.model import AuthMode, Credential
from tests.conftest import MoveClock
from tests.connect.vendors import Market, integration

APP = {"type": "OAUTH2", "client_id": "app", "client_secret": "app-secret"}


def relay(market: Market) -> Relay:
    one = market.world.one
    return Relay(database=one.database, handlers={"revoke": one.parts.revoking.handle}, listen_url=market.world.url)


async def connected(market: Market) -> None:
    world = market.world
    await integration(world, "revoking", APP)
    market.vendors.refresh.add("refresh-to-end")
    await world.one.parts.connect.import_connection(
        world.environment.id,
        "revoking",
        {"type": "OAUTH2", "access_token": "access-1", "refresh_token": "refresh-to-end"},
        connection_id="c1",
    )


async def test_a_deleted_connections_refresh_token_is_revoked(market: Market, move_clock: MoveClock) -> None:
    world, vendors = market.world, market.vendors
    vendors.answers["revoke"] = [503, 200]
    await connected(market)

    await world.one.parts.connect.delete(world.environment.id, "revoking", "c1")
    before = list(vendors.calls)
    await relay(market).once()
    after_the_outage = set(vendors.refresh)
    await move_clock(world.url, timedelta(hours=1))
    await relay(market).once()

    assert "POST /revoke" not in before
    assert after_the_outage == {"refresh-to-end"}
    assert vendors.refresh == set()
    assert vendors.bodies[-1] == {
        "token": "refresh-to-end",
        "token_type_hint": "refresh_token",
        "client_id": "app",
        "client_secret": "app-secret",
    }


async def test_the_fact_holds_no_token_in_the_clear(market: Market) -> None:
    from dragoman_server.connect.model import CredentialKey

    world = market.world
    await connected(market)
    [connection] = await world.one.connections.list(world.environment.id)
    async with world.one.database.transaction() as conn:
        stored = await world.one.parts.book.read_in(conn, CredentialKey(world.environment.id, connection.id))
        assert stored is not None
        fact = await world.one.parts.revoking.fact(conn, connection, stored)

    assert fact is not None
    assert "refresh-to-end" not in repr(fact)
    assert "app-secret" not in repr(fact)


async def test_a_provider_without_such_a_call_is_left_alone(market: Market) -> None:
    world = market.world
    await integration(world, "mcp-one")
    await world.one.parts.connect.import_connection(
        world.environment.id, "mcp-one", {"type": "MCP_OAUTH2", "access_token": "a"}, connection_id="c1"
    )
    await world.one.parts.connect.delete(world.environment.id, "mcp-one", "c1")
    await relay(market).once()

    assert "POST /revoke" not in market.vendors.calls


@pytest.mark.parametrize(
    ("spec", "method", "authorization", "body"),
    [
        ({"auth": "bearer", "params": {}}, "POST", "Bearer at", b""),
        ({"auth": "basic"}, "POST", "Basic YXBwOnNlY3JldA==", b"token=rt&token_type_hint=refresh_token"),
        (
            {"auth": "basic", "method": "DELETE", "body_format": "json", "params": {"access_token": "${accessToken}"}},
            "DELETE",
            "Basic YXBwOnNlY3JldA==",
            b'{"access_token":"at"}',
        ),
    ],
)
def test_a_providers_own_call_is_data(spec: dict[str, Any], method: str, authorization: str, body: bytes) -> None:
    from datetime import UTC, datetime

    entry = {"revocation": {"url": "https://v.example/${clientId}/grant", **spec}}
    credential = Credential(AuthMode.OAUTH2, {"access_token": "at", "refresh_token": "rt"})
    made = revocation.request(entry, Client("app", "secret"), credential, {}, datetime(2026, 1, 1, tzinfo=UTC))

    assert made is not None
    assert made.url == "https://v.example/app/grant"
    assert made.method == method
    assert dict(made.headers)["authorization"] == authorization
    assert made.body == body
