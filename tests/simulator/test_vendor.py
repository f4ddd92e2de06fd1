"""What a simulated vendor refuses: were it lenient, the catalogue's tests would prove nothing."""

import base64
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from dragoman_server.connect.grants.pkce import challenge
from dragoman_server.providers.model import AuthMode, Provider
from dragoman_server.simulator import World
from dragoman_server.simulator.exchange import Answer, Received
from dragoman_server.simulator.reading import put, values_in

REDIRECT = "http://127.0.0.1/oauth/callback"
VERIFIER = "v" * 43
ENTRY = {
    "display_name": "Acme", "docs": "https://acme.example/docs", "auth_mode": "OAUTH2",
    "authorization_url": "https://acme.example/authorize", "token_url": "https://acme.example/token",
    "revocation": {"url": "https://acme.example/revoke", "auth": "body"},
    "proxy": {"base_url": "https://api.acme.example/v1", "headers": {"acme-version": "3"}},
}  # fmt: skip


KEYED = {
    AuthMode.API_KEY: {"x-key": "${apiKey}"}, AuthMode.SIGNATURE: {"x-wsse": "${accessToken}"},
    AuthMode.BILL: {"sessionid": "${credentials.session_id}"},
}  # fmt: skip
"""Modes whose entries must say where the credential goes."""


