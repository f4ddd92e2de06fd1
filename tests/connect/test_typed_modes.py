"""Modes whose fields a person types in: what is sent, what is stored, when it is asked for again."""

import base64
import hashlib
import re
from datetime import UTC, datetime, timedelta

import pytest
from joserfc import jwt

from dragoman_server.connect.errors import RefreshFailedError
from dragoman_server.connect.model import CredentialKey
from dragoman_server.kit.errors import DragomanError
from tests.conftest import MoveClock
from tests.connect.vendors import Market, hmac_key, integration, only, proxied, typed

SECRET = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
LOGIN = {"type": "TWO_STEP", "username": "ann", "password": "right-password"}


async def test_a_two_step_login_runs_all_its_steps_and_stores_no_once_only_input(market: Market) -> None:
    world, vendors = market.world, market.vendors
    made = await integration(world, "steps")
    body = {**LOGIN, "assertionOption": {"otp": "123456"}}
    answer = await typed(world, "/auth/two-step/steps?params[tenant]=t1", body)

    assert answer.status_code == 200, answer.text
    assert vendors.bodies[0] == {"user": "ann", "password": "right-password", "tenant": "t1", "otp": "123456"}
    assert vendors.bodies[1].endswith(
        '<request kind="ticket"><ticket>ticket-1</ticket><header>header-token-1</header><cookie>cookie-1</cookie></request>'
    )
    connection = await only(world)
    credential = await world.fresh(connection, made)
    assert credential.values["token"] in vendors.tokens
    assert "123456" not in str(dict(credential.values))
    assert credential.expires_at is not None
    assert (await proxied(world, made, connection))["authorization"] == f"Bearer {credential.values['token']}"


async def test_a_two_step_token_is_renewed_by_its_refresh_token_then_by_logging_in(
    market: Market, move_clock: MoveClock
) -> None:
    world, vendors = market.world, market.vendors
    made = await integration(world, "steps")
    await typed(world, "/auth/two-step/steps?params[tenant]=t1", LOGIN)
    connection = await only(world)

    await move_clock(world.url, timedelta(minutes=58))
    first = await world.fresh(connection, made, force=True)
    second = await world.fresh(connection, made, force=True)

    assert str(first.values["token"]).startswith("renewed-")
    assert str(second.values["token"]).startswith("two-")
    assert [c for c in vendors.calls if c != "GET /api/things"] == [
        "POST /login", "POST /exchange", "POST /renew", "POST /renew", "POST /login", "POST /exchange",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({**LOGIN, "password": "wrong-password"}, "two_step_credentials_fetch_error"),
        ({"username": "ann"}, "invalid_credentials"),
        ({**LOGIN, "surplus": "x"}, "invalid_credentials"),
        ({**LOGIN, "username": 5}, "invalid_credentials"),
        ({**LOGIN, "assertionOption": {"other": "x"}}, "invalid_credentials"),
    ],
)
async def test_a_bad_two_step_login_is_refused_and_not_stored(market: Market, body: object, code: str) -> None:
    world = market.world
    await integration(world, "steps")
    answer = await typed(world, "/auth/two-step/steps?params[tenant]=t1", body)

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == code
    assert "wrong-password" not in answer.text
    assert await world.one.connections.list(world.environment.id) == []


async def test_a_locally_signed_token_verifies_and_is_signed_anew(market: Market) -> None:
    world = market.world
    made = await integration(world, "hmac")
    answer = await typed(world, "/auth/jwt/hmac", {"privateKeyId": "kid-1", "privateKey": SECRET})

    assert answer.status_code == 200, answer.text
    connection = await only(world)
    sent = (await proxied(world, made, connection))["authorization"]
    found = jwt.decode(sent.removeprefix("Ghost "), hmac_key(SECRET), algorithms=["HS256"])
    assert found.header["kid"] == "kid-1"
    assert found.claims["aud"] == "/admin/"
    assert found.claims["exp"] - found.claims["iat"] == 300
    stored = await world.one.parts.book.read(CredentialKey(world.environment.id, connection.id))
    assert stored is not None
    assert stored.grant is not None
    again = await world.fresh(connection, made, force=True)
    assert again.values["privateKey"] == SECRET
    assert again.expires_at is not None
    assert again.expires_at > datetime.now(UTC) + timedelta(minutes=4)


async def test_a_secret_that_is_no_key_is_named(market: Market) -> None:
    world = market.world
    await integration(world, "hmac")
    answer = await typed(world, "/auth/jwt/hmac", {"privateKeyId": "kid-1", "privateKey": "not hexadecimal"})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_credentials"
    assert "not hexadecimal" not in answer.text


