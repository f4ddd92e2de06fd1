"""Who signs with another secret than the vendor knows is refused with 401; so are requests changed on their way."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dragoman_server.connect.grants.app_installation import app_jwt
from dragoman_server.connect.grants.model import Client, Need, TokenAnswer
from dragoman_server.connect.grants.registry import ISSUERS
from dragoman_server.providers.catalogue import load_catalogue
from dragoman_server.providers.model import AuthMode, Credential, Provider
from dragoman_server.providers.rendering import Moment, RequestScope, build_request
from dragoman_server.simulator import World
from dragoman_server.simulator.aws import keys_of
from dragoman_server.simulator.exchange import Received
from dragoman_server.simulator.filling import config_of
from dragoman_server.simulator.tokens import Minted
from tests.simulator.test_vendor import ENTRY, Clock

CATALOGUE = load_catalogue()


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


RSA, OTHER_RSA = (pem(rsa.generate_private_key(65537, 2048)) for _ in range(2))
EC, OTHER_EC = (pem(ec.generate_private_key(ec.SECP256R1())) for _ in range(2))
APP = {"client_id": "app", "client_secret": "our+app:secret/1"}
TOLD = {"app": APP["client_secret"]}


def oauth1(**changes: str) -> Provider:
    raw = {**ENTRY, "auth_mode": "OAUTH1", "proxy": {"base_url": "https://api.acme.example/v1"}, **changes}
    return Provider.read("acme", raw)


def token_of(provider: Provider, world: World) -> str:
    return Minted("access", provider.name, "app", world.new_family(), 0, world.now() + 60).text()


def signed_by_us(provider: Provider, values: Mapping[str, Any]) -> Credential:
    """A credential whose token we make ourselves."""
    flow = ISSUERS[provider.auth_mode].renew(
        Need(provider.raw, Client("", ""), values, config_of(provider), Clock().now())
    )
    try:
        next(flow)
    except StopIteration as done:
        answer: TokenAnswer = done.value
        return Credential(provider.auth_mode, ISSUERS[provider.auth_mode].kept(values, answer))
    raise AssertionError("nobody should be called")


def ask(world: World, provider: Provider, credential: Credential, app: Mapping[str, str], **change: Any) -> int:
    scope = RequestScope(config_of(provider), credential, dict(app))
    kind, body = [("content-type", "application/x-www-form-urlencoded")], b"b=2&a=%C3%A4"
    moment = Moment(Clock().now, lambda: "a-nonce-of-ours")
    request = build_request(
        provider,
        scope,
        method="POST",
        endpoint="/things?q=a+b",
        query=[("x", "~ é")],
        headers=kind,
        body=body,
        moment=moment,
    )
    received = Received(request.method, request.url, {k.lower(): v for k, v in request.headers}, body)
    return world.answer(replace(received, **change)).status


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256", "PLAINTEXT", "RSA-SHA1"])
def test_oauth_1_signatures_are_checked(method: str) -> None:
    provider = oauth1(signature_method=method)
    world = World([provider], clock=Clock())
    app = {**APP, "client_secret": RSA} if method == "RSA-SHA1" else APP
    wrong = {**app, "client_secret": OTHER_RSA if method == "RSA-SHA1" else "another"}
    world.tell("app", app["client_secret"])
    values = {"oauth_token": token_of(provider, world), "oauth_token_secret": "simulated-secret"}
    good, stolen = (
        Credential(AuthMode.OAUTH1, values),
        Credential(AuthMode.OAUTH1, {**values, "oauth_token_secret": "x"}),
    )

    assert ask(world, provider, good, app) == 200
    assert ask(world, provider, good, wrong) == 401
    if method != "PLAINTEXT":
        assert ask(world, provider, good, app, body=b"b=3&a=%C3%A4") == 401
    if method != "RSA-SHA1":
        assert ask(world, provider, stolen, app) == 401


def test_netsuite_tokens_sign() -> None:
    provider = CATALOGUE.require("netsuite-tba")
    world = World([provider], clock=Clock())
    world.tell("app", APP["client_secret"])
    world.tell("token-1", "token-secret")
    values = {"token_id": "token-1", "token_secret": "token-secret"}

    assert ask(world, provider, Credential(AuthMode.TBA, values), APP) == 200
    assert ask(world, provider, Credential(AuthMode.TBA, {**values, "token_secret": "other"}), APP) == 401
    assert ask(world, provider, Credential(AuthMode.TBA, values), {**APP, "client_secret": "other"}) == 401


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("emarsys", {"username": "u1", "password": "pass-1234"}, {"username": "u1", "password": "other-1234"}),
        ("ghost-admin", "0f" * 32, "0e" * 32),
        ("apple-app-store", EC, OTHER_EC),
        ("snowflake-jwt", RSA, OTHER_RSA),
    ],
    ids=["wsse", "hmac", "ec", "rsa"],
)
def test_tokens_signed_by_ourselves_are_checked(name: str, right: Any, wrong: Any) -> None:
    provider = CATALOGUE.require(name)
    world = World([provider], clock=Clock())
    keyed = isinstance(right, str)
    rest = {name: field.example or "0123456789abcdef01234567" for name, field in provider.credentials.items()}
    given = [{**rest, "privateKey": v} if keyed else v for v in (right, wrong)]
    if keyed:
        world.tell(provider.name, right)
    else:
        world.tell(right["username"], right["password"])

    assert [ask(world, provider, signed_by_us(provider, values), {}) for values in given] == [200, 401]


def test_aws_calls_are_signed_with_the_sessions_keys() -> None:
    provider = CATALOGUE.require("aws-sigv4")
    world = World([provider], clock=Clock())
    session = token_of(provider, world)
    key, secret = keys_of(session)
    values = {
        "access_key_id": key, "secret_access_key": secret, "session_token": session, "region": "eu-central-1",
        "service": "s3",
    }  # fmt: skip
    good = Credential(AuthMode.AWS_SIGV4, values)

    assert ask(world, provider, good, {}) == 200
    assert ask(world, provider, Credential(AuthMode.AWS_SIGV4, {**values, "secret_access_key": "other"}), {}) == 401
    assert ask(world, provider, good, {}, body=b"another body") == 401
    assert ask(world, provider, good, {}, method="DELETE") == 401


def test_an_app_is_known_by_its_key() -> None:
    provider = CATALOGUE.require("github-app")
    clock = Clock()
    clock.at = datetime(2030, 1, 1, tzinfo=UTC)
    world = World([provider], clock=clock)
    world.tell("4711", RSA)
    place = f"https://api.github.com/app/installations/{world.now() * 1_000_000}/access_tokens"

    def exchange(key: str, url: str = place) -> int:
        token = app_jwt(Client("", "", app_id="4711", private_key=key), clock.now())
        return world.answer(Received("POST", url, {"authorization": f"Bearer {token}"})).status

    assert exchange(RSA) == 201
    assert exchange(OTHER_RSA) == 401
    assert exchange(RSA, place.replace("installations/", "installations/x")) == 404


def test_a_plugin_is_installed_and_the_browser_returns_with_what_the_entry_names() -> None:
    raw = {
        **{k: v for k, v in ENTRY.items() if k not in {"authorization_url", "token_url", "revocation"}},
        "auth_mode": "INSTALL_PLUGIN", "state_param": "payload", "redirect_uri_metadata": ["site_id"],
    }  # fmt: skip
    world = World([Provider.read("acme", raw)], clock=Clock())
    link = "https://acme.example/install?back=http%3A%2F%2Fhere%2Foauth%2Fcallback&payload=s1"

    done = world.consent("acme", Received("GET", link), granted=True)
    denied = world.consent("acme", Received("GET", link), granted=False)
    lost = world.consent("acme", Received("GET", link.replace("payload", "state")), granted=True)

    assert done.headers["location"] == "http://here/oauth/callback?payload=s1&site_id=sim-site_id"
    assert denied.headers["location"] == "http://here/oauth/callback?payload=s1&error=access_denied"
    assert lost.status == 400
