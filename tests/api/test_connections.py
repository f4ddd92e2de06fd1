"""/connections on the running platform: shapes, refusals by route, metadata, credentials, isolation."""

from typing import Any

import pytest

from tests.api.calls import Api, Home, fresh, headers_of, places, refusal
from tests.support.platform import poll_until

NOBODY = "nobody"


@pytest.fixture(scope="module")
def integration(home: Home) -> str:
    return home.integration("tp-key")


@pytest.fixture
def connection(home: Home, integration: str) -> str:
    return home.connection(integration, {"type": "API_KEY", "apiKey": "hidden-key"})


def path_of(connection: str, integration: str) -> str:
    return f"/connections/{connection}?provider_config_key={integration}"


def test_an_import_answers_201_and_upserts(api: Api, home: Home, integration: str) -> None:
    body = {
        "provider_config_key": integration,
        "connection_id": fresh("import"),
        "credentials": {"type": "API_KEY", "apiKey": "k"},
        "connection_config": {"url": home.third_party.url},
        "metadata": {"a": 1},
        "tags": {"Team": "x"},
        "end_user": {"id": "u1", "email": "u@example.com", "display_name": "U", "organization": {"id": "o"}},
    }
    made = api.post("/connections", body)
    again = api.post("/connections", {**body, "metadata": {"b": 2}})
    shape = made.json()

    assert (made.status_code, again.status_code) == (201, 201)
    assert set(shape) == {
        "id", "connection_id", "provider_config_key", "provider", "errors", "end_user", "metadata", "connection_config",
        "webhook_url_override", "tags", "created_at", "updated_at", "last_fetched_at", "credentials",
    }  # fmt: skip
    assert shape["credentials"] == {"type": "API_KEY", "apiKey": "k"}
    assert shape["tags"]["team"] == "x"
    assert set(shape["end_user"]) == {"id", "email", "display_name", "tags", "organization"}
    assert shape["end_user"]["organization"] == {"id": "o", "display_name": None}
    assert again.json()["id"] == shape["id"]


def test_an_import_without_an_id_is_given_one(api: Api, home: Home, integration: str) -> None:
    body = {
        "provider_config_key": integration,
        "credentials": {"type": "API_KEY", "apiKey": "k"},
        "connection_config": {"url": home.third_party.url},
    }

    assert len({api.post("/connections", body).json()["connection_id"] for _ in range(2)}) == 2


def test_listing_shows_the_short_shape_and_filters(api: Api, home: Home) -> None:
    integration = home.integration()
    first = home.connection(
        integration, tags={"plan": "Pro", "region": "eu"}, end_user={"id": "anna", "organization": {"id": "acme"}}
    )
    second = home.connection(integration, tags={"plan": "Pro"})

    def ids(query: str) -> list[str]:
        return [c["connection_id"] for c in api.get(f"/connections?{query}").json()["connections"]]

    [short] = api.get(f"/connections/?connectionId={first}").json()["connections"]
    assert set(short) == {
        "id", "connection_id", "provider_config_key", "provider", "created", "metadata", "tags", "errors", "end_user",
    }  # fmt: skip
    assert set(ids(f"integrationId={integration}")) == {first, second}
    assert set(ids(f"integrationId={integration},{NOBODY}")) == {first, second}
    assert set(ids("tags[plan]=Pro")) == {first, second}
    assert ids("tags[PLAN]=Pro&tags[region]=eu") == [first]
    assert ids("endUserId=anna") == [first]
    assert ids("endUserOrganizationId=acme") == [first]
    assert set(
        ids(f"integrationId={integration}&limit=1&page=0") + ids(f"integrationId={integration}&limit=1&page=1")
    ) == {first, second}
    assert ids(f"integrationId={integration}&limit=1&page=9") == []


@pytest.mark.parametrize(
    ("query", "place"),
    [
        ("limit=0", ["limit"]), ("limit=2001", ["limit"]), ("limit=x", ["limit"]), ("limit=1&limit=2", ["limit"]),
        ("page=-1", ["page"]), ("colour=red", []), ("search=%00", ["search"]),
        ("tags[a]=1&tags[A]=2", ["tags[A]"]),
    ],
)  # fmt: skip
def test_a_bad_listing_is_refused_by_name(api: Api, query: str, place: list[str]) -> None:
    answer = api.get(f"/connections?{query}")

    assert refusal(answer) == (400, "invalid_query_params")
    assert places(answer) == [place]


