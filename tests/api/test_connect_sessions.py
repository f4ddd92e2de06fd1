"""Connect sessions and the routes a browser calls with one, on the running platform."""

from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.api.calls import Api, Home, headers_of, places, refusal


@pytest.fixture(scope="module")
def open_integration(home: Home) -> str:
    return home.integration("tp-none")


@pytest.fixture(scope="module")
def key_integration(home: Home) -> str:
    return home.integration("tp-key")


def test_a_session_is_made_read_and_ended(api: Api, home: Home, open_integration: str) -> None:
    body = {
        "end_user": {"id": "u", "email": "u@example.com", "tags": {"a": "b"}},
        "organization": {"id": "o", "display_name": "O"},
        "allowed_integrations": [open_integration],
        "integrations_config_defaults": {
            open_integration: {"user_scopes": "a", "connection_config": {"url": "http://x"}}
        },
        "overrides": {open_integration: {"docs_connect": "https://docs.example"}},
    }
    made = api.post("/connect/sessions", body)
    data = made.json()["data"]
    session = Api(home.http, data["token"])
    shown = session.get("/connect/session").json()["data"]

    assert made.status_code == 201
    assert set(data) == {"token", "connect_link", "expires_at"}
    assert data["connect_link"].endswith(f"/?session_token={data['token']}")
    assert shown["endUser"] == {
        "id": "u", "email": "u@example.com", "display_name": None, "tags": {"a": "b"},
        "organization": {"id": "o", "display_name": "O"},
    }  # fmt: skip
    assert shown["allowed_integrations"] == [open_integration]
    assert shown["integrations_config_defaults"] == {open_integration: {"connection_config": {"url": "http://x"}}}
    assert "connectUISettings" in shown
    assert "isReconnecting" not in shown
    assert session.delete("/connect/session").status_code == 204
    assert refusal(session.get("/connect/session")) == (401, "unknown_connect_session_token")
    assert refusal(session.delete("/connect/session")) == (401, "unknown_connect_session_token")


def test_a_session_lives_half_an_hour(api: Api) -> None:
    made = api.post("/connect/sessions", {"tags": {"team": "x"}})
    life = datetime.fromisoformat(made.json()["data"]["expires_at"]) - parsedate_to_datetime(made.headers["date"])
    assert timedelta(minutes=29) < life < timedelta(minutes=31)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, []),
        ({"end_user": {"id": ""}}, ["end_user", "id"]),
        ({"end_user": {"id": "u", "email": "nonsense"}}, ["end_user", "email"]),
        ({"end_user": {"id": "u"}, "allowed_integrations": ["nobody"]}, ["allowed_integrations", 0]),
        (
            {"end_user": {"id": "u"}, "integrations_config_defaults": {"nobody": {}}},
            ["integrations_config_defaults", "nobody"],
        ),
        ({"end_user": {"id": "u"}, "webhook_url_override": "nonsense"}, ["webhook_url_override"]),
        ({"end_user": {"id": "u"}, "colour": "red"}, []),
    ],
)
def test_a_bad_session_is_refused_by_the_place(api: Api, body: dict[str, object], place: list[str | int]) -> None:
    answer = api.post("/connect/sessions", body)

    assert refusal(answer) == (400, "invalid_body")
    assert place in places(answer)
    assert refusal(api.post("/connect/sessions?x=1", {"end_user": {"id": "u"}})) == (400, "invalid_query_params")


@pytest.mark.parametrize(
    ("token", "code"),
    [
        ("nango_connect_session_short", "invalid_connect_session_token_format"),
        ("nonsense", "invalid_connect_session_token_format"),
        ("nango_connect_session_" + "0" * 64, "unknown_connect_session_token"),
    ],
)
def test_a_wrong_token_is_refused_by_name(home: Home, token: str, code: str) -> None:
    assert refusal(Api(home.http, token).get("/connect/session")) == (401, code)


def test_a_browser_without_a_token_is_refused(home: Home, open_integration: str) -> None:
    nobody = home.anonymous()

    assert refusal(nobody.get(f"/oauth/connect/{open_integration}")) == (401, "missing_public_key")
    old = nobody.get(f"/oauth/connect/{open_integration}?public_key=6185e58a-542c-4896-afd2-90b15e2322ab")
    assert refusal(old) == (401, "deprecated_authentication")


def test_a_session_sees_only_the_integrations_it_names(home: Home, open_integration: str, key_integration: str) -> None:
    session = home.session(open_integration)

    assert [i["unique_key"] for i in session.get("/integrations").json()["data"]] == [open_integration]
    answer = session.post(f"/api-auth/api-key/{key_integration}", {"apiKey": "x"})
    assert refusal(answer) == (400, "integration_not_allowed")


