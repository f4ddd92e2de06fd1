"""The app's own token of an installed app: made when asked for, stored nowhere."""

from datetime import UTC, datetime

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from dragoman_server.connect.model import CredentialKey
from dragoman_server.flows.read_connection import ReadConnection
from dragoman_server.providers.model import AuthMode, Credential
from tests.connect.test_consents import APP, CUSTOM, installed
from tests.connect.vendors import APP_PEM, Market, integration


@pytest.mark.parametrize(("entry", "app"), [("hub", APP), ("hub-user", CUSTOM)])
async def test_an_app_token_is_signed_when_asked_for_and_not_stored(
    market: Market, entry: str, app: dict[str, str]
) -> None:
    world, parts = market.world, market.world.one.parts
    await integration(world, entry, app)
    installed(market, 80)
    given = {"type": app["type"], "app_id": "4711", "installation_id": "80"}
    done = await parts.connect.import_connection(world.environment.id, entry, given, connection_id="c1")
    read = ReadConnection(
        integrations=world.one.integrations, connections=world.one.connections, credentials=parts.credentials
    )

    connection, credential = await read(done.connection, force=False)
    shown = await read.with_app_token(connection, credential)

    claims = jwt.decode(shown.values["jwtToken"], RSAKey.import_key(APP_PEM), algorithms=["RS256"]).claims
    assert claims["iss"] == "4711"
    assert 0 < claims["exp"] - datetime.now(UTC).timestamp() <= 600
    assert shown.values["jwtToken"] in shown.secrets()
    stored = await parts.book.read(CredentialKey(world.environment.id, connection.id))
    assert stored is not None
    assert "jwtToken" not in stored.credential.values


async def test_other_credentials_have_no_app_to_speak_for(market: Market) -> None:
    world, parts = market.world, market.world.one.parts
    await integration(world, "mcp-one")
    given = {"type": "MCP_OAUTH2", "access_token": "a"}
    done = await parts.connect.import_connection(world.environment.id, "mcp-one", given, connection_id="c1")
    read = ReadConnection(
        integrations=world.one.integrations, connections=world.one.connections, credentials=parts.credentials
    )
    credential = Credential(AuthMode.MCP_OAUTH2, {"access_token": "a"})

    assert await read.with_app_token(done.connection, credential) is credential