async def test_a_wsse_header_holds_the_digest_of_the_password(market: Market) -> None:
    world = market.world
    made = await integration(world, "wsse")
    answer = await typed(
        world, "/auth/signature/wsse", {"type": "SIGNATURE", "username": "ann", "password": "s3cret-word"}
    )

    assert answer.status_code == 200, answer.text
    connection = await only(world)
    sent = (await proxied(world, made, connection))["x-wsse"]
    parts = dict(re.findall(r'(\w+)="([^"]*)"', sent))
    digest = hashlib.sha1(f"{parts['Nonce']}{parts['Created']}s3cret-word".encode()).hexdigest()  # noqa: S324
    assert parts["Username"] == "ann"
    assert parts["PasswordDigest"] == base64.b64encode(digest.encode()).decode()
    renewed = await world.fresh(connection, made, force=True)
    assert renewed.values["token"] != sent
    assert renewed.expires_at is not None
    assert renewed.expires_at <= datetime.now(UTC) + timedelta(minutes=5, seconds=5)


async def test_bill_logs_in_and_keeps_the_session_35_minutes(market: Market) -> None:
    world, vendors = market.world, market.vendors
    made = await integration(world, "billing")
    body = {"username": "a@b.example", "password": "pw-123456", "organization_id": "org-1", "dev_key": "dev-key-1234"}
    refused = await typed(world, "/auth/bill/billing", {**body, "dev_key": "other-key"})
    answer = await typed(world, "/auth/bill/billing", body)

    assert refused.status_code == 400
    assert refused.json()["error"]["code"] == "request_token_external_error"
    assert answer.status_code == 200, answer.text
    assert vendors.bodies[-1]["organizationId"] == "org-1"
    connection = await only(world)
    credential = await world.fresh(connection, made)
    assert credential.expires_at is not None
    assert timedelta(minutes=34) < credential.expires_at - datetime.now(UTC) < timedelta(minutes=36)
    headers = await proxied(world, made, connection)
    assert headers["sessionid"] == credential.values["session_id"]
    assert headers["devkey"] == "dev-key-1234"
    assert credential.values["user_id"] == "user-1"
    again = await world.fresh(connection, made, force=True)
    assert again.values["session_id"] != credential.values["session_id"]


async def test_a_netsuite_token_is_imported_and_typed_in_alike(market: Market) -> None:
    world = market.world
    made = await integration(world, "suite", {"type": "TBA", "client_id": "app", "client_secret": "app-secret"})
    answer = await typed(
        world,
        "/auth/tba/suite?params[accountId]=1234_SB1",
        {"token_id": "tid", "token_secret": "tsecret", "oauth_client_id_override": "own"},
    )
    imported = await world.one.parts.connect.import_connection(
        world.environment.id,
        "suite",
        {"type": "TBA", "token_id": "tid", "token_secret": "tsecret", "config_override": {"client_id": "own"}},
        connection_id="c2",
        connection_config={"accountId": "1234_SB1"},
    )

    assert answer.status_code == 200, answer.text
    first, second = await world.one.connections.list(world.environment.id)
    for connection in (first, second):
        headers = await proxied(world, made, connection)
        assert 'realm="1234_SB1"' in headers["authorization"]
        assert 'oauth_consumer_key="own"' in headers["authorization"]
        assert 'oauth_signature_method="HMAC-SHA256"' in headers["authorization"]
    assert imported.connection.connection_id == "c2"


async def test_client_credentials_by_a_signed_assertion(market: Market) -> None:
    from tests.connect.vendors import APP_PEM

    world, vendors = market.world, market.vendors
    made = await integration(world, "keyed-machine")
    answer = await typed(world, "/oauth2/auth/keyed-machine", {"client_id": "m1", "client_private_key": APP_PEM})
    refused = await typed(world, "/oauth2/auth/keyed-machine", {"client_id": "m1", "client_private_key": "no key"})

    assert answer.status_code == 200, answer.text
    assert refused.json()["error"]["code"] == "invalid_credentials"
    assert "client_secret" not in vendors.bodies[0]
    credential = await world.fresh(await only(world), made, force=True)
    assert credential.values["token"] in vendors.tokens


async def test_a_lost_input_makes_a_refresh_fail_with_a_reason(market: Market, move_clock: MoveClock) -> None:
    world, vendors = market.world, market.vendors
    made = await integration(world, "steps")
    await typed(world, "/auth/two-step/steps?params[tenant]=t1", LOGIN)
    vendors.refresh.clear()
    vendors.answers["seconds"] = 60
    connection = await only(world)
    await world.one.parts.connect.import_connection(
        world.environment.id,
        "steps",
        {"type": "TWO_STEP", "username": "ann", "password": "changed", "token": "t", "refresh_token": "gone"},
        connection_id=connection.connection_id,
        connection_config={"tenant": "t1"},
    )

    with pytest.raises(RefreshFailedError) as caught:
        await world.fresh(connection, made, force=True)

    assert "changed" not in str(caught.value)


async def test_the_wrong_endpoint_for_a_mode_is_refused(market: Market) -> None:
    world = market.world
    await integration(world, "wsse")
    answer = await typed(world, "/auth/jwt/wsse", {"privateKey": "x"})

    assert answer.json()["error"]["code"] == "invalid_auth_mode"
    assert issubclass(RefreshFailedError, DragomanError)
