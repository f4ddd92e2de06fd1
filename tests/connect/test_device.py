"""A code typed in on another device (RFC 8628), against a server that says what a test wants it to say next."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from aiohttp import web

from dragoman_server.connect import _device_store
from dragoman_server.connect.device import FACT, MOST_OF_A_SESSION
from dragoman_server.kit.ids import OperationId
from dragoman_server.outbox import FactsFailedError, NotYetError, Relay, StoredFact
from tests.conftest import MoveClock
from tests.connect.browsing import api_key, browser
from tests.connect.world import World, process
from tests.connect.world import world as make_world

DEVICE_CODE = "the-device-code-0123456789"
ENTRY = """
display_name: Television
docs: https://tv.example/docs
categories: [video]
auth_mode: OAUTH2
device_authorization_url: {base}/device
device_authorization_params: {{ audience: api }}
token_url: {base}/token
proxy: {{ base_url: '{base}/api' }}
"""
TOKEN = {"access_token": "an-access-token-1", "refresh_token": "a-refresh-token-1", "expires_in": 3600}
PENDING = (400, {"error": "authorization_pending"})


@dataclass
class Server:
    """`says`: the token endpoint's next answers, the last one again and again."""

    base: str = ""
    says: list[tuple[int, Any]] = field(default_factory=lambda: [PENDING])
    gives: dict[str, Any] = field(
        default_factory=lambda: {
            "device_code": DEVICE_CODE,
            "user_code": "WDJB-MJHT",
            "verification_uri": "https://tv.example/activate",
            "verification_uri_complete": "https://tv.example/activate?user_code=WDJB-MJHT",
            "expires_in": 600,
            "interval": 5,
        }
    )
    forms: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    hold: asyncio.Event = field(default_factory=asyncio.Event)
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def device(self, request: web.Request) -> web.Response:
        self.forms.append({k: str(v) for k, v in (await request.post()).items()})
        return web.json_response(self.gives, status=400 if "error" in self.gives else 200)

    async def token(self, request: web.Request) -> web.Response:
        self.forms.append({k: str(v) for k, v in (await request.post()).items()})
        self.asked.set()
        await self.hold.wait()
        status, body = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        return web.json_response(body, status=status)

    @property
    def polls(self) -> int:
        return sum("device_code" in form for form in self.forms)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncGenerator[Server]:
    made = Server()
    made.hold.set()
    app = web.Application()
    app.router.add_post("/device", made.device)
    app.router.add_post("/token", made.token)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "tv.yaml").write_text(ENTRY.format(base=made.base), "utf-8")
    yield made
    await runner.cleanup()


@pytest.fixture
async def tv(database_url: str, tmp_path: Path, server: Server) -> AsyncGenerator[World]:
    async with make_world(database_url, tmp_path) as world:
        app = {"type": "OAUTH2", "client_id": "tv-client", "scopes": "read,write"}
        await world.one.integrations.create(world.environment.id, "tv", "tv", credentials=app)
        yield world


@dataclass
class CodePage:
    """The page that shows the code."""

    client: httpx.AsyncClient
    headers: dict[str, str]

    async def begin(self, **query: str) -> httpx.Response:
        return await self.client.post("/oauth/device/tv", headers=self.headers, params=query)

    async def look(self, id_: str) -> dict[str, Any]:
        return (await self.client.get(f"/oauth/device/{id_}", headers=self.headers)).json()["data"]


@pytest.fixture
async def page(tv: World) -> AsyncGenerator[CodePage]:
    async with browser(tv) as client:
        _, token = await tv.session(tags={"team": "red"})
        yield CodePage(client, {"authorization": f"Bearer {token.reveal()}"})


async def poll(world: World, id_: str) -> float | None:
    wait = await world.one.parts.devices.poll(world.environment.id, UUID(id_))
    return None if wait is None else wait.total_seconds()


async def test_the_person_sees_the_code_and_never_the_device_code(tv: World, server: Server, page: CodePage) -> None:
    response = await page.begin()

    shown = response.json()["data"]
    assert response.status_code == 201
    assert {k: v for k, v in shown.items() if k != "id"} == {
        k: v for k, v in server.gives.items() if k != "device_code"
    }
    assert server.forms[0] == {"client_id": "tv-client", "scope": "read write", "audience": "api"}
    assert (await page.look(shown["id"]))["status"] == "pending"
    async with tv.one.database.connection() as conn:
        row = await _device_store.claim(conn, tv.environment.id, UUID(shown["id"]), timedelta(seconds=1))
    assert row is not None
    assert DEVICE_CODE.encode() not in row.sealed


