"""The examples as their READMEs start them, driven over HTTP as a browser and the Connect UI would."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.examples.running import Browser, Example, connect_by_consent, connect_by_key, running
from tests.support.platform import RunningPlatform

ENVIRONMENTS = {"fastapi_app": "dev", "django_app": "prod"}
pytestmark = pytest.mark.xdist_group("examples")


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def example(
    request: pytest.FixtureRequest, simulated: RunningPlatform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Example]:
    name: str = request.param
    with running(name, simulated, ENVIRONMENTS[name], tmp_path_factory.mktemp(name)) as made:
        yield made


@pytest.fixture
def ada(example: Example) -> Iterator[Browser]:
    with Browser(example) as browser:
        browser.sign_in("ada")
        yield browser


@pytest.fixture
def grace(example: Example) -> Iterator[Browser]:
    with Browser(example) as browser:
        browser.sign_in("grace")
        yield browser


@pytest.fixture
def stranger(example: Example) -> Iterator[Browser]:
    with Browser(example) as browser:
        yield browser


def signing_key(example: Example, simulated: RunningPlatform) -> str:
    return simulated.environment(ENVIRONMENTS[example.command.name])["webhook_signing_key"]


def signed(body: bytes, key: str, *, delivery: str, at: float) -> dict[str, str]:
    content = f"{delivery}.{int(at)}.".encode() + body
    signature = base64.b64encode(hmac.digest(key.encode(), content, "sha256")).decode()
    return {
        "webhook-id": delivery,
        "webhook-timestamp": str(int(at)),
        "webhook-signature": f"v1,{signature}",
        "X-Nango-Hmac-Sha256": hmac.new(key.encode(), body, hashlib.sha256).hexdigest(),
        "Content-Type": "application/json",
    }


def news(connection_id: str, user: str) -> bytes:
    event = {
        "type": "auth",
        "operation": "creation",
        "success": True,
        "connectionId": connection_id,
        "providerConfigKey": "openai",
        "endUser": {"endUserId": user},
    }
    return json.dumps(event).encode()


def test_a_typed_key_connects_and_the_list_shows_it_to_its_owner_only(ada: Browser, grace: Browser) -> None:
    session = ada.press("Connect OpenAI")

    assert session.status_code == 201, session.text
    assert session.headers["cache-control"] == "no-store" or "no-store" in session.headers["cache-control"]
    made = connect_by_key(session.json(), "openai")
    assert ada.sees(made)["integration"] == "openai"
    assert made not in {one["id"] for one in grace.connections()}
    call = ada.http.get(f"{ada.example.url}/connections/{made}/call").json()
    assert call["status"] == 200, call
    assert grace.http.get(f"{grace.example.url}/connections/{made}/call").status_code == 404


def test_consent_connects_and_the_same_button_connects_again(
    ada: Browser, grace: Browser, simulated: RunningPlatform
) -> None:
    before = {one["id"] for one in ada.connections()}
    connect_by_consent(ada.press("Connect GitHub").json(), "github")
    with simulated.client(ENVIRONMENTS[ada.example.command.name]) as api:
        [made] = [c for c in api.connections.list(integration_id="github") if c["connection_id"] not in before]
    ada.sees(made["connection_id"])

    again = ada.press("Connect GitHub", connection_id=made["connection_id"])
    stolen = grace.press("Connect GitHub", connection_id=made["connection_id"])

    assert made["end_user"] is not None
    assert made["end_user"]["display_name"] == "Ada Lovelace"
    assert again.status_code == 201, again.text
    held = {"Authorization": f"Bearer {again.json()['token']}"}
    told = httpx.get(f"{simulated.url}/connect/session", headers=held).json()
    assert told["data"]["isReconnecting"] is True
    assert stolen.status_code == 404
    assert stolen.json()["error"]["code"] == "unknown_connection"


def test_who_is_signed_out_gets_no_session_and_sees_nothing(example: Example, ada: Browser, stranger: Browser) -> None:
    csrf = ada.http.cookies.get("csrftoken")

    answer = stranger.http.post(
        f"{example.url}/dragoman/session",
        json={},
        headers={
            "Origin": example.url,
            "Sec-Fetch-Site": "same-origin",
            "X-CSRFToken": csrf or "",
            "Cookie": f"csrftoken={csrf}",
        },
    )

    assert answer.status_code == 401
    assert answer.json()["error"]["code"] == "signed_out"
    assert stranger.http.get(f"{example.url}/connections").status_code == 401


def test_another_site_gets_no_session_in_the_users_browser(example: Example, ada: Browser) -> None:
    url = f"{example.url}/dragoman/session"
    evil = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}

    as_json = ada.http.post(url, json={}, headers=evil)
    as_form = ada.http.post(url, data={"integration": "openai"}, headers=evil)
    silent = ada.http.post(url, json={})

    assert [as_json.status_code, as_form.status_code, silent.status_code] == [403, 403, 403]


def test_an_integration_the_application_does_not_offer_is_refused(ada: Browser) -> None:
    page = ada.page
    ada.page = lambda: page().replace('data-integration="openai"', 'data-integration="slack"')  # type: ignore[method-assign]

    assert ada.press("Connect OpenAI").status_code == 404


def test_a_forged_an_old_and_an_unsigned_webhook_are_refused(
    example: Example, ada: Browser, simulated: RunningPlatform
) -> None:
    url, key, body = f"{example.url}/dragoman/webhook", signing_key(example, simulated), news("forged", "ada")
    good = signed(body, key, delivery="d-forged", at=time.time())

    forged = httpx.post(url, content=body, headers=signed(body, "wrong", delivery="d1", at=time.time()))
    changed = httpx.post(url, content=body.replace(b"forged", b"f0rged"), headers=good)
    old = httpx.post(url, content=body, headers=signed(body, key, delivery="d2", at=time.time() - 301))
    undated = httpx.post(url, content=body, headers={"X-Nango-Hmac-Sha256": good["X-Nango-Hmac-Sha256"]})
    bare = httpx.post(url, content=body)

    assert [a.status_code for a in (forged, changed, old, undated, bare)] == [401] * 5
    assert not [one for one in ada.connections() if one["id"] in ("forged", "f0rged")]


def test_a_delivery_that_comes_again_is_handled_once(
    example: Example, ada: Browser, grace: Browser, simulated: RunningPlatform
) -> None:
    """The second body under the same id names another connection, so handling it again would show."""
    url, key = f"{example.url}/dragoman/webhook", signing_key(example, simulated)
    grace_id, ada_id = ("grace", "ada") if example.command.name == "fastapi_app" else ("2", "1")
    first, second = news("once", ada_id), news("twice", grace_id)

    answers = [
        httpx.post(url, content=body, headers=signed(body, key, delivery="same", at=time.time()))
        for body in (first, second, first)
    ]

    assert [a.status_code for a in answers] == [204, 204, 204]
    assert ada.sees("once")
    assert "twice" not in {one["id"] for one in grace.connections()}


def test_the_page_needs_no_inline_script_and_frames_only_the_platform(ada: Browser, simulated: RunningPlatform) -> None:
    answer = ada.http.get(ada.example.url)
    script = ada.http.get(f"{ada.example.url}/dragoman/connect.js")

    assert f"frame-src {simulated.url}" in answer.headers["content-security-policy"]
    assert "'unsafe-inline'" not in answer.headers["content-security-policy"]
    assert "<script>" not in answer.text
    assert script.headers["content-type"].startswith("text/javascript")
    assert script.headers["x-content-type-options"] == "nosniff"


def test_the_example_prints_no_secret(
    example: Example, ada: Browser, simulated: RunningPlatform, tmp_path: Path
) -> None:
    token = ada.press("Connect OpenAI").json()["token"]
    keys = simulated.environment(ENVIRONMENTS[example.command.name])

    printed = example.command.text()

    assert not [s for s in (token, keys["api_key"], keys["webhook_signing_key"]) if s in printed]
