"""Environments, keys, variables and webhook settings on the running platform."""

import time

import pytest

from tests.api.calls import Api, Home, fresh, places, refusal
from tests.support.platform import poll_until


def test_an_environment_is_made_listed_and_deleted_with_all_in_it(home: Home) -> None:
    name = fresh("env")
    made = home.account.post("/environments", {"name": name})
    identity = made.json()["data"]["id"]
    secret = home.account.post("/environment/api-keys", {"environment_id": identity, "display_name": "k"}).json()[
        "data"
    ]["secret"]
    inside = Api(home.http, secret)
    inside.post("/integrations", {"unique_key": "i", "provider": "tp-none"})

    assert (made.status_code, made.json()) == (200, {"data": {"id": identity, "name": name}})
    assert {"id": identity, "name": name, "is_production": False} in home.account.get("/environments").json()["data"]
    assert refusal(home.account.post("/environments", {"name": name})) == (409, "conflict")
    assert home.account.delete(f"/environments/{identity}").status_code == 204
    assert refusal(home.account.delete(f"/environments/{identity}")) == (404, "not_found")
    poll_until(
        lambda: inside.get("/integrations").status_code == 401,
        "the keys of a deleted environment open nothing",
        seconds=5,
    )


def test_a_production_environment_is_not_deleted(home: Home) -> None:
    prod = home.platform.environment("prod")["id"]

    assert refusal(home.account.delete(f"/environments/{prod}")) == (400, "cannot_delete_prod_environment")


@pytest.mark.parametrize(
    "body", [{}, {"name": ""}, {"name": "Upper"}, {"name": "a b"}, {"name": "x" * 256}, {"name": "a", "x": 1}]
)
def test_a_bad_environment_is_refused(home: Home, body: dict[str, object]) -> None:
    assert refusal(home.account.post("/environments", body)) == (400, "invalid_body")


def test_a_key_is_shown_once_and_a_revoked_one_opens_nothing_within_a_second(home: Home) -> None:
    answer = home.account.post("/environment/api-keys", {"environment_id": home.id, "display_name": "once"})
    data = answer.json()["data"]
    key = Api(home.http, data["secret"])
    assert set(data) == {"id", "display_name", "scopes", "secret", "created_at"}
    assert key.get("/integrations").status_code == 200, "it is in the caches now"
    assert (
        key.get("/records?model=Contact", headers={"connection-id": "x", "provider-config-key": "y"}).status_code == 400
    )

    gone = home.account.delete("/environment/api-keys", {"environment_id": home.id, "key_id": data["id"]})
    revoked = time.monotonic()
    assert gone.json() == {"success": True}
    poll_until(lambda: key.get("/integrations").status_code == 401, "revoked", seconds=5)
    assert time.monotonic() - revoked < 1.0
    assert refusal(key.get("/integrations")) == (401, "unknown_account")
    assert refusal(key.get("/proxy/x")) == (401, "unknown_account")
    again = home.account.delete("/environment/api-keys", {"environment_id": home.id, "key_id": data["id"]})
    assert refusal(again) == (404, "not_found")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"environment_id": 2**30}, (404, "not_found")),
        ({"environment_id": "x"}, (400, "invalid_body")),
        ({"display_name": ""}, (400, "invalid_body")),
        ({"scopes": ["environment:nonsense"]}, (400, "invalid_body")),
        ({"scopes": ["account:*"]}, (400, "invalid_body")),
        ({"colour": "red"}, (400, "invalid_body")),
    ],
)
def test_a_bad_key_is_refused(home: Home, change: dict[str, object], expected: tuple[int, str]) -> None:
    body: dict[str, object] = {"environment_id": home.id, "display_name": "k"}

    assert refusal(home.account.post("/environment/api-keys", body | change)) == expected


def test_an_environments_key_makes_no_keys(home: Home) -> None:
    answer = home.api.post("/environment/api-keys", {"environment_id": home.id, "display_name": "k"})

    assert refusal(answer) == (403, "forbidden")


def test_variables_are_set_listed_and_removed(api: Api) -> None:
    assert api.put("/environment-variables/B", {"value": "2"}).status_code == 200
    assert api.put("/environment-variables/A", {"value": "ü"}).status_code == 200
    assert api.put("/environment-variables/A", {"value": "1"}).status_code == 200

    listed = api.get("/environment-variables/")
    assert listed.json() == [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    assert api.delete("/environment-variables/A").status_code == 204
    assert refusal(api.delete("/environment-variables/A")) == (404, "not_found")
    assert api.get("/environment-variables").json() == [{"name": "B", "value": "2"}]


@pytest.mark.parametrize(
    ("name", "body", "code"),
    [
        ("X", {}, "invalid_body"), ("X", {"value": 1}, "invalid_body"), ("X", {"value": "\0"}, "invalid_body"),
        ("X", {"value": "x" * 65_537}, "invalid_body"), ("X", {"value": "v", "x": 1}, "invalid_body"),
        ("a%00", {"value": "v"}, "invalid_uri_params"), ("a%20b", {"value": "v"}, "invalid_body"),
    ],
)  # fmt: skip
def test_a_bad_variable_is_refused(api: Api, name: str, body: dict[str, object], code: str) -> None:
    assert refusal(api.put(f"/environment-variables/{name}", body)) == (400, code)


def test_webhook_settings_keep_what_is_not_named(api: Api) -> None:
    before = api.get("/environment/webhooks").json()["data"]
    assert set(before) == {
        "primary_url", "secondary_url", "on_auth_creation", "on_auth_refresh_error", "on_sync_completion_always",
        "on_sync_error", "on_async_action_completion",
    }  # fmt: skip

    changed = api.put(
        "/environment/webhooks", {"primary_url": "https://hooks.example/a", "on_sync_error": False}
    ).json()["data"]
    assert changed == before | {"primary_url": "https://hooks.example/a", "on_sync_error": False}
    half = api.put("/environment/webhooks", {"on_sync_error": True, "secondary_url": "nonsense"})
    assert refusal(half) == (400, "invalid_body")
    assert places(half) == [["secondary_url"]]
    assert api.get("/environment/webhooks").json()["data"] == changed, "nothing half applied"
    assert api.put("/environment/webhooks", {"primary_url": ""}).json()["data"]["primary_url"] is None


def test_a_new_signing_key_is_new(api: Api) -> None:
    keys = {api.post("/environment/webhook-signing-key/rotate").json()["data"]["webhook_signing_key"] for _ in range(2)}

    assert len(keys) == 2
