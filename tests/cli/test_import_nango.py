"""`dragoman import nango`: from one environment into another, all of it, once, however often it is run."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner, Result

from dragoman.cli import main
from dragoman.cli.import_nango import CannotImportError, credentials_to_import, make_plan, retrying
from dragoman.client import ApiError, ConnectionFailedError
from tests.api.calls import Home
from tests.support.platform import RunningPlatform
from tests.support.third_party import ThirdParty

END_USER = {
    "id": "u-1",
    "email": "zoe@example.org",
    "display_name": "Zoë",
    "tags": {"seit": "März"},
    "organization": {"id": "o-1", "display_name": "Ö GmbH"},
}


@pytest.fixture
def there(platform: RunningPlatform, third_party: ThirdParty) -> Iterator[Home]:
    made = Home(platform, third_party)
    yield made
    made.http.close()


@pytest.fixture
def here(platform: RunningPlatform, third_party: ThirdParty) -> Iterator[Home]:
    made = Home(platform, third_party)
    yield made
    made.http.close()


def fill(home: Home) -> dict[str, str]:
    """An integration and a connection of each kind; their ids by kind."""
    app = {"type": "OAUTH2", "client_id": "id", "client_secret": "app-secret", "scopes": "a,b"}
    oauth, key, open_ = home.integration("tp-oauth", credentials=app), home.integration("tp-key"), home.integration()
    login = home.integration("tp-two-step")
    override = {"client_id": "own", "client_secret": "own-secret"}
    tokens = {"type": "OAUTH2", "access_token": "a-1", "refresh_token": "r-1", "config_override": override}
    more: dict[str, Any] = {"metadata": {"k": ["ü"]}, "tags": {"plan": "groß"}, "end_user": END_USER}
    return {
        oauth: home.connection(oauth, tokens, **more),
        key: home.connection(
            key, {"type": "API_KEY", "apiKey": "k-1"}, webhook_url_override="https://hooks.example.org/x"
        ),
        open_: home.connection(open_),
        login: home.connection(login, {"type": "TWO_STEP", "user": "zoë", "pin": "1", "token": "t-1"}),
    }


def run(there: Home, here: Home, *options: str, key: str | None = None) -> Result:
    arguments = ["import", "nango", "--url", there.platform.url, "--to-url", here.platform.url, *options]
    keys = {"NANGO_SECRET_KEY": key or there.api.key, "DRAGOMAN_API_KEY": here.api.key}
    return CliRunner().invoke(main, arguments, env=keys)


def whole(home: Home, integration: str, connection: str) -> dict[str, Any]:
    """A connection without what its server gave it."""
    params = {"provider_config_key": integration, "refresh_token": "true"}
    found = home.api.get(f"/connections/{connection}", params=params).json()
    return {k: v for k, v in found.items() if k not in {"id", "created_at", "updated_at", "last_fetched_at"}}


def test_everything_the_public_api_shows_is_brought(there: Home, here: Home) -> None:
    made = fill(there)

    done = run(there, here, "-y")

    assert done.exit_code == 0, done.output
    assert "Imported 4 connections of 4." in done.output
    for integration, connection in made.items():
        assert whole(here, integration, connection) == whole(there, integration, connection)
        params = {"include": "credentials"}
        read = [h.api.get(f"/integrations/{integration}", params=params).json()["data"] for h in (there, here)]
        assert read[0]["credentials"] == read[1]["credentials"]
    assert not re.search(r"r-1|a-1|k-1\b|secret", done.output), "no secret is printed"


def test_a_dry_run_changes_nothing(there: Home, here: Home) -> None:
    fill(there)

    done = run(there, here, "--dry-run")

    assert done.exit_code == 0
    assert "4 connections to import, 0 are here already." in done.output
    assert here.api.get("/integrations").json()["data"] == []


def test_nothing_happens_before_a_yes(there: Home, here: Home) -> None:
    fill(there)
    arguments = ["import", "nango", "--url", there.platform.url, "--to-url", here.platform.url]
    keys = {"NANGO_SECRET_KEY": there.api.key, "DRAGOMAN_API_KEY": here.api.key}

    done = CliRunner().invoke(main, arguments, env=keys, input="n\n")

    assert done.exit_code == 1
    assert here.api.get("/integrations").json()["data"] == []


def test_a_second_run_goes_on_with_what_is_missing_and_leaves_the_rest(there: Home, here: Home) -> None:
    made = fill(there)
    assert run(there, here, "-y").exit_code == 0
    integration, connection = next(iter(made.items()))
    here.api.patch(
        "/connections/metadata",
        {"provider_config_key": integration, "connection_id": connection, "metadata": {"own": 1}},
    )
    added = there.connection(integration, {"type": "OAUTH2", "access_token": "a-2"})

    done = run(there, here, "-y")

    assert "Imported 1 connections of 1." in done.output
    assert whole(here, integration, added)["credentials"]["access_token"] == "a-2"
    assert whole(here, integration, connection)["metadata"] == {"k": ["ü"], "own": 1}


def test_one_integration_can_be_brought_alone(there: Home, here: Home) -> None:
    wanted = list(fill(there))[1]

    assert run(there, here, "-y", "--integration", wanted).exit_code == 0
    assert [i["unique_key"] for i in here.api.get("/integrations").json()["data"]] == [wanted]
    assert "no integration nobodys" in run(there, here, "--integration", "nobodys").output


def test_a_key_that_may_not_read_credentials_is_told_so(there: Home, here: Home) -> None:
    fill(there)
    scopes = ["environment:integrations:list", "environment:integrations:read", "environment:connections:list"]
    weak = there.with_scopes([*scopes, "environment:connections:read"])

    done = run(there, here, "-y", key=weak.key)

    assert done.exit_code == 1
    assert "application credentials; enter them here" in done.output
    assert "lacks connections:read_credentials" in done.output
    assert "Imported 1 connections of 4." in done.output  # the one that has no credentials


def test_a_wrong_key_ends_the_command_with_the_servers_reason(there: Home, here: Home) -> None:
    done = run(there, here, "-y", key="6185e58a-542c-4896-afd2-90b15e2322ab")

    assert done.exit_code == 1
    assert "unknown_account" in done.output


def integration(key: str, provider: str) -> Any:
    return {"unique_key": key, "provider": provider, "display_name": key}


def connection(key: str, name: str) -> Any:
    return {"provider_config_key": key, "connection_id": name}


def test_a_provider_nobody_has_here_stays_behind_and_says_how_many_connections_with_it() -> None:
    plan = make_plan(
        integrations=[integration("a", "known"), integration("b", "strange"), integration("c", "old-name")],
        connections=[connection("a", "1"), connection("b", "1"), connection("b", "2"), connection("c", "1")],
        here_integrations=[],
        here_connections=[("a", "1")],
        catalogue=["known", "new-name"],
        renamed={"old-name": "new-name"},
    )

    assert [i["unique_key"] for i in plan.create] == ["a", "c"]
    assert [i["unique_key"] for i in plan.unknown] == ["b"]
    assert plan.left_out == {"b": 2}
    assert [c["provider_config_key"] for c in plan.connections] == ["c"]
    assert plan.present_connections == 1
    assert plan.providers["c"] == "new-name"


def test_only_what_a_credential_is_made_of_travels() -> None:
    read = {"type": "OAUTH2", "access_token": "a", "refresh_token": None, "raw": {"x": 1}, "expires_at": "2030-01-01"}

    assert credentials_to_import(read, provider_takes_none=False) == {
        "type": "OAUTH2",
        "access_token": "a",
        "expires_at": "2030-01-01",
    }
    assert credentials_to_import({}, provider_takes_none=True) == {"type": "NONE"}
    with pytest.raises(CannotImportError):
        credentials_to_import({}, provider_takes_none=False)


def test_a_busy_server_is_asked_again_as_it_asks_to_be() -> None:
    answers: list[Exception] = [
        ApiError(status=429, code="too_many_request", message="", retry_after=7),
        ConnectionFailedError("away"),
    ]
    waits: list[float] = []

    def call() -> str:
        if answers:
            raise answers.pop(0)
        return "done"

    assert retrying(call, wait=waits.append) == "done"
    assert waits == [7, 2.0]


def test_a_refusal_is_not_asked_again() -> None:
    tries: list[int] = []

    def call() -> None:
        tries.append(1)
        raise ApiError(status=400, code="invalid_body", message="no")

    with pytest.raises(ApiError):
        retrying(call, wait=lambda _: None)
    assert len(tries) == 1
