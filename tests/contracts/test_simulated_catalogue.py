"""Every entry we ship lives a whole life against its simulator: connect, call, page, be limited, refresh, fail, end."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dragoman import pagination
from dragoman_server.connect.authorize import Asking
from dragoman_server.connect.errors import ConnectionTestFailedError, TokenRequestError
from dragoman_server.connect.verification import Verifier
from dragoman_server.control.model import Connection, Integration
from dragoman_server.db.embedded import EmbeddedPostgres
from dragoman_server.providers.catalogue import load_catalogue
from dragoman_server.providers.model import AuthMode, Credential, Field, Provider
from dragoman_server.providers.rendering import RequestScope, build_request
from dragoman_server.simulator.filling import config_of, fill
from tests.conftest import _clone  # pyright: ignore[reportPrivateUsage]
from tests.contracts.simulated import PUBLIC_URL, Simulation, query_of, simulation

pytestmark = pytest.mark.asyncio(loop_scope="module")


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


CATALOGUE = load_catalogue()
APP = {"client_id": "our-app", "client_secret": "our+app:secret/1"}
KEYS = {
    "HMAC": "0f" * 32,
    "RSA": pem(rsa.generate_private_key(65537, 2048)),
    "OTHER": pem(rsa.generate_private_key(65537, 2048)),
    "EC": pem(ec.generate_private_key(ec.SECP256R1())),
}
INSTALLED = {"app_id": "4711", "private_key": KEYS["RSA"]}
EXTERNAL = "an-external-id-of-the-customer"
STS_KEYS = {"aws_access_key_id": "AKIAOWNKEY", "aws_secret_access_key": "own+aws/secret"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def simulated(
    postgres: EmbeddedPostgres, main_template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Simulation]:
    async for url in _clone(postgres, main_template):
        async with simulation(url, Path(tmp_path_factory.mktemp("spill")), CATALOGUE) as made:
            yield made


# -- how each mode connects, with a good and with a bad credential ---------------------------------------------------


def typed(field: Field) -> str:
    """What a person types into a field of a credential."""
    if field.hidden:
        return ""
    given = fill(field)
    return given if given != "acme" else "good-secret-123456"


async def connect_by_consent(world: Simulation, provider: Provider, *, good: bool = True) -> tuple[Any, Integration]:
    scopes = ",".join(provider.default_scopes)
    generic = provider.auth_mode is AuthMode.MCP_OAUTH2_GENERIC
    registers = generic or provider.get("client_registration") == "dynamic"
    if provider.auth_mode is AuthMode.OAUTH1:
        world.world.tell(APP["client_id"], APP["client_secret"] if good else "another secret")
    app = None if registers else {"type": provider.auth_mode.value, **APP, "scopes": scopes}
    integration = await integration_of(world, provider, app)
    session = await world.session(integration)
    connect = world.parts.connect
    begun = await connect.begin_oauth(session, provider.name, config_of(provider), Asking({}, (), {}))
    status, location = await world.browse(begun.url)
    assert (status, location.partition("?")[0]) == (302, "http://dragoman.test/oauth/callback"), world.world.asked[-1]
    if not good:
        world.world.wrong_secrets.add(APP["client_secret"])
    back = query_of(location)
    if not good and provider.auth_mode is AuthMode.OAUTH1:
        del back["oauth_verifier"]
    if not good and registers:
        back = {"error": "access_denied", "state": back["state"]}
    outcome = await connect.finish_oauth(back, {begun.cookie_name: begun.cookie_value})
    if outcome.error_type is not None:
        raise TokenRequestError(outcome.message)
    return outcome.connection_id, integration


async def connect_by_installing(world: Simulation, provider: Provider, *, good: bool = True) -> tuple[Any, Integration]:
    """The person installs the app; a bad story is one of an app whose key the vendor does not know."""
    way = "/app-auth/connect" if provider.auth_mode is AuthMode.APP else "/oauth/callback"
    link = f"{world.origin}/authorize/{provider.name}/installations/new?" + urlencode(
        {"back": PUBLIC_URL + way, "app_id": "4711", "simulate": "allow"}
    )
    app = {"type": provider.auth_mode.value, "app_link": link, **INSTALLED}
    app |= APP if provider.auth_mode is AuthMode.CUSTOM else {}
    integration = await integration_of(world, provider, app)
    world.world.tell("4711", KEYS["RSA"] if good else KEYS["OTHER"])
    connect = world.parts.connect
    session = await world.session(integration)
    begun = await connect.begin_oauth(session, provider.name, config_of(provider), Asking({}, (), {}))
    status, location = await world.browse(begun.url)
    assert (status, location.partition("?")[0]) == (302, PUBLIC_URL + way)
    outcome = await connect.finish_oauth(query_of(location), {begun.cookie_name: begun.cookie_value}, path=way)
    if outcome.error_type is not None:
        raise TokenRequestError(outcome.message)
    return outcome.connection_id, integration


async def connect_by_role(world: Simulation, provider: Provider, *, good: bool = True) -> tuple[Any, Integration]:
    found = await world.integrations.get(world.environment.id, provider.name)
    integration = found or await world.integration(provider, custom=STS_KEYS)
    secret = STS_KEYS["aws_secret_access_key"]
    world.world.tell(STS_KEYS["aws_access_key_id"], secret if good else "another secret")
    session = await world.session(integration, {"external_id": EXTERNAL})
    values = {name: typed(field) for name, field in provider.credentials.items()}
    done = await world.parts.connect.connect_with_credentials(
        session, provider.name, provider.auth_mode, values, config_of(provider)
    )
    return done.connection.connection_id, integration


async def connect_by_typing(
    world: Simulation, provider: Provider, *, good: bool, values: dict[str, str], app: dict[str, str] | None = None
) -> tuple[Any, Integration]:
    integration = await integration_of(world, provider, app)
    if not good:
        world.world.wrong_secrets |= {value for value in values.values() if value}
    session = await world.session(integration)
    mode = provider.auth_mode
    done = await world.parts.connect.connect_with_credentials(session, provider.name, mode, values, config_of(provider))
    return done.connection.connection_id, integration


async def connect_by_key(world: Simulation, provider: Provider, *, good: bool = True) -> tuple[Any, Integration]:
    key = typed(provider.credentials["apiKey"])
    return await connect_by_typing(world, provider, good=good, values={"apiKey": key})


async def connect_by_password(world: Simulation, provider: Provider, *, good: bool = True) -> tuple[Any, Integration]:
    fields = provider.credentials
    values = {name: typed(fields[name]) if name in fields else "good-1234" for name in ("username", "password")}
    return await connect_by_typing(world, provider, good=good, values=values)


async def connect_as_client(world: Simulation, provider: Provider, *, good: bool = True) -> tuple[Any, Integration]:
    values = {"client_id": "their-client", "client_secret": "their+secret:/1"}
    return await connect_by_typing(world, provider, good=good, values=values)


async def connect_by_login(world: Simulation, provider: Provider, *, good: bool = True) -> tuple[Any, Integration]:
    values = {name: typed(field) for name, field in provider.credentials.items()}
    if "privateKey" in values:
        values["privateKey"] = KEYS[provider.get("signature")["protocol"]]
        world.world.tell(provider.name, values["privateKey"])
    if provider.auth_mode is AuthMode.SIGNATURE:
        world.world.tell(values["username"], values["password"])
    if "privateKeyId" in values and provider.credentials["privateKeyId"].example is None:
        values["privateKeyId"] = "0123456789abcdef01234567"
    return await connect_by_typing(world, provider, good=good, values=values)


async def connect_by_token(world: Simulation, provider: Provider, *, good: bool = True) -> tuple[Any, Integration]:
    values = {name: typed(field) for name, field in provider.credentials.items()}
    app = {"type": provider.auth_mode.value, **APP}
    world.world.tell(APP["client_id"], APP["client_secret"])
    world.world.tell(values["token_id"], values["token_secret"])
    return await connect_by_typing(world, provider, good=good, values=values, app=app)


async def connect_freely(world: Simulation, provider: Provider, *, good: bool = True) -> tuple[Any, Integration]:
    return await connect_by_typing(world, provider, good=good, values={})


async def integration_of(world: Simulation, provider: Provider, app: dict[str, str] | None) -> Integration:
    found = await world.integrations.get(world.environment.id, provider.name)
    return found or await world.integration(provider, app)


Story = Callable[..., Awaitable[tuple[Any, Integration]]]
STORIES: dict[AuthMode, Story] = {
    AuthMode.OAUTH2: connect_by_consent,
    AuthMode.OAUTH2_CC: connect_as_client,
    AuthMode.API_KEY: connect_by_key,
    AuthMode.BASIC: connect_by_password,
    AuthMode.NONE: connect_freely,
    AuthMode.TWO_STEP: connect_by_login,
    AuthMode.BILL: connect_by_login,
    AuthMode.SIGNATURE: connect_by_login,
    AuthMode.MCP_OAUTH2: connect_by_consent,
    AuthMode.TBA: connect_by_token,
    AuthMode.JWT: connect_by_login,
    AuthMode.OAUTH1: connect_by_consent,
    AuthMode.MCP_OAUTH2_GENERIC: connect_by_consent,
    AuthMode.APP: connect_by_installing,
    AuthMode.CUSTOM: connect_by_installing,
    AuthMode.INSTALL_PLUGIN: connect_by_installing,
    AuthMode.AWS_SIGV4: connect_by_role,
}
RENEWED = {
    AuthMode.OAUTH2,
    AuthMode.OAUTH2_CC,
    AuthMode.TWO_STEP,
    AuthMode.BILL,
    AuthMode.SIGNATURE,
    AuthMode.MCP_OAUTH2,
    AuthMode.MCP_OAUTH2_GENERIC,
    AuthMode.APP,
    AuthMode.CUSTOM,
    AuthMode.AWS_SIGV4,
}
PLAYED = [provider.name for provider in CATALOGUE.all() if provider.auth_mode in STORIES]


# -- the life of an entry --------------------------------------------------------------------------------------------


async def connected(world: Simulation, provider: Provider) -> tuple[Integration, Connection]:
    connection_id, integration = await STORIES[provider.auth_mode](world, provider)
    connection = await world.connections.get(world.environment.id, provider.name, connection_id)
    assert connection is not None
    return integration, connection


async def credential_of(world: Simulation, integration: Integration, connection: Connection, **how: Any) -> Credential:
    return await world.parts.credentials.fresh(world.environment.id, connection, integration, **how)


async def check_verification(world: Simulation, provider: Provider, connection: Connection) -> None:
    """Connecting made the entry's call and it was accepted; a wrong credential is refused and nothing is stored."""
    calls = [answer.status for request, answer in world.world.asked if _is_verification(provider, request.url)]
    assert calls[-1:] == [200]
    if provider.auth_mode in RENEWED:
        mode = provider.auth_mode
        forged = {"access_token": "forged-token-123", "token": "forged-token-123"}
        with pytest.raises(ConnectionTestFailedError):
            await Verifier(egress=world.egress).verify(
                provider, connection.connection_config, Credential(mode, forged), {}
            )


