"""Deleting a connection ends its grant at the provider, again and again until the provider has heard."""

import asyncio
from datetime import timedelta
from typing import Any, cast

import pytest

from dragoman_server.connect.grants import revocation
from dragoman_server.connect.grants.model import Client
from dragoman_server.connect.model import CredentialKey
from dragoman_server.connect.revoking import BATCH, LONGEST_OWED
from dragoman_server.control.environments import Environments
from dragoman_server.control.model import ConnectionFilter
from dragoman_server.control.syncs import Syncs
from dragoman_server.db.driver import connect
from dragoman_server.flows.delete_environment import DeleteEnvironment
from dragoman_server.flows.delete_integration import DeleteIntegration
from dragoman_server.flows.erasing import Erasing
from dragoman_server.logs.model import OperationFilter
from dragoman_server.outbox import Relay
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.records import Records
from dragoman_server.vault import SubjectShreddedError
from dragoman_server.webhooks import Webhooks
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


@pytest.mark.parametrize("same", [{"refresh_token": "refresh-to-end"}, {}], ids=["renewed", "not renewed"])
async def test_a_grant_that_another_connection_lives_on_is_revoked_with_the_last_of_them(
    market: Market, same: dict[str, str]
) -> None:
    """Some vendors give the same token to whoever connects again: the older connection is then deleted."""
    world, vendors = market.world, market.vendors
    await integration(world, "revoking", APP)
    vendors.refresh.add("refresh-to-end")
    bring, delete = world.one.parts.connect.import_connection, world.one.parts.connect.delete
    given = {"type": "OAUTH2", "access_token": "refresh-to-end", **same}  # (the vendor ends what it is told to)
    for connection_id in ("c1", "c2"):
        await bring(world.environment.id, "revoking", given, connection_id=connection_id)

    await delete(world.environment.id, "revoking", "c1")
    await relay(market).once()
    left = (set(vendors.refresh), await ended(market))
    await delete(world.environment.id, "revoking", "c2")
    await relay(market).once()

    assert left == ({"refresh-to-end"}, 0)
    assert vendors.refresh == set()


async def test_a_refused_revocation_is_logged_as_failed_and_settled(market: Market) -> None:
    world, logs = market.world, market.world.one.logs
    market.vendors.answers["revoke"] = [401]
    await connected(market)

    await world.one.parts.connect.delete(world.environment.id, "revoking", "c1")
    await relay(market).once()
    await logs.flush()

    found = await logs.search_operations(world.environment.id, OperationFilter(kinds=["auth:revoke_token"]))
    assert [(one.state, (one.error or {})["type"]) for one in found.items] == [("failed", "revocation_refused")]
    assert await ended(market) == 0


async def test_the_fact_holds_no_secret(market: Market) -> None:
    world = market.world
    await connected(market)
    [connection] = await world.one.connections.list(world.environment.id)
    async with world.one.database.transaction() as conn:
        fact = await world.one.parts.revoking.end(
            conn, world.environment.id, connection.integration_id, connection.provider, [connection.id]
        )

    assert fact is not None
    assert fact.body == {"v": 2, "integration": connection.integration_id}


async def test_an_ended_credential_is_out_of_use_until_it_is_shredded(market: Market) -> None:
    world, one = market.world, market.world.one
    await connected(market)
    [connection] = await one.connections.list(world.environment.id)
    key = CredentialKey(world.environment.id, connection.id)
    await one.parts.connect.delete(world.environment.id, "revoking", "c1")

    assert await one.parts.book.read(key) is None
    assert await one.parts.book.due(100, rest=timedelta(0), idle=timedelta(0)) == []
    await one.vault.sealer(world.environment.id, "credentials", connection.uuid)
    await relay(market).once()
    with pytest.raises(SubjectShreddedError):
        await one.vault.sealer(world.environment.id, "credentials", connection.uuid, fresh=True)


