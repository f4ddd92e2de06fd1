"""The RFC 9700 checklist, and servers, callbacks and attackers that answer what they should not.

Whatever it is, it ends in one message for the person, one code for the developer and one log operation without secrets.
"""

import re
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from aiohttp import web

from dragoman_server.logs.model import OperationFilter
from tests.connect.browsing import API, browser
from tests.connect.world import World, params_of
from tests.connect.world import world as make_world

SECRET = "app-secret-0123456789"
CODE = "code-0123456789abcdef"
ENTRY = """
display_name: Odd
docs: https://odd.example/docs
categories: [crm]
auth_mode: OAUTH2
authorization_url: {base}/authorize
token_url: {base}/token
issuer: {base}
authorization_response_iss_parameter_supported: true
proxy: {{ base_url: '{base}/api' }}
"""
PUSHED = ENTRY + "pushed_authorization_request_url: {base}/par\n"
BOUND = ENTRY + "dpop: true\n"
LEAK = "leak-0123456789"
ANSWERS: dict[str, tuple[int, str, str]] = {
    "html": (200, "text/html", f"<!doctype html><html><body>{LEAK}</body></html>"),
    "html with a 500": (500, "text/html", f"<html><body>{LEAK}</body></html>"),
    "xml": (200, "text/xml", f"<error><message>{LEAK}</message></error>"),
    "xml with entities": (200, "text/xml", '<!DOCTYPE a [<!ENTITY b "c">]><access_token>&b;</access_token>'),
    "an error with a 200": (
        200,
        "application/json",
        f'{{"error":"bad_verification_code","error_description":"{LEAK}"}}',
    ),
    "an error of no kind": (400, "application/json", f'{{"error":{{"deep":["{LEAK}"]}}}}'),
    "an empty body": (200, "application/json", ""),
    "a list": (200, "application/json", f'["{LEAK}"]'),
    "a token that is no text": (200, "application/json", '{"access_token":{"a":1}}'),
    "broken json": (200, "application/json", '{"access_token":"x"'),
    "json without a bottom": (200, "application/json", '{"access_token":' * 50_000),
    "bytes": (200, "application/octet-stream", "\x00\x01\x02"),
    "a redirect": (302, "text/plain", ""),
    "too many requests": (429, "application/json", '{"error":"slow_down"}'),
}


@dataclass
class Odd:
    """`token` and `par`: what the endpoints answer, as (status, content type, body)."""

    base: str = ""
    token: tuple[int, str, str] = (200, "application/json", '{"access_token":"an-access-token-1"}')
    par: tuple[int, str, str] = (201, "application/json", '{"request_uri":"urn:x:1","expires_in":60}')
    seen: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    async def answer(self, request: web.Request) -> web.Response:
        self.seen.append({"path": request.path, **{k: str(v) for k, v in (await request.post()).items()}})
        status, kind, text = self.token if request.path == "/token" else self.par
        headers = {"Location": f"{self.base}/elsewhere"} if status == 302 else {}
        return web.Response(status=status, body=text.encode(), content_type=kind, headers=headers)


