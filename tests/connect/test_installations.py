"""An app installed in the provider's own store: a pending connection, the provider's call, and who may not get it."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiohttp import web

from dragoman_server.api import connect_routes, inbound_routes
from dragoman_server.api.app import build_app
from dragoman_server.connect import _installation_store
from dragoman_server.connect.installations import LIFE
from dragoman_server.control.environments import Environments
from dragoman_server.control.model import Connection
from dragoman_server.flows.inbound_webhook import InboundWebhook
from dragoman_server.kit.clock import SystemClock
from dragoman_server.kit.ids import ConnectionRowId
from dragoman_server.outbox import Relay
from dragoman_server.web.asgi import Front
from dragoman_server.web.authenticate import Authenticator
from dragoman_server.web.limits import RateLimiter
from dragoman_server.webhooks.inbound import BODY_LIMIT
from tests.conftest import MoveClock
from tests.connect.world import World, process
from tests.connect.world import world as make_world

SECRET = "the-webhook-secret"
CODE = "the-installation-code-1"
ENTRY = """
display_name: Shop
docs: https://shop.example/docs
categories: [e-commerce]
auth_mode: OAUTH2
token_url: {base}/token
connection_config:
  shop_id: {{ type: string, title: Shop, automated: true }}
  note: {{ type: string, title: Note, optional: true }}
installation:
  webhook:
    signature:
      header: X-Shop-Signature
      prefix: 'v1='
      content: '${{timestamp}}.${{body}}'
      timestamp: {{ header: X-Shop-Time }}
    when: {{ event: app.installed }}
    match: {{ shop_id: shop.id }}
    code: grant.code
    config: {{ plan: shop.plan }}
proxy: {{ base_url: '{base}/api' }}
"""


@dataclass
class Shop:
    """The provider. `says`: the token endpoint's next answers, the last one again and again."""

    base: str = ""
    says: list[tuple[int, Any]] = field(default_factory=lambda: [(200, {"access_token": "a-token-of-the-shop"})])
    forms: list[dict[str, str]] = field(default_factory=list[dict[str, str]])

    async def token(self, request: web.Request) -> web.Response:
        self.forms.append({k: str(v) for k, v in (await request.post()).items()})
        status, body = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        return web.json_response(body, status=status)


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncGenerator[Shop]:
    made = Shop()
    app = web.Application()
    app.router.add_post("/token", made.token)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    (tmp_path / "providers").mkdir()
    (tmp_path / "providers" / "shop.yaml").write_text(ENTRY.format(base=made.base), "utf-8")
    yield made
    await runner.cleanup()


@dataclass
class Place:
    """The platform as the person, the backend and the provider meet it."""

    world: World
    shop: Shop
    http: httpx.AsyncClient
    relay: Relay

    async def token(self, shop_id: str | None = "17", **options: Any) -> str:
        """The backend makes a session for the customer whose shop it is."""
        preset = {} if shop_id is None else {"shop": {"connection_config": {"shop_id": shop_id}}}
        _, token = await self.world.session(tags={"team": "red"}, integrations_config_defaults=preset, **options)
        return token.reveal()

    async def begin(self, token: str, **query: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}"}
        return await self.http.post("/auth/oauth-outbound/shop", headers=headers, params=query)

    async def tell(
        self,
        body: Any = None,
        *,
        secret: str = SECRET,
        at: float | None = None,
        integration: str = "shop",
        environment: str | None = None,
    ) -> httpx.Response:
        """The provider calls us."""
        raw = json.dumps(event() if body is None else body).encode()
        stamp = str(int(time.time() if at is None else at))
        signature = hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
        where = environment or str(self.world.environment.uuid)
        headers = {"x-shop-signature": f"v1={signature}", "x-shop-time": stamp, "content-type": "text/plain"}
        return await self.http.post(f"/webhook/{where}/{integration}", content=raw, headers=headers)

    async def connection(self, connection_id: str) -> Connection | None:
        one = self.world.one
        async with one.database.connection() as conn:
            return await one.connections.get(self.world.environment.id, "shop", connection_id, conn=conn)

    async def access_token(self, connection_id: str) -> str | None:
        found = await self.connection(connection_id)
        assert found is not None
        stored = await self.world.one.parts.credentials.state(self.world.environment.id, found)
        return None if stored is None else stored.credential.token()


def event(**changes: Any) -> dict[str, Any]:
    return {"event": "app.installed", "shop": {"id": 17, "plan": "pro"}, "grant": {"code": CODE}} | changes