def test_credentials_make_a_connection_only_when_they_work(api: Api, home: Home, key_integration: str) -> None:
    session = home.session()
    url = {"params[url]": home.third_party.url}
    path = f"/api-auth/api-key/{key_integration}"

    made = session.post(path, {"apiKey": "good"}, params=url)
    assert made.status_code == 200
    assert made.json()["providerConfigKey"] == key_integration
    shape = api.get(f"/connections/{made.json()['connectionId']}?provider_config_key={key_integration}").json()
    assert (shape["credentials"]["apiKey"], shape["end_user"]["id"]) == ("good", "u")

    before = len(api.get(f"/connections?integrationId={key_integration}").json()["connections"])
    assert refusal(session.post(path, {"apiKey": "wrong"}, params=url)) == (400, "connection_test_failed")
    assert refusal(session.post(path, {"apiKey": ""}, params=url)) == (400, "invalid_body")
    assert refusal(session.post(path, {"apiKey": "x" * 1025}, params=url)) == (400, "invalid_body")
    assert refusal(session.post(path, {"apiKey": "x", "y": 1}, params=url)) == (400, "invalid_body")
    assert refusal(session.post(path, {"apiKey": "x"}, params=url | {"connection_id": "mine"})) == (
        400,
        "invalid_query_params",
    )
    assert refusal(session.post(path, {"apiKey": "x"}, params=url | {"colour": "red"})) == (400, "invalid_query_params")
    assert refusal(session.post(f"/api-auth/basic/{key_integration}", {"username": "a"}, params=url)) == (
        400,
        "invalid_auth_mode",
    )
    assert refusal(session.post("/api-auth/api-key/nobody", {"apiKey": "x"})) == (404, "unknown_provider_config")
    assert len(api.get(f"/connections?integrationId={key_integration}").json()["connections"]) == before


def test_the_other_forms_connect_too(home: Home, open_integration: str) -> None:
    session = home.session()
    url = {"params[url]": home.third_party.url}
    basic, cc = home.integration("tp-basic"), home.integration("tp-cc")

    assert session.post(f"/auth/unauthenticated/{open_integration}", params=url).status_code == 200
    assert session.post(f"/api-auth/basic/{basic}", {"username": "u", "password": "p"}, params=url).status_code == 200
    answer = session.post(f"/oauth2/auth/{cc}", {"client_id": "i", "client_secret": "s"}, params=url)
    assert answer.status_code == 200, answer.text
    in_query = home.anonymous().post(
        f"/auth/unauthenticated/{open_integration}", params=url | {"connect_session_token": session.key}
    )
    assert in_query.status_code == 200


def test_oauth_ends_with_a_connection_and_binds_the_browser(api: Api, home: Home) -> None:
    integration = home.integration("tp-oauth", credentials={"type": "OAUTH2", "client_id": "i", "client_secret": "s"})
    session = home.session(integration)
    with httpx.Client(base_url=home.platform.url) as browser:
        start = browser.get(
            f"/oauth/connect/{integration}",
            params={"connect_session_token": session.key or "", "params[url]": home.third_party.url},
        )
        assert start.status_code == 302
        asked = parse_qs(urlsplit(start.headers["location"]).query)
        assert {"state", "code_challenge", "redirect_uri", "client_id"} <= set(asked)
        back = browser.get(start.headers["location"]).headers["location"]
        stranger = httpx.get(back)
        done = browser.get(back)
    assert stranger.status_code == 400, "another browser cannot finish it"
    assert done.status_code == 200
    assert "text/html" in done.headers["content-type"]
    assert len(api.get(f"/connections?integrationId={integration}").json()["connections"]) == 1


def test_a_reconnect_keeps_the_connection(api: Api, home: Home, key_integration: str) -> None:
    connection = home.connection(key_integration, {"type": "API_KEY", "apiKey": "old"})
    answer = api.post("/connect/sessions/reconnect", {"connection_id": connection, "integration_id": key_integration})
    session = Api(home.http, answer.json()["data"]["token"])

    assert answer.status_code == 201
    assert session.get("/connect/session").json()["data"]["isReconnecting"] is True
    made = session.post(
        f"/api-auth/api-key/{key_integration}", {"apiKey": "new"}, params={"params[url]": home.third_party.url}
    )
    assert made.json()["connectionId"] == connection
    shape = api.get(f"/connections/{connection}?provider_config_key={key_integration}").json()
    assert shape["credentials"]["apiKey"] == "new"
    echoed = api.get("/proxy/hello", headers=headers_of(key_integration, connection)).json()
    assert echoed["headers"]["x-api-key"] == "new"