async def test_pending_waits_and_slow_down_waits_longer_from_then_on(tv: World, server: Server, page: CodePage) -> None:
    id_ = (await page.begin()).json()["data"]["id"]
    server.says = [PENDING, (400, {"error": "slow_down"}), PENDING]

    waits = [await poll(tv, id_) for _ in range(3)]

    assert waits == [5, 10, 10]


async def test_a_server_that_fails_is_asked_less_often(tv: World, server: Server, page: CodePage) -> None:
    id_ = (await page.begin()).json()["data"]["id"]
    server.says = [(503, {"error": "server_error"}), (200, TOKEN)]

    waits = [await poll(tv, id_) for _ in range(2)]

    assert waits == [10, None]
    assert (await page.look(id_))["status"] == "connected"


async def test_the_relay_asks_until_it_ends_and_tells_the_socket(
    tv: World, server: Server, page: CodePage, move_clock: MoveClock
) -> None:
    id_ = (await page.begin(ws_client_id="socket-1")).json()["data"]["id"]
    server.says = [(200, TOKEN)]
    relay = Relay(database=tv.one.database, handlers={FACT: tv.one.parts.devices.handle})

    await relay.once()
    too_early = server.polls
    await move_clock(tv.url, timedelta(seconds=6))
    await relay.once()

    assert too_early == 0
    standing = await page.look(id_)
    assert standing["status"] == "connected"
    assert standing["connection_id"] == tv.told.connected[0].connection.connection_id
    assert [(o.ok, o.ws_client_id) for o in tv.told.outcomes] == [(True, "socket-1")]


async def test_a_session_begins_no_codes_without_end(tv: World, server: Server, page: CodePage) -> None:
    """Each is asked about again and again: whoever has a link could make the server call a provider all day."""
    begun = [await page.begin() for _ in range(MOST_OF_A_SESSION + 2)]
    asked = len(server.forms)
    server.says = [(400, {"error": "access_denied"})]
    await poll(tv, begun[0].json()["data"]["id"])

    assert [r.status_code for r in begun] == [201] * MOST_OF_A_SESSION + [400, 400]
    assert begun[-1].json()["error"]["code"] == "device_authorization_err"
    assert asked == MOST_OF_A_SESSION
    assert (await page.begin()).status_code == 201


def facts_of(world: World, *keys: str) -> list[StoredFact]:
    return [StoredFact(n, FACT, world.environment.id, key, {"v": 1}, 1, 0, 1) for n, key in enumerate(keys)]


async def test_a_turn_that_lasts_begins_no_more_polls(tv: World, server: Server, page: CodePage) -> None:
    """The relay cuts off a turn that lasts too long, and with it whoever has a token in hand."""
    ids = [(await page.begin()).json()["data"]["id"] for _ in range(2)]
    devices = tv.one.parts.devices
    devices.turn_seconds = -1

    with pytest.raises(FactsFailedError) as left:
        await devices.handle(facts_of(tv, *ids))

    assert server.polls == 0
    assert [type(error) for error in left.value.failures.values()] == [NotYetError, NotYetError]


async def test_a_poll_that_breaks_costs_no_other_its_token(tv: World, server: Server, page: CodePage) -> None:
    id_ = (await page.begin()).json()["data"]["id"]
    server.says = [(200, TOKEN)]

    with pytest.raises(FactsFailedError) as failed:
        await tv.one.parts.devices.handle(facts_of(tv, "no id at all", id_))

    assert list(failed.value.failures) == [0]
    assert (await page.look(id_))["status"] == "connected"


@pytest.mark.parametrize("error", ["access_denied", "expired_token", "invalid_grant", "something_else"])
async def test_every_refusal_ends_it_with_one_message_and_stores_nothing(
    tv: World, server: Server, page: CodePage, error: str
) -> None:
    id_ = (await page.begin()).json()["data"]["id"]
    server.says = [(400, {"error": error, "error_description": "secret words of the vendor"})]

    assert await poll(tv, id_) is None
    assert await poll(tv, id_) is None

    standing = await page.look(id_)
    known = error if error in {"access_denied", "expired_token"} else "token_err"
    assert standing["error"]["code"] == known
    assert "secret words" not in standing["error"]["message"]
    assert server.polls == 1
    assert [f.error_type for f in tv.told.failed] == [known]