@pytest.fixture
async def place(database_url: str, tmp_path: Path, shop: Shop) -> AsyncGenerator[Place]:
    async with make_world(database_url, tmp_path) as world:
        one = world.one
        app = {"type": "OAUTH2", "client_id": "shop-app", "client_secret": "s", "webhook_secret": SECRET}
        await one.integrations.create(world.environment.id, "shop", "shop", credentials=app)
        environments = Environments(database=one.database, vault=one.vault, invalidations=one.invalidations)
        inbound = InboundWebhook(
            environments=environments,
            integrations=one.integrations,
            catalogue=one.catalogue,
            installations=one.parts.installations,
        )

        async def nobody(_: Any) -> None:
            return None

        authenticator = Authenticator(
            keys=nobody, sessions=one.parts.sessions.find, limiter=RateLimiter(per_minute=10_000, clock=SystemClock())
        )
        routers = [
            connect_routes.routes(
                connect=one.parts.connect, connections=one.connections, environments=environments, tell=nobody
            ),
            inbound_routes.routes(inbound, per_minute=30),
        ]
        front = Front(rest=build_app(authenticator=authenticator, routers=routers, edition="full"), hot={})
        relay = Relay(
            database=one.database,
            handlers={"installation": one.parts.installations.handle},
            listen_url=database_url,
        )
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url="http://d.test") as http:
            yield Place(world, shop, http, relay)


async def test_a_pending_connection_is_completed_by_the_providers_call(place: Place) -> None:
    answer = await place.begin(await place.token())

    made = answer.json()
    assert (answer.status_code, made["providerConfigKey"], made["isPending"]) == (200, "shop", True)
    waiting = await place.connection(made["connectionId"])
    assert waiting is not None
    assert waiting.pending
    assert waiting.connection_config == {"shop_id": "17", "pending": True}
    assert place.world.told.connected == []

    told = await place.tell()
    await place.relay.once()

    assert told.status_code == 200
    complete = await place.connection(made["connectionId"])
    assert complete is not None
    assert not complete.pending
    assert complete.connection_config == {"shop_id": "17", "plan": "pro"}
    assert complete.tags == {"team": "red"}
    assert [(c.operation, c.connection.id) for c in place.world.told.connected] == [("creation", complete.id)]
    assert await place.access_token(made["connectionId"]) == "a-token-of-the-shop"
    assert place.shop.forms == [
        {"grant_type": "authorization_code", "code": CODE, "client_id": "shop-app", "client_secret": "s"}
    ]


async def test_whose_installation_it_is_cannot_be_typed_in(place: Place) -> None:
    bare = await place.begin(await place.token(None))
    typed = await place.begin(await place.token(None), **{"params[shop_id]": "17"})
    over = await place.begin(await place.token("17"), **{"params[shop_id]": "99", "params[note]": "mine"})

    assert (bare.status_code, bare.json()["error"]["code"]) == (400, "invalid_credentials")
    assert "integrations_config_defaults.shop.connection_config.shop_id" in bare.json()["error"]["message"]
    assert (typed.status_code, typed.json()["error"]["code"]) == (400, "invalid_query_params")
    found = await place.connection(over.json()["connectionId"])
    assert found is not None
    assert found.connection_config == {"shop_id": "17", "note": "mine", "pending": True}


async def test_a_reconnect_cannot_type_it_in_either(place: Place) -> None:
    made = (await place.begin(await place.token())).json()
    await place.tell()
    await place.relay.once()
    stored = await place.connection(made["connectionId"])
    assert stored is not None
    _, token = await place.world.session(reconnect=stored.id)

    typed = await place.begin(token.reveal(), **{"params[shop_id]": "99"})
    again = await place.begin(token.reveal())

    assert (typed.status_code, typed.json()["error"]["code"]) == (400, "invalid_query_params")
    assert again.json()["connectionId"] == made["connectionId"]
    place.shop.says = [(200, {"access_token": "a-newer-token"})]
    await place.tell(event(grant={"code": "another-code"}))
    await place.relay.once()
    assert [c.operation for c in place.world.told.connected] == ["creation", "override"]
    assert await place.access_token(made["connectionId"]) == "a-newer-token"


async def test_a_forged_an_old_and_a_strangers_call_read_the_same(place: Place) -> None:
    made = (await place.begin(await place.token())).json()

    refused = [
        await place.tell(secret="another-secret"),
        await place.tell(at=time.time() - 301),
        await place.tell(at=time.time() + 301),
        await place.tell(integration="unknown"),
        await place.tell(integration="a%00b"),
        await place.tell(environment="00000000-0000-4000-8000-000000000000"),
        await place.tell(environment="no-uuid"),
        await place.http.post(f"/webhook/{place.world.environment.uuid}/shop", content=json.dumps(event())),
    ]

    assert {(r.status_code, r.text) for r in refused} == {(401, refused[0].text)}
    assert refused[0].json()["error"]["code"] == "webhook_invalid_signature"
    await place.relay.once()
    waiting = await place.connection(made["connectionId"])
    assert waiting is not None
    assert waiting.pending
    assert place.shop.forms == []