class Clock:
    def __init__(self) -> None:
        self.at = datetime(2030, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return 0.0


def acme(**changes: object) -> World:
    raw = {k: v for k, v in {**ENTRY, **changes}.items() if v is not None}
    return World([Provider.read("acme", raw)], clock=Clock())


def consent(world: World, **changes: str | None) -> Answer:
    asked = {
        "response_type": "code", "client_id": "app", "redirect_uri": REDIRECT, "state": "s",
        "code_challenge": challenge(VERIFIER), "code_challenge_method": "S256", **changes,
    }  # fmt: skip
    query = urlencode({k: v for k, v in asked.items() if v is not None})
    return world.answer(Received("GET", f"https://acme.example/authorize?{query}"))


def code_of(answer: Answer) -> str:
    return dict(parse_qsl(urlsplit(answer.headers["location"]).query))["code"]


def token(world: World, headers: dict[str, str] | None = None, **fields: str | None) -> Answer:
    given = {"client_id": "app", "client_secret": "shh", **fields}
    body = urlencode({k: v for k, v in given.items() if v is not None}).encode()
    sent = {"content-type": "application/x-www-form-urlencoded", **(headers or {})}
    return world.answer(Received("POST", "https://acme.example/token", sent, body))


def redeem(world: World, code: str | None, **changes: str | None) -> Answer:
    fields: dict[str, str | None] = {"grant_type": "authorization_code", "code": code}
    fields |= {"redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    return token(world, None, **{**fields, **changes})


def refresh(world: World, text: str, **changes: str | None) -> Answer:
    return token(world, None, grant_type="refresh_token", refresh_token=text, **changes)


def call(world: World, token: str, **headers: str) -> int:
    sent = {"authorization": f"Bearer {token}", "acme-version": "3", **headers}
    return world.answer(Received("GET", "https://api.acme.example/v1/things", sent)).status


def granted(world: World) -> dict[str, str]:
    return redeem(world, code_of(consent(world))).body


def test_a_whole_consent_gives_a_token_that_works_until_it_expires() -> None:
    world = acme()
    given = granted(world)

    assert call(world, given["access_token"]) == 200
    world.clock.at = datetime(2030, 1, 1, 1, tzinfo=UTC)  # type: ignore[attr-defined]
    assert call(world, given["access_token"]) == 401


@pytest.mark.parametrize(
    "changes",
    [
        {"state": None}, {"client_id": None}, {"redirect_uri": "/relative"}, {"response_type": "token"},
        {"code_challenge": None}, {"code_challenge_method": "plain"},
    ],
)  # fmt: skip
def test_a_consent_page_refuses_a_request_that_lacks_something(changes: dict[str, str | None]) -> None:
    assert consent(acme(), **changes).status == 400


def test_a_vendor_that_chokes_on_pkce_chokes() -> None:
    world = acme(disable_pkce=True)

    assert consent(world).status == 400
    assert consent(world, code_challenge=None, code_challenge_method=None).status == 302


@pytest.mark.parametrize(
    "changes",
    [
        {"code_verifier": "w" * 43}, {"code_verifier": None}, {"redirect_uri": "http://127.0.0.1/other"},
        {"client_id": "another"}, {"code": "sim_forged"}, {"grant_type": "implicit"},
    ],
)  # fmt: skip
def test_a_code_is_worth_nothing_with_anything_else_than_it_was_given_for(changes: dict[str, str | None]) -> None:
    world = acme()

    assert redeem(world, **{"code": code_of(consent(world)), **changes}).status == 400


def test_a_code_used_twice_ends_what_it_gave() -> None:
    world = acme()
    code = code_of(consent(world))
    given = redeem(world, code).body

    assert redeem(world, code).body["error"] == "invalid_grant"
    assert call(world, given["access_token"]) == 401


def test_a_refresh_token_used_twice_ends_its_family() -> None:
    world = acme()
    first = granted(world)
    second = refresh(world, first["refresh_token"]).body
    assert call(world, second["access_token"]) == 200

    assert refresh(world, first["refresh_token"]).body["error"] == "invalid_grant"
    assert call(world, second["access_token"]) == 401
    assert refresh(world, second["refresh_token"]).status == 400


def test_tokens_outlive_the_simulator_that_gave_them() -> None:
    given = granted(acme())
    restarted = acme()

    assert call(restarted, given["access_token"]) == 200
    assert refresh(restarted, given["refresh_token"]).status == 200


def test_the_client_is_read_from_the_one_place_the_entry_names() -> None:
    in_header = {"authorization": "Basic " + base64.b64encode(b"app:shh").decode()}
    nothing = {"client_id": None, "client_secret": None}
    body, header = acme(), acme(token_request_auth_method="basic")

    assert redeem(body, code_of(consent(body))).status == 200
    assert redeem(header, code_of(consent(header))).status == 400
    assert redeem(body, code_of(consent(body)), **nothing).status == 401
    fields = {"grant_type": "authorization_code", "redirect_uri": REDIRECT, "code_verifier": VERIFIER}
    assert token(header, in_header, **fields, **nothing, code=code_of(consent(header))).status == 200
    assert token(body, in_header, **fields, **nothing, code=code_of(consent(body))).status == 401


def test_the_body_has_the_form_the_entry_names() -> None:
    world = acme(body_format="json")

    assert redeem(world, code_of(consent(world))).body["error_description"] == "The token endpoint wants JSON."


def test_parameters_the_entry_adds_are_asked_for() -> None:
    world = acme(token_params={"audience": "https://api.acme.example"})
    code = code_of(consent(world))

    assert redeem(world, code).status == 400
    assert redeem(world, code, audience="https://api.acme.example").status == 200


def test_a_wrong_secret_is_refused() -> None:
    world = acme()

    assert redeem(world, code_of(consent(world)), client_secret="an invalid one").body["error"] == "invalid_client"


def test_an_api_asks_for_the_credential_and_the_headers_of_the_entry() -> None:
    world = acme()
    given = granted(world)["access_token"]

    assert call(world, "anything else") == 401
    assert call(world, given, authorization=f"Token {given}") == 401
    sent = {"authorization": f"Bearer {given}"}
    assert world.answer(Received("GET", "https://api.acme.example/v1/things", sent)).status == 400
    sent["acme-version"] = "3"
    assert world.answer(Received("GET", "https://api.acme.example/v2/things", sent)).status == 404
    assert world.answer(Received("GET", "https://evil.example/v1/things", sent)).status == 404


def test_a_key_is_looked_for_where_the_entry_puts_it_and_a_token_is_no_key() -> None:
    proxy = {"base_url": "https://api.acme.example/v1", "headers": {"x-key": "Key ${apiKey}"}}
    world = acme(auth_mode="API_KEY", proxy=proxy)
    token_of_another = granted(acme())["access_token"]

    def status(**headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return world.answer(Received("GET", "https://api.acme.example/v1/things", named)).status

    assert status(x_key="Key good") == 200
    assert [status(x_key="good"), status(authorization="Key good"), status()] == [401, 401, 401]
    assert [status(x_key="Key invalid"), status(x_key=f"Key {token_of_another}")] == [401, 401]


def test_revoking_asks_for_the_client_and_ends_the_consent() -> None:
    world = acme()
    given = granted(world)

    def revoke(**fields: str) -> int:
        return world.answer(Received("POST", "https://acme.example/revoke", {}, urlencode(fields).encode())).status

    assert revoke(token=given["access_token"]) == 401
    assert call(world, given["access_token"]) == 200
    assert revoke(token=given["access_token"], client_id="app") == 200
    assert call(world, given["access_token"]) == 401
    assert refresh(world, given["refresh_token"]).status == 400


def test_a_person_may_say_no() -> None:
    world = acme()
    asked = {"response_type": "code", "client_id": "a", "redirect_uri": REDIRECT, "state": "s",
             "code_challenge": "c", "code_challenge_method": "S256"}  # fmt: skip
    answer = world.consent("acme", Received("GET", f"http://127.0.0.1/x?{urlencode(asked)}"), granted=False)

    assert "error=access_denied" in answer.headers["location"]


def test_templates_are_read_backwards() -> None:
    basic = base64.b64encode(b"jane:pa:ss").decode()

    assert values_in("Bearer ${accessToken}", "Bearer abc") == {"accessToken": "abc"}
    assert values_in("Bearer ${accessToken}", "bearer abc") is None
    assert values_in("Basic ${base64(${username}:X)}", f"Basic {basic}") is None
    assert values_in("Basic ${base64(username:password)}", "Basic " + base64.b64encode(b"a:b").decode()) == {
        "username": "a", "password": "b",
    }  # fmt: skip
    assert values_in("${connectionConfig.x || 'y'}", "z") == {"connectionConfig.x": "z"}


def test_values_are_put_where_a_path_says() -> None:
    body: dict[str, object] = {}
    put(body, "data.0.items", [1])
    put(body, "data.1.items", [2])
    put(body, "meta.next", "n")

    assert body == {"data": [{"items": [1]}, {"items": [2]}], "meta": {"next": "n"}}


@pytest.mark.parametrize("mode", [mode for mode in AuthMode if mode is not AuthMode.NONE])
def test_no_mode_is_answered_without_a_credential(mode: AuthMode) -> None:
    world = acme(
        auth_mode=mode.value, proxy={"base_url": "https://api.acme.example/v1", "headers": KEYED.get(mode, {})}
    )

    assert world.answer(Received("GET", "https://api.acme.example/v1/things")).status in {401, 501}