@pytest.mark.parametrize(
    ("change", "expected", "place"),
    [
        ({"provider_config_key": NOBODY}, (404, "not_found"), None),
        ({"credentials": {"type": "NONE"}}, (400, "invalid_auth_mode"), None),
        ({"credentials": {}}, (400, "invalid_credentials"), None),
        ({"credentials": {"type": "API_KEY", "apiKey": "wrong"}}, (400, "connection_test_failed"), None),
        ({"connection_id": "a\tb"}, (400, "invalid_body"), ["connection_id"]),
        ({"connection_id": "x" * 256}, (400, "invalid_body"), ["connection_id"]),
        ({"tags": {"A": "1", "a": "2"}}, (400, "invalid_body"), ["tags", "a"]),
        ({"tags": {"1a": "1"}}, (400, "invalid_body"), ["tags", "1a"]),
        ({"tags": {f"k{n}": "v" for n in range(11)}}, (400, "invalid_body"), ["tags"]),
        ({"tags": {"end_user_email": "nonsense"}}, (400, "invalid_body"), ["tags", "end_user_email"]),
        ({"end_user": {"id": "u", "email": "nonsense"}}, (400, "invalid_body"), ["end_user", "email"]),
        ({"end_user": {"id": ""}}, (400, "invalid_body"), ["end_user", "id"]),
        ({"end_user": {"id": "u", "x": 1}}, (400, "invalid_body"), ["end_user"]),
        ({"webhook_url_override": "ftp://x"}, (400, "invalid_body"), ["webhook_url_override"]),
        ({"metadata": []}, (400, "invalid_body"), ["metadata"]),
        ({"metadata": {"a": "\0"}}, (400, "invalid_body"), ["metadata", "a"]),
        ({"colour": "red"}, (400, "invalid_body"), []),
    ],
)
def test_a_bad_import_is_refused_by_the_place_and_leaves_nothing(
    api: Api,
    home: Home,
    integration: str,
    change: dict[str, object],
    expected: tuple[int, str],
    place: list[str] | None,
) -> None:
    identity = fresh("bad")
    body = {
        "provider_config_key": integration,
        "connection_id": identity,
        "credentials": {"type": "API_KEY", "apiKey": "k"},
        "connection_config": {"url": home.third_party.url},
    }
    answer = api.post("/connections", body | change)

    assert refusal(answer) == expected
    assert place is None or place in places(answer)
    assert refusal(api.get(path_of(identity, integration))) == (404, "not_found")


def test_what_a_route_answers_for_an_unknown_connection_or_integration(
    api: Api, connection: str, integration: str
) -> None:
    def ask(method: str, path: str, where: tuple[str, str] | None = None, **body: object) -> tuple[int, str]:
        headers = headers_of(*where) if where else {}
        return refusal(api(method, path, body or None, headers=headers))

    gone: dict[str, Any] = {"provider_config_key": integration, "connection_id": NOBODY}
    lost: dict[str, Any] = {"provider_config_key": NOBODY, "connection_id": connection}
    no_connection, no_integration = (integration, NOBODY), (NOBODY, connection)

    assert ask("GET", path_of(NOBODY, integration)) == (404, "not_found")
    assert ask("GET", path_of(connection, NOBODY)) == (400, "unknown_provider_config")
    assert ask("PATCH", path_of(NOBODY, integration), tags={}) == (404, "not_found")
    assert ask("DELETE", path_of(NOBODY, integration)) == (400, "unknown_connection")
    assert ask("DELETE", path_of(connection, NOBODY)) == (400, "unknown_provider_config")
    for method in ("POST", "PATCH"):
        assert ask(method, "/connections/metadata", **gone, metadata={}) == (404, "unknown_connection")
        assert ask(method, "/connections/metadata", **lost, metadata={}) == (400, "unknown_provider_config")
    for verb in ("trigger", "start", "pause"):
        assert ask("POST", f"/sync/{verb}", **gone, syncs=["x"]) == (400, "unknown_connection")
        assert ask("POST", f"/sync/{verb}", **lost, syncs=["x"]) == (400, "unknown_provider_config")
    assert ask("GET", f"/sync/status?provider_config_key={integration}&connection_id={NOBODY}&syncs=*") == (
        400,
        "invalid_body",
    )
    assert ask("PUT", "/sync/update-connection-frequency", **gone, sync_name="x", frequency=None) == (
        400,
        "unknown_connection",
    )
    assert ask("GET", "/records?model=Contact", no_connection) == (400, "unknown_connection")
    assert ask("PATCH", "/records/prune", no_connection, model="Contact", until_cursor="x") == (
        400,
        "unknown_connection",
    )
    assert ask("POST", "/action/trigger", no_connection, action_name="x") == (400, "unknown_connection")
    assert ask("POST", "/action/trigger", (integration, connection), action_name="x") == (404, "not_found")
    assert ask("GET", "/proxy/x", no_connection) == (400, "server_error")
    assert ask("GET", "/proxy/x", no_integration) == (404, "unknown_provider_config")
    reconnect: dict[str, Any] = {"connection_id": NOBODY, "integration_id": integration}
    assert ask("POST", "/connect/sessions/reconnect", **reconnect) == (400, "invalid_body")