async def crowd(market: Market, count: int) -> None:
    """As many connections of the revoking vendor; and one of a vendor that knows no such call."""
    world = market.world
    await integration(world, "revoking", APP)
    await integration(world, "mcp-one")
    market.vendors.refresh |= {f"refresh-{n}" for n in range(count)}
    bring = world.one.parts.connect.import_connection
    for n in range(count):
        given = {"type": "OAUTH2", "access_token": f"access-{n}", "refresh_token": f"refresh-{n}"}
        await bring(world.environment.id, "revoking", given, connection_id=f"c{n}")
    await bring(world.environment.id, "mcp-one", {"type": "MCP_OAUTH2", "access_token": "a"}, connection_id="other")


def deleting(market: Market) -> DeleteIntegration:
    one = market.world.one
    records = Records(database=one.database, vault=one.vault)
    erasing = Erasing(records=records, logs=one.logs, webhooks=cast("Webhooks", None), erase_logs=False)
    return DeleteIntegration(
        database=one.database, integrations=one.integrations, connect=one.parts.connect, erasing=erasing,
        records=records,
    )  # fmt: skip


async def ended(market: Market) -> int:
    raw: Any = await connect(market.world.url)
    count: int = await raw.fetchval("SELECT count(*) FROM connect.credentials WHERE ended_at IS NOT NULL")
    await raw.close()
    return count


async def test_a_deleted_integrations_grants_are_all_revoked_though_a_process_died(
    market: Market, move_clock: MoveClock
) -> None:
    world, vendors = market.world, market.vendors
    await crowd(market, 2 * BATCH + 1)
    await deleting(market)(world.environment.id, "revoking")
    assert await ended(market) == 2 * BATCH + 1

    vendors.holding = asyncio.Event()
    dying = asyncio.create_task(relay(market).once())
    await vendors.asked.wait()
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    vendors.holding.set()
    after_the_crash = await ended(market)
    await move_clock(world.url, timedelta(minutes=2))
    await relay(market).once()

    assert after_the_crash == 2 * BATCH + 1
    assert vendors.refresh == set()
    assert await ended(market) == 0


async def test_a_deleted_environments_grants_are_revoked_and_the_rest_is_gone_at_once(market: Market) -> None:
    world, one, vendors = market.world, market.world.one, market.vendors
    await crowd(market, 3)
    environments = Environments(database=one.database, vault=one.vault, invalidations=one.invalidations)
    delete = DeleteEnvironment(
        database=one.database,
        environments=environments,
        integrations=one.integrations,
        syncs=Syncs(database=one.database, vault=one.vault, invalidations=one.invalidations),
        connect=one.parts.connect,
    )
    [other] = await one.connections.list(world.environment.id, ConnectionFilter(connection_id="other"))
    await delete(world.account.id, world.environment.id)
    [*before] = vendors.refresh
    await relay(market).once()

    assert len(before) == 3
    assert vendors.refresh == set()
    assert await one.parts.book.read(CredentialKey(world.environment.id, other.id)) is None
    assert await ended(market) == 0


async def test_one_account_that_is_away_holds_up_no_other_and_is_given_up_in_the_end(
    market: Market, move_clock: MoveClock
) -> None:
    world, vendors = market.world, market.vendors
    await crowd(market, BATCH + 2)
    await deleting(market)(world.environment.id, "revoking")
    vendors.answers["revoke"] = [503]
    await relay(market).once()
    left = len(vendors.refresh)
    vendors.answers["revoke"] = [503]
    await move_clock(world.url, LONGEST_OWED + timedelta(hours=1))
    await relay(market).once()

    assert left == 1
    assert len(vendors.refresh) == 1
    assert await ended(market) == 0


async def test_a_refused_deletion_ends_nothing(market: Market) -> None:
    world, one = market.world, market.world.one
    await connected(market)
    [connection] = await one.connections.list(world.environment.id)
    with pytest.raises(ConnectionError):
        async with one.database.transaction() as conn:
            gone = [(connection.id, connection.uuid)]
            await one.parts.connect.forget(
                conn, world.environment.id, connection.integration_id, connection.provider, gone
            )
            raise ConnectionError

    assert await one.parts.book.read(CredentialKey(world.environment.id, connection.id)) is not None
    assert await ended(market) == 0


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