def _is_verification(provider: Provider, url: str) -> bool:
    verification = provider.proxy.verification
    assert verification is not None
    return any(e.partition("?")[0].partition("$")[0] in url for e in verification.endpoints)


async def check_bad_credential(world: Simulation, provider: Provider) -> None:
    before, told = len(await world.connections.list(world.environment.id)), dict(world.world.told)
    with pytest.raises((ConnectionTestFailedError, TokenRequestError)):
        await STORIES[provider.auth_mode](world, provider, good=False)
    world.world.wrong_secrets.clear()
    world.world.told = told
    assert len(await world.connections.list(world.environment.id)) == before


async def check_pages(world: Simulation, provider: Provider, integration: Integration, connection: Connection) -> None:
    entry = dict(provider.proxy.paginate)
    if "response_path" not in entry and set(entry) & {"cursor_path_in_response", "link_path_in_response_body"}:
        entry["response_path"] = "items"  # here the list's name differs from endpoint to endpoint
    settings = pagination.settings_from(entry, None)
    parameters, url, ids, pages = pagination.first_parameters(settings), "/things", list[int](), 0
    page = pagination.NextPage(offset=settings.offset_start_value)
    while True:
        if settings.in_body:
            answer = await world.call(integration, connection, url, method="POST", body=parameters)
        else:
            query = [(k, str(v)) for k, v in parameters.items()]
            answer = await world.call(integration, connection, url, query=query)
        assert answer.status == 200, answer.body
        items = pagination.items_of(settings, answer.body)
        ids += [item["id"] for item in items]
        pages += bool(items)
        found = pagination.next_page(
            settings, items=len(items), body=answer.body, link_header=answer.headers.get("link"),
            offset=page.offset, cursor=page.token or page.url,
        )  # fmt: skip
        if found is None:
            break
        page = found
        url, parameters = (page.url, {}) if page.url else (url, {**parameters, **(page.parameters or {})})
    assert pages == 2
    assert ids == list(range(1, len(ids) + 1))


