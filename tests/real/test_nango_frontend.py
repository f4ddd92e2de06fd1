"""The official browser SDK, published and unchanged: credentials and the popup flow against a running platform.

It runs in Node with `browser.mjs` in place of a window: a popup that follows redirects. The package is never opened.
"""

import json
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from dragoman import Client
from tests.support.platform import RunningPlatform
from tests.support.third_party import ThirdParty

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("nango_frontend")]
HERE = Path(__file__).parent / "nango_frontend"
KINDS = {
    "web-key": "tp-key",
    "web-basic": "tp-basic",
    "web-cc": "tp-cc",
    "web-none": "tp-none",
    "web-oauth": "tp-oauth",
    "web-two-step": "tp-two-step",
    "web-outbound": "tp-outbound",
}
APPS = {
    "tp-oauth": {"type": "OAUTH2", "client_id": "id", "client_secret": "secret"},
    "tp-outbound": {"type": "OAUTH2", "client_id": "id", "webhook_secret": "hook-secret"},
}


@dataclass
class Told:
    """What the SDK told, and what the API says of each connection it named."""

    attempts: dict[str, Any]
    stored: dict[str, dict[str, Any]]

    def connected(self, name: str) -> dict[str, Any]:
        assert "value" in self.attempts[name], f"{name}: {self.attempts[name]}"
        value = self.attempts[name]["value"]
        return self.stored[value["connectionId"]]

    def refused(self, name: str) -> str:
        attempt = self.attempts[name]
        assert "value" not in attempt, f"{name}: {attempt}"
        assert attempt["known"], f"not an AuthError: {attempt}"
        assert attempt["message"], attempt
        return attempt["type"]


@pytest.fixture(scope="module")
def told(platform: RunningPlatform, third_party: ThirdParty) -> Iterator[Told]:
    node = shutil.which("node")
    assert node is not None, "Node.js is missing; `make node` says what to install"
    assert (HERE / "node_modules").is_dir(), "run `make node` first"
    with platform.account() as account:
        environment = account.account.create_environment(f"web-{uuid.uuid4().hex[:8]}")
        key = account.account.create_api_key(environment["id"], "browser")["secret"]
    with Client(url=platform.url, api_key=key) as api:
        for unique_key, provider in (KINDS | {"web-other": "tp-key"}).items():
            api.integrations.create(unique_key, provider, credentials=APPS.get(provider))
        old = api.connections.create(
            "web-oauth",
            {"type": "OAUTH2", "access_token": "old"},
            connection_id="reconnected",
            connection_config={"url": third_party.url},
        )
        where = {key: {"connection_config": {"url": third_party.url}} for key in KINDS}
        where["web-outbound"]["connection_config"]["account"] = "acme"
        session = api.connect.create_session(
            end_user={"id": "u-1"}, allowed_integrations=list(KINDS), integrations_config_defaults=where
        )
        bare = api.connect.create_session(end_user={"id": "u-2"})
        again = api.connect.reconnect_session(old["connection_id"], "web-oauth")
        given = {
            "url": platform.url,
            "key": key,
            "token": session["token"],
            "bare_token": bare["token"],
            "reconnect_token": again["token"],
        }
        done = subprocess.run(
            [node, "--experimental-websocket", "driver.mjs"],
            cwd=HERE,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        stored = {
            c["connection_id"]: dict(api.connections.get(c["connection_id"], c["provider_config_key"]))
            for c in api.connections.list()
        }
        yield Told(json.loads(done.stdout), stored)


@pytest.mark.parametrize(
    ("attempt", "integration", "credentials"),
    [
        ("api_key", "web-key", {"type": "API_KEY", "apiKey": "good"}),
        ("basic", "web-basic", {"type": "BASIC", "username": "zoë", "password": "pä$$"}),
        ("client_credentials", "web-cc", {"client_id": "id", "client_secret": "secret"}),
        ("two_step", "web-two-step", {"type": "TWO_STEP", "user": "zoë", "pin": "1234"}),
        ("none", "web-none", {}),
    ],
)
def test_what_a_person_types_becomes_a_connection(
    told: Told, attempt: str, integration: str, credentials: dict[str, str]
) -> None:
    connection = told.connected(attempt)

    assert connection["provider_config_key"] == integration
    assert credentials.items() <= connection["credentials"].items()
    assert connection["end_user"]["id"] == "u-1"


def test_an_outbound_installation_begins_pending(told: Told) -> None:
    value = told.attempts["outbound"]["value"]
    connection = told.connected("outbound")

    assert value == {**value, "providerConfigKey": "web-outbound", "isPending": True}
    assert connection["connection_config"]["pending"] is True
    assert connection["connection_config"]["account"] == "acme"
    assert connection["credentials"] == {}


def test_an_outbound_installation_is_nobodys_to_type_in(told: Told) -> None:
    typed = told.attempts["outbound/typed"]["value"]

    assert typed["connectionId"] == told.attempts["outbound"]["value"]["connectionId"]  # what was preset won
    assert told.refused("outbound/nobody") == "invalid_credentials"


def test_check_4_refusals_reach_the_browser_with_a_code_and_a_message(told: Told) -> None:
    assert told.refused("api_key/wrong") == "connection_test_failed"
    assert told.refused("mode") == "invalid_auth_mode"
    assert told.refused("undeclared") == "invalid_query_params"
    assert told.refused("not_allowed") == "integration_not_allowed"
    assert told.refused("unknown_session") == "unknown_connect_session_token"


def test_the_popup_ends_with_a_connection_the_api_has(told: Told) -> None:
    assert told.attempts["visited"] == ["/oauth/connect/web-oauth", "/authorize", "/oauth/callback"]
    assert told.connected("oauth")["credentials"]["access_token"].startswith("access-")


def test_check_6_what_the_window_hears_of_is_stored_already(told: Told) -> None:
    assert told.attempts["readable"] == 200


def test_check_6_the_popup_goes_nowhere_before_its_socket_has_a_name(told: Told) -> None:
    assert told.attempts["named"] is True


def test_the_window_hears_why_a_popup_failed(told: Told) -> None:
    assert told.refused("oauth/refused") == "callback_err"
    assert told.refused("oauth/missing_field")


def test_a_reconnect_session_renews_the_same_connection(told: Told) -> None:
    assert told.attempts["reconnect"]["value"]["connectionId"] == "reconnected"
    assert told.connected("reconnect")["credentials"]["access_token"].startswith("access-")
