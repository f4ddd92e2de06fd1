"""What older clients still call: `/connection…`, `/config`, and the routes that exist only for them."""

from datetime import UTC, datetime, timedelta

import pytest

from dragoman_server.api.older_shapes import FlatImport, credentials_of
from dragoman_server.providers.model import AuthMode
from tests.api.calls import Api, Home, fresh, places, refusal

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_flat_body_imports_what_the_provider_takes(home: Home, api: Api) -> None:
    integration = home.integration("tp-oauth", credentials={"type": "OAUTH2", "client_id": "i", "client_secret": "s"})
    body = {
        "provider_config_key": integration,
        "connection_id": fresh("old"),
        "access_token": "a-1",
        "refresh_token": "r-1",
        "expires_in": 3600,
        "metadata": {"k": 1},
        "connection_config": {"url": home.third_party.url},
    }

    made = api.post("/connection", body)

    assert made.status_code == 201, made.text
    read = api.get(f"/connection/{body['connection_id']}", params={"provider_config_key": integration}).json()
    assert read["credentials"]["access_token"] == "a-1"
    assert read["metadata"] == {"k": 1}
    expires = datetime.fromisoformat(read["credentials"]["expires_at"])
    assert timedelta(minutes=50) < expires - datetime.now(UTC) < timedelta(minutes=70)


@pytest.mark.parametrize(
    ("mode", "body", "credentials"),
    [
        (AuthMode.API_KEY, {"api_key": "k"}, {"type": "API_KEY", "apiKey": "k"}),
        (AuthMode.BASIC, {"username": "u"}, {"type": "BASIC", "username": "u", "password": ""}),
        (AuthMode.NONE, {}, {"type": "NONE"}),
        (AuthMode.OAUTH2, {"access_token": "a"}, {"type": "OAUTH2", "access_token": "a"}),
        (
            AuthMode.OAUTH2,
            {"access_token": "a", "expires_in": 60},
            {"type": "OAUTH2", "access_token": "a", "expires_at": "2030-01-01T00:01:00+00:00"},
        ),
        (
            AuthMode.OAUTH2,
            {"access_token": "a", "expires_in": 60, "no_expiration": True},
            {"type": "OAUTH2", "access_token": "a"},
        ),
        (
            AuthMode.OAUTH1,
            {"oauth_token": "t", "oauth_token_secret": "s"},
            {"type": "OAUTH1", "oauth_token": "t", "oauth_token_secret": "s"},
        ),
    ],
)
def test_flat_fields_become_credentials(mode: AuthMode, body: dict[str, object], credentials: dict[str, str]) -> None:
    flat = FlatImport.model_validate({"provider_config_key": "k", **body})

    assert credentials_of(flat, mode, NOW) == credentials


def test_a_missing_flat_field_is_named(home: Home, api: Api) -> None:
    answer = api.post("/connection", {"provider_config_key": home.integration("tp-key")})

    assert refusal(answer) == (400, "invalid_body")
    assert places(answer) == [["api_key"]]


def test_a_flat_body_is_as_strict_as_the_new_one(home: Home, api: Api) -> None:
    integration = home.integration()

    assert refusal(api.post("/connection", {"provider_config_key": integration, "colour": 1})) == (400, "invalid_body")
    assert refusal(api.post("/connection", {"provider_config_key": integration, "connection_id": "\n"})) == (
        400,
        "invalid_body",
    )
    assert refusal(api.post("/connection", {"provider_config_key": "nobodys"})) == (404, "not_found")


def test_the_older_paths_do_what_the_newer_ones_do(home: Home, api: Api) -> None:
    integration = home.integration()
    connection = home.connection(integration)
    which = {"provider_config_key": integration}
    header = {"Provider-Config-Key": integration}

    listed = api.get("/connection", params={"connectionId": connection}).json()
    assert listed == api.get("/connections", params={"connectionId": connection}).json()
    written = api.post(f"/connection/{connection}/metadata", {"a": 1, "b": 1}, headers=header)
    assert (written.status_code, written.json()) == (201, {"a": 1, "b": 1})
    assert api.patch(f"/connection/{connection}/metadata", {"b": 2}, headers=header).status_code == 200
    both = {"connection_id": connection, "metadata": {"c": 3}, **which}
    assert api.patch("/connection/metadata", both).json() == both
    assert api.get(f"/connection/{connection}", params=which).json()["metadata"] == {"a": 1, "b": 2, "c": 3}
    assert api.post("/connection/metadata", both).status_code == 201
    assert api.get(f"/connection/{connection}", params=which).json()["metadata"] == {"c": 3}
    assert api.delete(f"/connection/{connection}", params=which).json() == {"success": True}
    assert refusal(api.patch(f"/connection/{connection}/metadata", {}, headers=header)) == (404, "unknown_connection")


def test_configs_are_integrations(home: Home, api: Api) -> None:
    integration = home.integration()

    assert integration in [c["unique_key"] for c in api.get("/config").json()["configs"]]
    assert api.get(f"/config/{integration}").json()["config"]["provider"] == "tp-none"
    assert refusal(api.get("/config/nobodys")) == (404, "not_found")


def test_a_quickstart_makes_an_integration_that_needs_no_application(home: Home, api: Api) -> None:
    key = fresh("quick")

    made = api.post("/integrations/quickstart", {"unique_key": key, "provider": "tp-key", "forward_webhooks": False})
    refused = api.post("/integrations/quickstart", {"unique_key": fresh("quick"), "provider": "tp-oauth"})

    assert made.json()["data"]["forward_webhooks"] is False
    assert refusal(refused) == (400, "invalid_body")
    assert places(refused) == [["provider"]]
    assert refusal(api.post("/integrations/quickstart", {"unique_key": "x", "provider": "nobodys"}))[0] == 400


def test_a_provider_has_no_templates_yet(api: Api) -> None:
    assert api.get("/providers/tp-key/templates").json() == {"data": []}
    assert refusal(api.get("/providers/nobodys/templates")) == (404, "not_found")