@pytest.mark.parametrize(
    "body",
    [
        event(event="app.uninstalled"),
        event(shop={"id": 18}),
        event(shop={"id": True}),
        event(shop={}),
        event(shop="17"),
        event(grant={}),
        event(grant={"code": ["x"]}),
        [event()],
        "app.installed",
    ],
)
async def test_every_other_event_is_answered_and_changes_nothing(place: Place, body: Any) -> None:
    made = (await place.begin(await place.token())).json()

    answer = await place.tell(body)
    await place.relay.once()

    assert answer.status_code == 204
    waiting = await place.connection(made["connectionId"])
    assert waiting is not None
    assert waiting.pending
    assert place.shop.forms == []


async def test_a_repeated_call_changes_nothing(place: Place) -> None:
    await place.begin(await place.token())

    answers = [await place.tell(), await place.tell()]
    await place.relay.once()
    answers.append(await place.tell())
    await place.relay.once()

    assert [a.status_code for a in answers] == [200, 204, 204]
    assert len(place.shop.forms) == 1
    assert len(place.world.told.connected) == 1


async def test_another_environments_and_another_integrations_calls_are_not_for_it(place: Place) -> None:
    one = place.world.one
    app = {"type": "OAUTH2", "client_id": "shop-app", "webhook_secret": SECRET}
    await one.integrations.create(place.world.environment.id, "shop-2", "shop", credentials=app)
    environments = Environments(database=one.database, vault=one.vault, invalidations=one.invalidations)
    other = await environments.create(place.world.account.id, "other")
    await one.integrations.create(other.id, "shop", "shop", credentials=app)
    await place.begin(await place.token())

    answers = [await place.tell(integration="shop-2"), await place.tell(environment=str(other.uuid))]
    await place.relay.once()

    assert [a.status_code for a in answers] == [204, 204]
    assert place.world.told.connected == []


async def test_one_connection_waits_for_an_installation(place: Place) -> None:
    token = await place.token()
    first = (await place.begin(token)).json()

    same = await place.begin(token)
    other = await place.begin(await place.token())
    elsewhere = await place.begin(await place.token("18"))

    assert same.json() == first
    assert (other.status_code, other.json()["error"]["code"]) == (409, "installation_awaited")
    assert first["connectionId"] in other.json()["error"]["message"]
    assert elsewhere.status_code == 200
    await place.world.one.parts.connect.delete(place.world.environment.id, "shop", first["connectionId"])
    assert (await place.begin(await place.token())).status_code == 200


async def test_of_two_that_begin_at_once_one_waits(place: Place) -> None:
    tokens = [await place.token() for _ in range(4)]

    answers = await asyncio.gather(*(place.begin(token) for token in tokens))

    assert sorted(a.status_code for a in answers) == [200, 409, 409, 409]


async def test_a_wait_ends_and_its_connection_goes(place: Place, move_clock: MoveClock) -> None:
    made = (await place.begin(await place.token())).json()
    assert await place.world.one.parts.installations.expire() is None
    assert await place.connection(made["connectionId"]) is not None

    await move_clock(place.world.url, LIFE + timedelta(minutes=1))
    late = await place.tell()
    await place.world.one.parts.installations.expire()

    assert late.status_code == 204
    assert await place.connection(made["connectionId"]) is None


async def test_a_wait_that_ended_makes_room_before_it_is_swept(place: Place, move_clock: MoveClock) -> None:
    first = (await place.begin(await place.token())).json()
    await move_clock(place.world.url, LIFE + timedelta(minutes=1))

    second = await place.begin(await place.token())

    assert second.status_code == 200
    assert await place.connection(first["connectionId"]) is None


async def test_a_reconnect_that_never_came_costs_nothing(place: Place, move_clock: MoveClock) -> None:
    made = (await place.begin(await place.token())).json()
    await place.tell()
    await place.relay.once()
    stored = await place.connection(made["connectionId"])
    assert stored is not None
    _, token = await place.world.session(reconnect=stored.id)
    await place.begin(token.reveal())

    await move_clock(place.world.url, LIFE + timedelta(minutes=1))
    await place.world.one.parts.installations.expire()

    assert await place.connection(made["connectionId"]) is not None