@pytest.fixture
async def odd(tmp_path: Path) -> AsyncGenerator[Odd]:
    made = Odd()
    app = web.Application()
    for path in ("/token", "/par", "/elsewhere"):
        app.router.add_route("*", path, made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    (tmp_path / "providers").mkdir()
    for name, text in {"odd": ENTRY, "odd-pushed": PUSHED, "odd-bound": BOUND}.items():
        (tmp_path / "providers" / f"{name}.yaml").write_text(text.format(base=made.base), "utf-8")
    yield made
    await runner.cleanup()


@pytest.fixture
async def land(database_url: str, tmp_path: Path, odd: Odd) -> AsyncGenerator[World]:
    async with make_world(database_url, tmp_path) as world:
        app = {"type": "OAUTH2", "client_id": "app", "client_secret": SECRET, "scopes": "read"}
        for name in ("odd", "odd-pushed", "odd-bound"):
            await world.one.integrations.create(world.environment.id, name, name, credentials=app)
        yield world


async def begun(world: World, client: httpx.AsyncClient, name: str = "odd", **query: str) -> httpx.Response:
    _, token = await world.session(allowed_integrations=[name], tags={"team": "red"})
    headers = {"authorization": f"Bearer {token.reveal()}", "accept": "text/html"}
    return await client.get(f"/oauth/connect/{name}", params=query, headers=headers)


async def ending(world: World, page: httpx.Response) -> tuple[str, str, str]:
    """The code the page tells, how the newest operation ended, and whether either shows a secret."""
    logs = world.one.logs
    await logs.flush()
    operation = (await logs.search_operations(world.environment.id, OperationFilter())).items[0]
    told = repr([*(await logs.messages(world.environment.id, operation.id)).items, operation])
    leaks = [s for s in (SECRET, CODE, LEAK) if s in told or s in page.text]
    code = re.search(r'"errorType":"(\w+)"', page.text)
    assert page.status_code == 400
    assert code is not None, page.text
    return code[1], operation.state, "leaks" if leaks else "nothing leaks"


async def ends_once(world: World, page: httpx.Response, code: str) -> None:
    """One page with one code, one failed operation; nothing secret anywhere, nothing stored."""
    assert await ending(world, page) == (code, "failed", "nothing leaks")
    assert await world.one.connections.list(world.environment.id) == []


async def test_every_strange_token_answer_ends_in_one_message(land: World, odd: Odd) -> None:
    endings: dict[str, list[str]] = {}
    async with browser(land) as client:
        for name, answer in ANSWERS.items():
            odd.token, odd.seen = answer, []
            state = params_of((await begun(land, client)).headers["location"])["state"]
            page = await client.get("/oauth/callback", params={"state": state, "code": CODE, "iss": odd.base})
            endings[name] = [*await ending(land, page), *(call["path"] for call in odd.seen)]

    assert endings == dict.fromkeys(ANSWERS, ["token_err", "failed", "nothing leaks", "/token"])
    assert [f.error_type for f in land.told.failed] == ["token_err"] * len(ANSWERS)
    assert await land.one.connections.list(land.environment.id) == []


async def test_a_strange_answer_to_a_pushed_request_sends_nobody_away(land: World, odd: Odd) -> None:
    endings: dict[str, list[str]] = {}
    async with browser(land) as client:
        for name, answer in ANSWERS.items():
            odd.par, odd.seen = answer, []
            page = await begun(land, client, "odd-pushed")
            endings[name] = [*await ending(land, page), *(call["path"] for call in odd.seen)]

    assert endings == dict.fromkeys(ANSWERS, ["pushed_authorization_err", "failed", "nothing leaks", "/par"])


async def test_a_token_that_is_not_bound_where_it_must_be_is_refused(land: World, odd: Odd) -> None:
    odd.token = (200, "application/json", '{"access_token":"an-access-token-1","token_type":"Bearer"}')
    async with browser(land) as client:
        asked = params_of((await begun(land, client, "odd-bound")).headers["location"])
        page = await client.get("/oauth/callback", params={"state": asked["state"], "code": CODE, "iss": odd.base})

    assert len(asked["dpop_jkt"]) == 43
    await ends_once(land, page, "token_err")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"code": CODE, "iss": "https://attacker.example"}, "state_err"),
        ({"code": CODE}, "state_err"),
        ({"error": "access_denied", "error_description": LEAK, "iss": "self"}, "callback_err"),
        ({"error": "<script>alert(1)</script>", "iss": "self"}, "callback_err"),
        ({"iss": "self"}, "callback_err"),
        ({"code": "", "iss": "self"}, "callback_err"),
    ],
)
async def test_a_mixed_up_or_refused_callback_asks_for_no_token(
    land: World, odd: Odd, query: dict[str, str], code: str
) -> None:
    given = {k: odd.base if v == "self" else v for k, v in query.items()}
    async with browser(land) as client:
        state = params_of((await begun(land, client)).headers["location"])["state"]
        page = await client.get("/oauth/callback", params={"state": state, **given})

    await ends_once(land, page, code)
    assert "<script>alert" not in page.text
    assert odd.seen == []


async def test_a_forged_state_and_a_replayed_callback_reach_no_server(land: World, odd: Odd) -> None:
    async with browser(land) as client:
        state = params_of((await begun(land, client)).headers["location"])["state"]
        forged = await client.get("/oauth/callback", params={"state": "x" * 43, "code": CODE, "iss": odd.base})
        back = {"state": state, "code": CODE, "iss": odd.base}
        first = await client.get("/oauth/callback", params=back)
        replayed = await client.get("/oauth/callback", params=back)

    assert (forged.status_code, first.status_code, replayed.status_code) == (400, 200, 400)
    assert '"errorType":"state_err"' in forged.text
    assert '"errorType":"state_err"' in replayed.text
    assert len(odd.seen) == 1


async def test_the_browser_chooses_none_of_what_protects_the_flow(land: World, odd: Odd) -> None:
    chosen = {
        "state": "mine", "redirect_uri": "https://attacker.example", "client_id": "other", "response_type": "token",
        "code_challenge": "mine", "code_challenge_method": "plain", "request_uri": "urn:mine", "dpop_jkt": "mine",
    }  # fmt: skip
    async with browser(land) as client:
        away = await begun(land, client, **{f"authorization_params[{k}]": v for k, v in chosen.items()})

    asked = params_of(away.headers["location"])
    assert asked["redirect_uri"] == f"{API}/oauth/callback"
    assert asked["client_id"] == "app"
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert "mine" not in asked.values()
    assert "request_uri" not in asked


async def test_a_pushed_request_says_all_and_the_address_only_its_reference(land: World, odd: Odd) -> None:
    async with browser(land) as client:
        away = await begun(land, client, "odd-pushed")

    assert params_of(away.headers["location"]) == {"client_id": "app", "request_uri": "urn:x:1"}
    [pushed] = odd.seen
    assert pushed["client_secret"] == SECRET
    assert pushed["redirect_uri"] == f"{API}/oauth/callback"
    assert pushed["code_challenge_method"] == "S256"
    assert len(pushed["state"]) == 43


async def test_no_token_stands_in_any_address_and_the_redirect_uri_is_said_again_exactly(land: World, odd: Odd) -> None:
    async with browser(land) as client:
        away = await begun(land, client)
        asked = params_of(away.headers["location"])
        page = await client.get("/oauth/callback", params={"state": asked["state"], "code": CODE, "iss": odd.base})

    [redeemed] = odd.seen
    assert page.status_code == 200
    assert redeemed["redirect_uri"] == asked["redirect_uri"]
    assert redeemed["code_verifier"]
    assert "an-access-token-1" not in page.text
    assert urlsplit(away.headers["location"]).fragment == ""
    assert page.headers["referrer-policy"] == "no-referrer"
