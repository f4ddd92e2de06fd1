"""/providers and /integrations on the running platform: shapes, refusals, credentials."""

import pytest

from tests.api.calls import Api, Home, fresh, places, refusal

OAUTH = {"type": "OAUTH2", "client_id": "id", "client_secret": "hidden-secret", "scopes": "a,b"}


def test_the_catalogue_is_listed_searched_and_shown(api: Api, home: Home) -> None:
    every = api.get("/providers").json()["data"]
    found = api.get("/providers", params={"search": "tp-key"}).json()["data"]
    one = api.get("/providers/github").json()["data"]

    assert {"github", "tp-none"} <= {p["name"] for p in every}
    assert [p["name"] for p in found] == ["tp-key"]
    assert {"name", "display_name", "auth_mode", "logo_url", "docs"} <= set(one)
    assert refusal(api.get("/providers/nobody")) == (404, "not_found")
    assert "github" in home.anonymous().get("/providers.json").json()
    assert {p["name"] for p in home.session().get("/providers").json()["data"]} == {p["name"] for p in every}


def test_an_integration_lives_from_creation_to_deletion(api: Api, home: Home) -> None:
    key = fresh("life")
    made = api.post(
        "/integrations", {"unique_key": key, "provider": "tp-oauth", "display_name": "Mine", "credentials": OAUTH}
    )
    shape = made.json()["data"]
    connection = home.connection(home.integration())

    assert made.status_code == 200
    assert {k: shape[k] for k in ("unique_key", "display_name", "provider", "forward_webhooks")} == {
        "unique_key": key, "display_name": "Mine", "provider": "tp-oauth", "forward_webhooks": True,
    }  # fmt: skip
    assert shape["created_at"].endswith("Z")
    assert "credentials" not in shape
    assert api.get(f"/integrations/{key}/").json()["data"] == shape, "a trailing slash changes nothing"
    assert shape in api.get("/integrations").json()["data"]
    changed = api.patch(f"/integrations/{key}", {"unique_key": f"{key}-2", "forward_webhooks": False}).json()["data"]
    assert (changed["unique_key"], changed["forward_webhooks"], changed["display_name"]) == (f"{key}-2", False, "Mine")
    assert api.delete(f"/integrations/{key}-2").json() == {"success": True}
    assert refusal(api.get(f"/integrations/{key}-2")) == (404, "not_found")
    assert connection in {c["connection_id"] for c in api.get("/connections").json()["connections"]}


def test_an_application_is_shown_only_with_the_scope_for_it(api: Api, home: Home) -> None:
    key = home.integration("tp-oauth", credentials=OAUTH)
    path = f"/integrations/{key}?include=credentials&include=webhook"

    assert api.get(path).json()["data"]["credentials"] == OAUTH
    assert "webhook_url" in api.get(path).json()["data"]
    reader = home.with_scopes(["environment:integrations:read"])
    assert refusal(reader.get(path)) == (403, "invalid_permissions")
    assert "hidden-secret" not in reader.get(f"/integrations/{key}").text + reader.get("/integrations").text
    full = home.with_scopes(["environment:integrations:read_credentials"])
    assert full.get(path).json()["data"]["credentials"] == OAUTH


def test_deleting_an_integration_deletes_its_connections(api: Api, home: Home) -> None:
    key = home.integration()
    connection = home.connection(key)

    assert api.delete(f"/integrations/{key}").json() == {"success": True}
    again = api.post("/integrations", {"unique_key": key, "provider": "tp-none"})
    assert again.status_code == 200
    assert refusal(api.get(f"/connections/{connection}", params={"provider_config_key": key})) == (404, "not_found")
    assert api.get("/connections", params={"integrationId": key}).json() == {"connections": []}


def test_an_integration_with_connections_is_not_renamed(api: Api, home: Home) -> None:
    key = home.integration()
    home.connection(key)
    answer = api.patch(f"/integrations/{key}", {"unique_key": fresh("other"), "display_name": "half"})

    assert refusal(answer) == (400, "invalid_body")
    assert places(answer) == [["unique_key"]]
    assert api.get(f"/integrations/{key}").json()["data"]["display_name"] != "half", "nothing half applied"


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"unique_key": "a/b"}, ["unique_key"]),
        ({"unique_key": ""}, ["unique_key"]),
        ({"unique_key": "x" * 256}, ["unique_key"]),
        ({"provider": "nobody"}, ["provider"]),
        ({"display_name": "\0"}, ["display_name"]),
        ({"forward_webhooks": "perhaps"}, ["forward_webhooks"]),
        ({"integration_config": {"k": 1}}, ["integration_config", "k"]),
        ({"custom": {"k": "x" * 8193}}, ["custom", "k"]),
        ({"allowed_origins": ["https://a.example/path"]}, ["allowed_origins", 0]),
        ({"credentials": {"type": "API_KEY"}}, ["credentials", "type"]),
        ({"credentials": {"type": "OAUTH2", "client_secret": "x"}}, ["credentials", "client_id"]),
        ({"credentials": {**OAUTH, "scopes": "a b"}}, ["credentials", "scopes"]),
        ({"credentials": {**OAUTH, "colour": "red"}}, ["credentials"]),
        ({"colour": "red"}, []),
    ],
)
def test_a_bad_integration_is_refused_by_the_place_and_not_made(
    api: Api, change: dict[str, object], place: list[str | int]
) -> None:
    key = fresh("bad")
    answer = api.post("/integrations", {"unique_key": key, "provider": "tp-oauth", **change})

    assert refusal(answer) == (400, "invalid_body")
    assert place in places(answer)
    assert refusal(api.get(f"/integrations/{key}")) == (404, "not_found")


def test_a_key_is_taken_once(api: Api, home: Home) -> None:
    key = home.integration()
    answer = api.post("/integrations", {"unique_key": key, "provider": "tp-key"})

    assert refusal(answer) == (400, "invalid_body")
    assert places(answer) == [["unique_key"]]


@pytest.mark.parametrize(("method", "body"), [("GET", None), ("PATCH", {}), ("DELETE", None)])
def test_an_unknown_integration_is_a_404(api: Api, method: str, body: object) -> None:
    assert refusal(api(method, "/integrations/nobody", body)) == (404, "not_found")


def test_functions_of_an_integration_without_any(api: Api, home: Home) -> None:
    key = home.integration()

    assert api.get(f"/integrations/{key}/functions").json() == {
        "data": [],
        "pagination": {"total": 0, "page": 0, "limit": 20},
    }
    assert refusal(api.get(f"/integrations/{key}/functions/none")) == (404, "not_found")
    assert refusal(api.get("/integrations/nobody/functions")) == (404, "not_found")
    for query in ("limit=0", "limit=101", "page=-1", "type=cron", "search=", "colour=red"):
        assert refusal(api.get(f"/integrations/{key}/functions?{query}")) == (400, "invalid_query_params"), query
    assert api.get("/scripts/config").json() == []
    assert api.get("/scripts/config?format=openai").json() == {"data": []}
    assert refusal(api.get("/scripts/config?format=yaml")) == (400, "invalid_query_params")