@pytest.mark.parametrize("flag", ["force_refresh", "refresh_token", "refresh_github_app_jwt_token"])
def test_flags_are_true_or_false(api: Api, connection: str, integration: str, flag: str) -> None:
    path = path_of(connection, integration)

    assert api.get(f"{path}&{flag}=true").status_code == 200
    assert refusal(api.get(f"{path}&{flag}=maybe")) == (400, "invalid_query_params")
    assert places(api.get(f"{path}&colour=red")) == [[]]
    assert places(api.get(f"/connections/{connection}")) == [["provider_config_key"]]


def test_metadata_is_replaced_merged_and_written_to_all_or_none(
    api: Api, home: Home, integration: str, connection: str
) -> None:
    other = home.connection(integration, {"type": "API_KEY", "apiKey": "k"})

    def metadata(one: str) -> object:
        return api.get(path_of(one, integration)).json()["metadata"]

    body = {
        "connection_id": [connection, other],
        "provider_config_key": integration,
        "metadata": {"a": {"x": 1}, "b": 2},
    }
    replaced = api.post("/connections/metadata", body)
    assert (replaced.status_code, replaced.json()) == (201, body)
    merge = {"connection_id": connection, "provider_config_key": integration, "metadata": {"a": {"y": 2}}}
    merged = api.patch("/connections/metadata", merge)
    assert (merged.status_code, merged.json()) == (200, merge)
    assert metadata(connection) == {"a": {"y": 2}, "b": 2}
    half = {"connection_id": [other, NOBODY], "provider_config_key": integration, "metadata": {"half": True}}
    assert refusal(api.post("/connections/metadata", half)) == (404, "unknown_connection")
    assert metadata(other) == {"a": {"x": 1}, "b": 2}, "nothing half applied"


def test_a_patch_replaces_tags_and_refuses_what_it_does_not_know(api: Api, home: Home) -> None:
    integration = home.integration()
    connection = home.connection(integration, tags={"a": "1", "b": "2"})
    path = path_of(connection, integration)

    assert api.patch(path, {"tags": {"c": "3"}, "webhook_url_override": "https://hooks.example/x"}).json() == {
        "success": True
    }
    shape = api.get(path).json()
    assert (shape["tags"], shape["webhook_url_override"]) == ({"c": "3"}, "https://hooks.example/x")
    assert refusal(api.patch(path, {"metadata": {}})) == (400, "invalid_body")
    assert refusal(api.patch(path, {"tags": {"d": "4"}, "webhook_url_override": "nonsense"})) == (400, "invalid_body")
    assert api.get(path).json()["tags"] == {"c": "3"}
    assert api.patch(path, {"webhook_url_override": ""}).json() == {"success": True}


def test_credentials_are_read_only_with_the_scope_for_them(home: Home, connection: str, integration: str) -> None:
    path = path_of(connection, integration)
    plain = home.with_scopes(["environment:connections:read", "environment:connections:list"])
    full = home.with_scopes(["environment:connections:read_credentials"])

    assert plain.get(path).json()["credentials"] == {}
    assert "hidden-key" not in plain.get(path).text + plain.get("/connections").text
    assert full.get(path).json()["credentials"]["apiKey"] == "hidden-key"