async def test_a_refused_code_is_told_and_the_next_call_is_used(place: Place) -> None:
    place.shop.says = [(400, {"error": "invalid_grant"}), (200, {"access_token": "a-token-of-the-shop"})]
    made = (await place.begin(await place.token())).json()

    await place.tell()
    await place.relay.once()
    waiting = await place.connection(made["connectionId"])
    assert waiting is not None
    assert waiting.pending
    assert [f.error_type for f in place.world.told.failed] == ["token_err"]

    assert (await place.tell(event(grant={"code": "a-better-code"}))).status_code == 200
    await place.relay.once()

    assert place.shop.forms[-1]["code"] == "a-better-code"
    assert len(place.world.told.connected) == 1


async def test_a_provider_that_is_down_is_asked_again(place: Place, move_clock: MoveClock) -> None:
    place.shop.says = [(503, {}), (200, {"access_token": "a-token-of-the-shop"})]
    made = (await place.begin(await place.token())).json()

    await place.tell()
    await place.relay.once()
    assert place.world.told.failed == []
    await move_clock(place.world.url, timedelta(seconds=20))
    await place.relay.once()

    assert await place.access_token(made["connectionId"]) == "a-token-of-the-shop"


async def test_what_came_outlives_the_process_that_took_it(place: Place, database_url: str, tmp_path: Path) -> None:
    made = (await place.begin(await place.token())).json()
    await place.tell()
    found = await place.connection(made["connectionId"])
    assert found is not None

    async with process(database_url, tmp_path, place.world.told) as another:
        number = ConnectionRowId(found.id)
        both = await asyncio.gather(
            another.parts.installations.complete(place.world.environment.id, number),
            another.parts.installations.complete(place.world.environment.id, number),
        )
    await place.relay.once()  # the fact, after all is done

    assert both.count(None) >= 1
    assert len(place.shop.forms) == 1
    assert len(place.world.told.connected) == 1


async def test_nothing_is_complete_when_what_follows_fails(place: Place) -> None:
    place.world.told.explode = True
    made = (await place.begin(await place.token())).json()

    await place.tell()
    await place.relay.once()

    waiting = await place.connection(made["connectionId"])
    assert waiting is not None
    assert waiting.pending
    assert await place.access_token(made["connectionId"]) is None


async def test_the_code_is_stored_sealed(place: Place) -> None:
    made = (await place.begin(await place.token())).json()
    await place.tell()
    found = await place.connection(made["connectionId"])
    assert found is not None

    async with place.world.one.database.connection() as conn:
        row = await _installation_store.claim(conn, place.world.environment.id, found.id, timedelta(seconds=1))

    assert row is not None
    assert CODE.encode() not in row.sealed


async def test_an_import_completes_it_too(place: Place) -> None:
    made = (await place.begin(await place.token())).json()

    await place.world.one.parts.connect.import_connection(
        place.world.environment.id,
        "shop",
        {"type": "OAUTH2", "access_token": "brought-along"},
        connection_id=made["connectionId"],
    )

    complete = await place.connection(made["connectionId"])
    assert complete is not None
    assert not complete.pending
    assert "pending" not in complete.connection_config
    assert [c.operation for c in place.world.told.connected] == ["creation"]


async def test_a_body_without_end_and_a_flood_are_refused(place: Place) -> None:
    where = f"/webhook/{place.world.environment.uuid}/shop"

    large = await place.http.post(where, content=b"x" * (BODY_LIMIT + 1))
    for _ in range(35):
        await place.tell(secret="another-secret")
    answers = [(await place.tell()).status_code for _ in range(31)]

    assert large.status_code == 413
    assert 429 not in answers[:20]  # forged calls use nobody's room up
    assert answers[30] == 429


async def test_an_integration_that_lacks_its_secret_cannot_begin(place: Place) -> None:
    app = {"type": "OAUTH2", "client_id": "shop-app", "client_secret": "s"}
    await place.world.one.integrations.update(place.world.environment.id, "shop", credentials=app)

    answer = await place.begin(await place.token())
    unsigned = await place.tell(secret="")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_credentials")
    assert "webhook_secret" in answer.json()["error"]["message"]
    assert unsigned.status_code == 401


async def test_a_provider_that_reports_nothing_is_refused_and_answered(place: Place) -> None:
    await place.world.integration("acme")
    _, token = await place.world.session(tags={"team": "red"})

    headers = {"authorization": f"Bearer {token.reveal()}"}
    begun = await place.http.post("/auth/oauth-outbound/acme", headers=headers)
    told = await place.tell(integration="acme")

    assert (begun.status_code, begun.json()["error"]["code"]) == (400, "invalid_auth_mode")
    assert told.status_code == 204
