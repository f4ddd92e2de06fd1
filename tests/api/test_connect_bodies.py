"""What a browser types in may stand in the body, so that no address holds a secret."""

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.api.calls import Api, Home, places, refusal

OAUTH = {"type": "OAUTH2", "client_id": "i", "client_secret": "s"}


@pytest.fixture(scope="module")
def safe(home: Home) -> str:
    return home.integration("tp-safe")


@pytest.fixture(scope="module")
def consent(home: Home) -> str:
    return home.integration("tp-oauth", credentials=OAUTH)


def config_of(api: Api, integration: str, connection: str) -> dict[str, str]:
    shape = api.get(f"/connections/{connection}?provider_config_key={integration}").json()
    return {name: shape["connection_config"].get(name) for name in ("team", "pin")}


def test_the_configuration_may_stand_in_the_body_of_a_form(api: Api, home: Home, safe: str) -> None:
    config = {"url": home.third_party.url, "pin": "4711", "team": "sales"}

    made = home.session(safe).post(f"/api-auth/api-key/{safe}", {"apiKey": "good", "connection_config": config})

    assert made.status_code == 200, made.text
    assert config_of(api, safe, made.json()["connectionId"]) == {"team": "sales", "pin": "4711"}


def test_the_configuration_of_an_entrys_own_form_is_no_credential(api: Api, home: Home) -> None:
    two_step = home.integration("tp-two-step")
    preset = {two_step: {"connection_config": {"url": home.third_party.url}}}
    session = home.session(two_step, integrations_config_defaults=preset)
    body = {"type": "TWO_STEP", "user": "ann", "pin": "1", "connection_config": {"oauth_scopes": "a"}}

    made = session.post(f"/auth/two-step/{two_step}", body)
    assert made.status_code == 200, made.text
    shape = api.get(f"/connections/{made.json()['connectionId']}?provider_config_key={two_step}").json()
    assert "connection_config" not in shape["credentials"]
    assert shape["connection_config"]["oauth_scopes"] == "a"
    wrong = session.post(f"/auth/two-step/{two_step}", body | {"connection_config": "x"})
    assert (refusal(wrong), places(wrong)) == ((400, "invalid_body"), [["connection_config"]])


@pytest.mark.parametrize(
    ("config", "code"),
    [
        ({"pin": 4711}, "invalid_body"),
        ({"colour": "red"}, "invalid_query_params"),
        ({"team": "x" * 9000}, "invalid_body"),
        ({"url": "http://elsewhere.example"}, "invalid_body"),  # the query says it, too
    ],
)
def test_a_configuration_that_is_wrong_is_refused(home: Home, safe: str, config: dict[str, object], code: str) -> None:
    answer = home.session(safe).post(
        f"/api-auth/api-key/{safe}",
        {"apiKey": "good", "connection_config": config},
        params={"params[url]": home.third_party.url, "params[pin]": "1"} if "pin" not in config else {},
    )

    assert refusal(answer) == (400, code)


def test_a_script_gets_the_providers_address_with_nothing_in_its_own(api: Api, home: Home, consent: str) -> None:
    session = home.session(consent)
    body = {
        "connection_config": {"url": home.third_party.url},
        "authorization_params": {"prompt": "login"},
        "credentials": {"oauth_client_id_override": "mine", "oauth_client_secret_override": "my-secret"},
        "user_scope": "a,b",
    }
    with httpx.Client(base_url=home.platform.url) as browser:
        begun = browser.post(f"/oauth/connect/{consent}", json=body, headers={"authorization": f"Bearer {session.key}"})
        url = str(begun.json()["data"]["url"])
        asked = parse_qs(urlsplit(url).query)
        done = browser.get(browser.get(url).headers["location"])

    assert (asked["prompt"], asked["client_id"]) == (["login"], ["mine"])
    assert begun.headers["cache-control"] == "no-store"
    assert "my-secret" not in url
    assert done.status_code == 200
    assert len(api.get(f"/connections?integrationId={consent}").json()["connections"]) == 1


def test_a_script_that_brings_a_refresh_token_is_told_of_the_connection(home: Home, consent: str) -> None:
    body = {
        "connection_config": {"url": home.third_party.url},
        "credentials": {"oauth_refresh_token_override": "a-refresh-token"},
    }

    made = home.session(consent).post(f"/oauth/connect/{consent}", body)

    assert made.status_code == 200, made.text
    assert set(made.json()["data"]) == {"connectionId", "providerConfigKey"}
    unknown = home.session(consent).post(f"/oauth/connect/{consent}", body | {"connection_id": "mine"})
    assert refusal(unknown) == (400, "invalid_body")
    assert refusal(home.session(consent).post("/oauth/connect/nobody", body)) == (400, "integration_not_allowed")


def test_a_reconnect_shows_what_is_stored_but_for_secrets(api: Api, home: Home, safe: str) -> None:
    config = {"url": home.third_party.url, "pin": "4711", "team": "sales"}
    made = home.session(safe).post(f"/api-auth/api-key/{safe}", {"apiKey": "good", "connection_config": config})
    connection = made.json()["connectionId"]
    again = api.post("/connect/sessions/reconnect", {"connection_id": connection, "integration_id": safe})
    session = Api(home.http, again.json()["data"]["token"])

    shown = session.get("/connect/session").json()["data"]["stored_connection_config"]
    changed = {"apiKey": "good", "connection_config": {"team": "support"}}
    done = session.post(f"/api-auth/api-key/{safe}", changed)

    assert shown == {"url": home.third_party.url, "team": "sales"}
    assert done.json()["connectionId"] == connection
    assert config_of(api, safe, connection) == {"team": "support", "pin": "4711"}
    assert "stored_connection_config" not in home.session(safe).get("/connect/session").json()["data"]