def test_a_refused_refresh_shows_the_connection_without_credentials_then_backs_off(api: Api, home: Home) -> None:
    integration = home.integration("tp-oauth", credentials={"type": "OAUTH2", "client_id": "i", "client_secret": "s"})
    old = {"type": "OAUTH2", "access_token": "old", "refresh_token": "r", "expires_at": "2020-01-01T00:00:00Z"}
    home.third_party.refuse_refresh = True
    try:
        connection = home.connection(integration, old)
        first = api.get(path_of(connection, integration))
        second = api.get(path_of(connection, integration))
        proxied = api.get("/proxy/x", headers=headers_of(integration, connection))
    finally:
        home.third_party.refuse_refresh = False

    assert refusal(first) == (400, "refresh_token_external_error")
    shown = first.json()["error"]["payload"]["connection"]
    assert (shown["connection_id"], shown["credentials"]) == (connection, {})
    assert refusal(second) == (424, "connection_refresh_backoff")
    assert refusal(proxied) == (424, "connection_refresh_backoff")


def test_a_refresh_token_is_shown_only_when_asked_for(api: Api, home: Home) -> None:
    integration = home.integration("tp-oauth", credentials={"type": "OAUTH2", "client_id": "i", "client_secret": "s"})
    connection = home.connection(integration, {"type": "OAUTH2", "access_token": "a", "refresh_token": "deep"})
    path = path_of(connection, integration)

    assert "deep" not in api.get(path).text
    assert api.get(f"{path}&refresh_token=true").json()["credentials"]["refresh_token"] == "deep"
    renewed = api.get(f"{path}&force_refresh=true").json()["credentials"]["access_token"]
    assert renewed.startswith("access-")


def test_a_deleted_connection_is_gone_everywhere(api: Api, home: Home, connection: str, integration: str) -> None:
    assert api.get("/proxy/hello", headers=headers_of(integration, connection)).status_code == 200, "it is cached now"
    assert api.delete(path_of(connection, integration)).json() == {"success": True}

    assert refusal(api.get(path_of(connection, integration))) == (404, "not_found")
    assert refusal(api.delete(path_of(connection, integration))) == (400, "unknown_connection")
    assert refusal(api.get("/proxy/hello", headers=headers_of(integration, connection))) == (400, "server_error")
    assert refusal(api.get("/records?model=Contact", headers=headers_of(integration, connection))) == (
        400,
        "unknown_connection",
    )
    assert connection not in {c["connection_id"] for c in api.get("/connections").json()["connections"]}
    status = api.get(f"/sync/status?provider_config_key={integration}&connection_id={connection}&syncs=*")
    assert refusal(status) == (400, "invalid_body")


def test_reading_a_credential_is_noted(api: Api, connection: str, integration: str) -> None:
    assert api.get(path_of(connection, integration)).status_code == 200

    noted = poll_until(
        lambda: api.get(path_of(connection, integration)).json()["last_fetched_at"], "last_fetched_at", seconds=90
    )
    assert noted.endswith("Z")


def test_odd_letters_in_an_id_reach_the_connection(api: Api, home: Home) -> None:
    integration = home.integration()
    odd = home.connection(integration, connection_id=fresh("a b/c+d[e]|@${f}\"'\\~"))

    found = api.get("/connections", params={"connectionId": odd}).json()["connections"]
    assert [c["connection_id"] for c in found] == [odd]
    from urllib.parse import quote

    assert api.get(path_of(quote(odd, safe=""), integration)).json()["connection_id"] == odd


def test_nobody_sees_another_environment(api: Api, home: Home, connection: str, integration: str) -> None:
    stranger = Home(home.platform, home.third_party)
    try:
        outside = stranger.api
        assert outside.get("/connections").json() == {"connections": []}
        assert outside.get("/integrations").json() == {"data": []}
        assert refusal(outside.get(f"/integrations/{integration}")) == (404, "not_found")
        assert refusal(outside.get(path_of(connection, integration))) == (400, "unknown_provider_config")
        assert refusal(outside.delete(path_of(connection, integration))) == (400, "unknown_provider_config")
        assert refusal(outside.get("/proxy/x", headers=headers_of(integration, connection))) == (
            404,
            "unknown_provider_config",
        )
        assert refusal(outside.get("/records?model=C", headers=headers_of(integration, connection)))[0] == 400
        assert outside.get("/logs/operations").json()["data"] == []
        assert outside.get("/webhook-deliveries").json()["data"] == []
        assert outside.post("/integrations", {"unique_key": integration, "provider": "tp-none"}).status_code == 200
        assert stranger.session().get("/integrations").json()["data"][0]["provider"] == "tp-none"
    finally:
        stranger.http.close()
    assert api.get(path_of(connection, integration)).status_code == 200
