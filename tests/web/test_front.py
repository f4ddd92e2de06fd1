"""The outermost layer: which door is asked, and that every way to fail ends in one envelope."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, Request
from pydantic import Field

from dragoman_server.api.app import build_app
from dragoman_server.control.model import ApiKey
from dragoman_server.db.driver import UNAVAILABLE
from dragoman_server.kit.clock import SystemClock
from dragoman_server.kit.errors import ConflictError, Issue
from dragoman_server.web.asgi import Front, Receive, Scope, Send, send_rendered
from dragoman_server.web.authenticate import Authenticator, Demand
from dragoman_server.web.envelope import Rendered, render
from dragoman_server.web.limits import RateLimiter
from dragoman_server.web.strict import StrictModel

KEY = "6185e58a-542c-4896-afd2-90b15e2322ab"


class Body(StrictModel):
    name: str = Field(min_length=2)


def router() -> APIRouter:
    made = APIRouter()

    @made.post("/thing")
    async def thing(body: Body) -> dict[str, str]:
        return {"name": body.name}

    @made.get("/breaks")
    async def breaks(request: Request) -> None:
        raise ValueError("a secret in a message")

    @made.get("/lost")
    async def lost(request: Request) -> None:
        raise UNAVAILABLE[0]

    @made.get("/forgotten")
    async def forgotten(request: Request) -> None:
        raise AssertionError("a route without a demand is never run")

    return made


async def hot(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/hot/half":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError("too late for an envelope")
    if scope["path"] == "/hot/breaks":
        raise ConflictError("a conflict of the door's own", issues=[Issue("custom", "here", ("a", 0))])
    await send_rendered(send, Rendered(200, b'{"hot":true}'))


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    table = {
        ("POST", "/thing"): Demand(public=True),
        ("GET", "/breaks"): Demand(public=True),
        ("GET", "/lost"): Demand(public=True),
    }
    monkeypatch.setattr("dragoman_server.api.app.DEMANDS", table)

    async def nobody(_token: str) -> ApiKey | None:
        return None

    limiter = RateLimiter(per_minute=1000, clock=SystemClock())
    authenticator = Authenticator(keys=nobody, sessions=nobody, limiter=limiter)  # type: ignore[arg-type]
    app = build_app(authenticator=authenticator, routers=[router()], edition="full")
    front: Any = Front(rest=app, hot={"/hot/": hot, "/exact": hot})
    transport = httpx.ASGITransport(app=front, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as made:
        yield made


async def test_an_unexpected_error_is_a_number_in_the_envelope(client: httpx.AsyncClient) -> None:
    answer = await client.get("/breaks")
    error = answer.json()["error"]

    assert (answer.status_code, error["code"]) == (500, "generic_error_support")
    assert error["payload"] in error["message"]
    assert "secret" not in answer.text
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_lost_database_is_a_503_that_says_try_again(client: httpx.AsyncClient) -> None:
    answer = await client.get("/lost")

    assert answer.status_code == 503
    assert set(answer.json()["error"]) == {"code", "message"}


async def test_a_route_without_a_demand_does_not_exist(client: httpx.AsyncClient) -> None:
    answer = await client.get("/forgotten")

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


async def test_doors_are_found_by_path_prefix_and_trailing_slash(client: httpx.AsyncClient) -> None:
    for path in ("/hot/x", "/hot/", "/exact", "/exact/"):
        assert (await client.get(path)).json() == {"hot": True}, path
    assert (await client.get("/exactly")).status_code == 404
    assert (await client.post("/thing/", json={"name": "ab"})).json() == {"name": "ab"}


async def test_a_raw_doors_error_is_rendered_with_its_places(client: httpx.AsyncClient) -> None:
    answer = await client.get("/hot/breaks")

    assert answer.status_code == 409
    assert answer.json() == {
        "error": {
            "code": "conflict",
            "message": "a conflict of the door's own",
            "errors": [{"code": "custom", "message": "here", "path": ["a", 0]}],
        }
    }


async def test_an_answer_under_way_is_broken_off_not_mended(client: httpx.AsyncClient) -> None:
    answer = await client.get("/hot/half")

    assert (answer.status_code, answer.content) == (200, b"half")


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({}, "invalid_type", ["name"]),
        ({"name": "a"}, "too_small", ["name"]),
        ({"name": 1}, "invalid_type", ["name"]),
        ({"name": "ab", "x": 1}, "unrecognized_keys", []),
        ([], "invalid_type", []),
    ],
)
async def test_a_refusal_names_the_place(client: httpx.AsyncClient, body: Any, code: str, path: list[str]) -> None:
    answer = await client.post("/thing", json=body)

    assert answer.status_code == 400
    assert [(i["code"], i["path"]) for i in answer.json()["error"]["errors"]] == [(code, path)]


def test_rendering_never_shows_what_was_not_meant_for_it() -> None:
    rendered = render(KeyError("token=abc"))

    assert rendered.status == 500
    assert b"token" not in rendered.body
    assert json.loads(rendered.body)["error"]["code"] == "generic_error_support"
