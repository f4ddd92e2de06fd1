"""The routes of logs and webhook deliveries: shapes, paging, and a clear 400 for every bad question."""

from collections.abc import AsyncIterator
from typing import Any, cast

import httpx
import pytest

from dragoman_server.api import logs_routes, webhook_routes
from dragoman_server.api.app import build_app
from dragoman_server.control.model import WebhookSettings
from dragoman_server.db import Database
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.logs import Logs
from dragoman_server.web.authenticate import Authenticator
from dragoman_server.web.principal import CallerKind, Principal
from tests.webhooks.receiving import ENV, Receiver, Stand, auth_fact, egress, receiver


class Door:
    """Lets everybody in, as the environment named by a header."""

    async def check(self, scope: Any, _demand: object, *, query: object = None) -> Principal:
        headers = dict(scope["headers"])
        environment = EnvironmentId(int(headers.get(b"x-environment", b"7")))
        return Principal(CallerKind.ENVIRONMENT_KEY, None, environment, frozenset({"environment:*"}))


@pytest.fixture
async def hook() -> AsyncIterator[Receiver]:
    async with receiver() as made:
        yield made


@pytest.fixture
async def stand(database: Database, hook: Receiver) -> AsyncIterator[Stand]:
    async with egress() as client:
        yield Stand(database, client, WebhookSettings(primary_url=f"{hook.url}/hook?token=abcdef"))


@pytest.fixture
async def api(stand: Stand) -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(
        authenticator=cast("Authenticator", Door()),
        routers=[logs_routes.routes(logs=stand.logs), webhook_routes.routes(webhooks=stand.webhooks)],
        edition="full",
    )
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api.test") as client:
        yield client


async def _some(logs: Logs) -> None:
    for number in range(5):
        operation = logs.start(ENV, "proxy:call", integration="github", connection=f"c,{number}")
        operation.info(f"line {number}", number=number)
        operation.finish("success")
    await logs.flush()


async def test_operations_page_and_show_their_messages(api: httpx.AsyncClient, stand: Stand) -> None:
    await _some(stand.logs)

    first = (await api.get("/logs/operations", params={"limit": 3, "types": "proxy"})).json()
    second = (await api.get("/logs/operations", params={"limit": 3, "cursor": first["pagination"]["cursor"]})).json()
    newest = first["data"][0]
    messages = (await api.get(f"/logs/operations/{newest['id']}/messages")).json()

    assert [o["connection_id"] for o in first["data"] + second["data"]] == [f"c,{n}" for n in (4, 3, 2, 1, 0)]
    assert second["pagination"]["cursor"] is None
    assert len((await api.get("/logs/operations", params={"connections": ["c,1", "c,2"]})).json()["data"]) == 2
    assert (newest["operation"], newest["state"], newest["level"]) == (
        {"type": "proxy", "action": "call"},
        "success",
        "info",
    )
    assert [m["message"] for m in messages["data"]] == ["line 4"]
    assert (await api.get(f"/logs/operations/{newest['id']}")).json() == {"data": newest}


async def test_another_environment_gets_404(api: httpx.AsyncClient, stand: Stand) -> None:
    await _some(stand.logs)
    [newest, *_] = (await api.get("/logs/operations")).json()["data"]

    for path in (f"/logs/operations/{newest['id']}", f"/logs/operations/{newest['id']}/messages"):
        assert (await api.get(path, headers={"x-environment": "8"})).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=501", "limit=x", "limit=1&limit=2", "states=great", "levels=loud", "cursor=nonsense", "from=yesterday",
        "unknown=1", "search=%00", "cursor=" + "x" * 2000, "search=" + "x" * 501, "to=9999-12-31T23:59:59-23:00",
    ],
)  # fmt: skip
async def test_a_bad_question_is_400_and_names_the_place(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.get(f"/logs/operations?{query}")

    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["code"] == "invalid_query_params"


@pytest.mark.parametrize("path", ["/logs/operations/x", "/logs/operations/x/messages", "/webhook-deliveries/x"])
async def test_an_unreadable_id_is_404(api: httpx.AsyncClient, path: str) -> None:
    assert (await api.get(path)).status_code == 404


async def test_deliveries_are_listed_shown_and_sent_again(api: httpx.AsyncClient, stand: Stand, hook: Receiver) -> None:
    await stand.say(auth_fact())
    await stand.deliverer.once()

    [listed] = (await api.get("/webhook-deliveries", params={"states": "success"})).json()["data"]
    shown = (await api.get(f"/webhook-deliveries/{listed['id']}")).json()["data"]
    again = await api.post(f"/webhook-deliveries/{listed['id']}/redeliver")

    assert listed["url"].endswith("/hook?token=***")
    assert shown["body"].encode() == hook.requests[0].body
    assert [a["status"] for a in shown["history"]] == [200]
    assert again.status_code == 202
    assert await stand.deliverer.once() == 1


@pytest.mark.parametrize("query", ["limit=101", "states=lost", "cursor=w1_", "types=x", "page=1"])
async def test_a_bad_question_about_deliveries_is_400(api: httpx.AsyncClient, query: str) -> None:
    answer = await api.get(f"/webhook-deliveries?{query}")

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "invalid_query_params"