async def test_two_pollers_ask_once(
    tv: World, server: Server, page: CodePage, database_url: str, tmp_path: Path
) -> None:
    id_ = (await page.begin()).json()["data"]["id"]
    server.says = [(200, TOKEN)]
    server.hold.clear()
    async with process(database_url, tmp_path, tv.told) as other:
        first = asyncio.create_task(poll(tv, id_))
        await server.asked.wait()

        second = await other.parts.devices.poll(tv.environment.id, UUID(id_))
        server.hold.set()

        assert await first is None
    assert second is not None
    assert server.polls == 1
    assert len(tv.told.connected) == 1


async def test_another_process_goes_on_after_a_restart(
    tv: World, server: Server, page: CodePage, database_url: str, tmp_path: Path
) -> None:
    id_ = (await page.begin()).json()["data"]["id"]
    await poll(tv, id_)
    server.says = [(200, TOKEN)]
    async with process(database_url, tmp_path, tv.told) as other:
        assert await other.parts.devices.poll(tv.environment.id, UUID(id_)) is None

    assert (await page.look(id_))["status"] == "connected"


async def test_only_the_session_that_began_it_may_look(tv: World, page: CodePage) -> None:
    id_ = (await page.begin()).json()["data"]["id"]
    _, token = await tv.session(tags={"team": "blue"})

    other = await page.client.get(f"/oauth/device/{id_}", headers={"authorization": f"Bearer {token.reveal()}"})
    key = await page.client.get(f"/oauth/device/{id_}", headers=await api_key(tv))
    wrong = await page.client.get("/oauth/device/not-an-id", headers=page.headers)

    assert (other.status_code, key.status_code, wrong.status_code) == (404, 403, 400)


@pytest.mark.parametrize(
    "gives",
    [
        {"error": "invalid_client"},
        {},
        {"device_code": "d", "user_code": "u", "verification_uri": "javascript:alert(1)"},
        {"device_code": "d", "user_code": "u" * 200, "verification_uri": "https://tv.example"},
        {"device_code": "d", "verification_uri": "https://tv.example"},
    ],
)
async def test_an_answer_that_is_no_code_is_refused_in_the_envelope(
    server: Server, page: CodePage, gives: dict[str, Any]
) -> None:
    server.gives = gives

    response = await page.begin()

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "device_authorization_err"


@pytest.mark.parametrize("life", [1e300, -1e300, 10**18, "9" * 400, "nan", [1]])
async def test_a_life_beyond_all_measure_is_no_fault(server: Server, page: CodePage, life: object) -> None:
    server.gives["expires_in"] = life

    response = await page.begin()

    assert response.status_code == 201
    assert 1 <= response.json()["data"]["expires_in"] <= 1800


async def test_a_provider_without_device_codes_says_so_and_one_without_a_browser_too(tv: World, page: CodePage) -> None:
    await tv.integration()

    device = await page.client.post("/oauth/device/acme", headers=page.headers)
    consent = await page.client.get("/oauth/connect/tv", headers=page.headers)

    assert device.json()["error"]["code"] == "invalid_auth_mode"
    assert "POST /oauth/device/tv" in consent.text


async def test_the_log_tells_the_story_without_its_secrets(tv: World, server: Server, page: CodePage) -> None:
    id_ = (await page.begin()).json()["data"]["id"]
    server.says = [(200, TOKEN)]
    await poll(tv, id_)

    operation = tv.told.connected[0].operation_id
    logs = tv.one.logs
    await logs.flush()
    shown = repr([await logs.operation(tv.environment.id, OperationId(operation))])
    told = shown + repr((await logs.messages(tv.environment.id, OperationId(operation))).items)

    assert "/device" in told
    assert "/token" in told
    assert "The connection is authorized." in told
    assert not [s for s in (DEVICE_CODE, TOKEN["access_token"], TOKEN["refresh_token"]) if str(s) in told]


async def test_a_code_nobody_used_in_time_expires(
    tv: World, server: Server, page: CodePage, move_clock: MoveClock
) -> None:
    server.gives["expires_in"] = 300
    id_ = (await page.begin()).json()["data"]["id"]

    await move_clock(tv.url, timedelta(seconds=301))

    assert await poll(tv, id_) is None
    assert (await page.look(id_))["error"]["code"] == "expired_token"
    assert server.polls == 0
