"""What the helpers for applications promise, without a platform; the examples' tests play the rest."""

import asyncio
import json
import time

import httpx
import pytest
from fastapi import FastAPI

from dragoman import ApiError, AsyncClient
from dragoman.connect import core
from dragoman.connect.fastapi import AuthEvent, connect_router
from dragoman_server.kit.secret import Secret
from dragoman_server.webhooks.signing import SigningKeys, signature_headers

KEY = "signing-key"


@pytest.mark.parametrize(
    ("headers", "passes"),
    [
        ({"sec-fetch-site": "same-origin", "origin": "https://app.example.com"}, True),
        ({"origin": "https://app.example.com"}, True),
        ({"sec-fetch-site": "same-site", "origin": "https://trusted.example.com"}, True),
        ({"sec-fetch-site": "same-site", "origin": "https://other.example.com"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://app.example.com"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "null"}, False),
        ({"origin": "http://[no-address"}, False),
        ({"origin": "https://app.example.com.evil.example"}, False),
        ({}, False),
    ],
)
def test_only_this_site_and_trusted_origins_ask_for_sessions(headers: dict[str, str], passes: bool) -> None:
    try:
        core.check_same_origin(headers, host="app.example.com", trusted=["https://trusted.example.com"])
        passed = True
    except core.ProblemError as problem:
        passed = problem.status != 403

    assert passed is passes


@pytest.mark.parametrize("name", ["\ud800", "a\0b", "", "x" * 256, 1, True, ["a"]])
async def test_what_is_no_name_is_refused_in_the_envelope(name: object) -> None:
    app = FastAPI()
    async with AsyncClient(url="http://127.0.0.1:9", api_key="unused") as client:
        signed_in = core.User(id="u1")
        app.include_router(
            connect_router(
                client=client, webhook_signing_key=KEY, current_user=lambda: signed_in, on_auth=lambda _event: None
            )
        )
        headers = {"sec-fetch-site": "same-origin", "content-type": "application/json"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as page:
            asked = [json.dumps({"integration": name}), json.dumps({str(name): 1})]
            answers = [await page.post("/dragoman/session", content=body, headers=headers) for body in asked]

    assert [(a.status_code, a.json()["error"]["code"]) for a in answers] == [(400, "invalid_body")] * 2


def test_nobody_is_a_user_without_an_id() -> None:
    with pytest.raises(ValueError, match="empty"):
        core.User(id="")


def test_a_refusal_of_the_platform_is_told_to_the_developer_and_not_to_the_browser() -> None:
    bad = {"path": ["allowed_integrations", 0], "message": "Integration does not exist"}
    error = ApiError(status=400, code="invalid_body", message="no", errors=[bad])

    problem = core.platform_problem(error)

    assert problem.status == 502
    assert "allowed_integrations.0: Integration does not exist" in str(problem.detail)
    assert "Integration" not in json.dumps(problem.body())
    assert "Integration does not exist" in json.dumps(problem.body(debug=True))


def test_what_stands_in_the_button_is_escaped() -> None:
    html = core.button("<b>", session_url='/s"><script>', integration="a&b")

    assert "<script>" not in html
    assert "&lt;b&gt;" in html
    assert 'data-integration="a&amp;b"' in html


async def test_a_delivery_whose_handler_raised_is_handled_when_it_comes_again() -> None:
    heard: list[str] = []

    async def on_auth(event: AuthEvent) -> None:
        heard.append(event.connection_id)
        if len(heard) == 1:
            raise RuntimeError("the application's database is away")

    app = FastAPI()
    async with AsyncClient(url="http://127.0.0.1:9", api_key="unused") as client:
        app.include_router(
            connect_router(client=client, webhook_signing_key=KEY, current_user=lambda: None, on_auth=on_auth)
        )
        body = json.dumps({"type": "auth", "connectionId": "c1", "success": True}).encode()
        now = int(time.time())
        headers = dict(signature_headers(SigningKeys(Secret(KEY)), message_id="m1", timestamp=now, body=body))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as platform:
            answers = [await platform.post("/dragoman/webhook", content=body, headers=headers) for _ in range(3)]

    assert [a.status_code for a in answers] == [500, 204, 204]
    assert heard == ["c1", "c1"]


class SlowMemory:
    """Deliveries as a database would keep them: asking takes a while."""

    def __init__(self) -> None:
        self.known: set[str] = set()

    async def handled(self, delivery_id: str) -> bool:
        found = delivery_id in self.known
        await asyncio.sleep(0)
        return found

    async def remember(self, delivery_id: str) -> None:
        self.known.add(delivery_id)


async def test_a_delivery_that_comes_twice_at_once_is_handled_once() -> None:
    heard: list[str] = []

    async def on_auth(event: AuthEvent) -> None:
        heard.append(event.connection_id)
        await asyncio.sleep(0)

    app = FastAPI()
    async with AsyncClient(url="http://127.0.0.1:9", api_key="unused") as client:
        app.include_router(
            connect_router(
                client=client,
                webhook_signing_key=KEY,
                current_user=lambda: None,
                on_auth=on_auth,
                deliveries=SlowMemory(),
            )
        )
        body = json.dumps({"type": "auth", "connectionId": "c1", "success": True}).encode()
        headers = dict(
            signature_headers(SigningKeys(Secret(KEY)), message_id="m1", timestamp=int(time.time()), body=body)
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://app") as platform:
            posts = [platform.post("/dragoman/webhook", content=body, headers=headers) for _ in range(3)]
            answers = await asyncio.gather(*posts)

    assert heard == ["c1"]
    assert {a.status_code for a in answers} <= {204, 503}