async def check_renewal(world: Simulation, integration: Integration, connection: Connection) -> None:
    before = await credential_of(world, integration, connection)
    after = await credential_of(world, integration, connection, force=True)
    tokens = [c.token() or c.values["session_token"] for c in (before, after)]
    assert tokens[0] != tokens[1]
    assert after.expires_at is not None
    if "refresh_token" in before.values:
        assert after.values["refresh_token"] != before.values["refresh_token"]
    assert (await world.call(integration, connection, "/things")).status == 200


async def check_revocation(
    world: Simulation, provider: Provider, integration: Integration, connection: Connection
) -> None:
    """Deleting the connection ends its token at the vendor."""
    credential = await credential_of(world, integration, connection)
    scope = RequestScope(connection.connection_config, credential, dict(APP))
    request = build_request(provider, scope, method="GET", endpoint="/things")

    await world.parts.connect.delete(world.environment.id, provider.name, connection.connection_id)
    await world.relay.once()

    async with world.egress.request("GET", request.url, headers=request.headers) as answer:
        assert answer.status == 401, world.world.asked[-2]


@pytest.mark.parametrize("name", PLAYED)
async def test_an_entry_connects_calls_pages_renews_and_ends(simulated: Simulation, name: str) -> None:
    provider = simulated.play(name)

    integration, connection = await connected(simulated, provider)

    if provider.proxy.base_urls:
        assert (await simulated.call(integration, connection, "/things")).status == 200
        limited = await simulated.call(
            integration, connection, "/limited", query=[("simulate", "rate-limit")], retries=1
        )
        assert (limited.status, limited.attempts) == (200, 2)
    if provider.proxy.verification:
        await check_verification(simulated, provider, connection)
    if provider.proxy.paginate:
        await check_pages(simulated, provider, integration, connection)
    if provider.proxy.verification or provider.auth_mode in RENEWED - {AuthMode.SIGNATURE}:
        await check_bad_credential(simulated, provider)
    if provider.auth_mode in RENEWED:
        await check_renewal(simulated, integration, connection)
    if provider.get("revocation"):
        await check_revocation(simulated, provider, integration, connection)


async def test_every_mode_is_played() -> None:
    assert set(STORIES) == set(AuthMode)
