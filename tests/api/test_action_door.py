"""The raw door of POST /action/trigger: the input goes on byte for byte, and what is wrong is told as everywhere else."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

import httpx
import pytest

from dragoman_server.api.action_door import PATH, ActionDoor
from dragoman_server.flows.actions import Actions
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.web.asgi import App, Front, Receive, Scope, Send, send_rendered
from dragoman_server.web.envelope import Rendered
from dragoman_server.web.errors import MissingAuthHeaderError
from tests.api.calls import refusal

HEADERS = {
    "Authorization": "Bearer x",
    "Connection-Id": "c",
    "Provider-Config-Key": "i",
    "Content-Type": "application/json",
}
QUEUED = UUID("6185e58a-542c-4896-afd2-90b15e2322ab")


@dataclass(frozen=True)
class Caller:
    environment_id: EnvironmentId


class Recorded:
    """Actions that answer with their input."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    async def trigger(self, *call: Any) -> bytes | None:
        self.calls.append(call)
        return call[-1]

    async def trigger_async(self, *call: Any, max_retries: int) -> UUID:
        self.calls.append((*call, max_retries))
        return QUEUED


async def authenticate(scope: Scope, wanted: str) -> Caller:
    assert wanted == "environment:actions:execute"
    if not any(name == b"authorization" for name, _ in scope["headers"]):
        raise MissingAuthHeaderError
    return Caller(EnvironmentId(7))


async def rest(scope: Scope, _receive: Receive, send: Send) -> None:
    await send_rendered(send, Rendered(404, b'{"rest":"%b"}' % scope["method"].encode()))


def front(actions: Recorded, *, disabled: bool = False) -> App:
    door: App = ActionDoor(actions=cast("Actions", actions), authenticate=authenticate, rest=rest, disabled=disabled)
    return Front(rest=rest, hot={PATH: door})


@pytest.fixture
def actions() -> Recorded:
    return Recorded()


@pytest.fixture
async def client(actions: Recorded) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(cast("Any", front(actions)))
    async with httpx.AsyncClient(transport=transport, base_url="http://dragoman", headers=HEADERS) as made:
        yield made


@pytest.mark.parametrize(
    ("written", "given"),
    [
        (b'{"action_name":"a","input":{"b": 1.50, "a": "\\u00e9\xc3\xa9"}}', b'{"b": 1.50, "a": "\\u00e9\xc3\xa9"}'),
        (b' {"input" : 123456789012345678901234567890 , "action_name":"a"} ', b"123456789012345678901234567890"),
        (b'{"action_name":"a","input":null}', b"null"),
        (b'{"action_name":"a"}', None),
    ],
)
async def test_the_input_goes_on_as_it_was_written(
    client: httpx.AsyncClient, actions: Recorded, written: bytes, given: bytes | None
) -> None:
    answer = await client.post(PATH, content=written)

    assert (answer.status_code, answer.content) == (200, given or b"null")
    assert answer.headers["content-type"] == "application/json"
    assert actions.calls == [(7, "i", "c", "a", given)]


async def test_an_asynchronous_one_is_answered_with_its_id(client: httpx.AsyncClient, actions: Recorded) -> None:
    answer = await client.post(PATH, content=b'{"action_name":"a"}', headers={"X-Async": "true", "X-Max-Retries": "3"})

    assert answer.status_code == 202
    assert answer.json() == {"id": str(QUEUED), "statusUrl": f"/action/{QUEUED}"}
    assert actions.calls == [(7, "i", "c", "a", None, 3)]


@pytest.mark.parametrize(
    ("body", "code", "paths"),
    [
        (b"", "invalid_body", [""]),
        (b"[]", "invalid_body", [""]),
        (b"{}", "invalid_body", ["action_name"]),
        (b'{"action_name":1}', "invalid_body", ["action_name"]),
        (b'{"action_name":""}', "invalid_body", ["action_name"]),
        (b'{"action_name":"a\\n"}', "invalid_body", ["action_name"]),
        (b'{"action_name":"%b"}' % (b"a" * 256), "invalid_body", ["action_name"]),
        (b'{"action_name":"a","more":1}', "invalid_body", [""]),
        (b'{"action_name":"a","input":"\\ud800"}', "invalid_body", [""]),
        (b'{"action_name":"a","input":{"x":}}', "invalid_json", None),
        (b'{"action_name":"a","input":[01]}', "invalid_json", None),
        (b'{"action_name":"a","input":NaN}', "invalid_json", None),
        (b'{"action_name":"a","input":"\xff"}', "invalid_json", None),
        (b'{"action_name":"a","input":%b}' % (b"[" * 100_000), "invalid_json", None),
    ],
)
async def test_a_wrong_body_is_refused_naming_the_place(
    client: httpx.AsyncClient, actions: Recorded, body: bytes, code: str, paths: list[str] | None
) -> None:
    answer = await client.post(PATH, content=body)

    assert refusal(answer) == (400, code)
    assert paths is None or [".".join(issue["path"]) for issue in answer.json()["error"]["errors"]] == paths
    assert actions.calls == []


@pytest.mark.parametrize(
    ("headers", "paths"),
    [
        ({"Connection-Id": ""}, [["Connection-Id"]]),
        ({"Connection-Id": "c" * 256, "Provider-Config-Key": "a/b"}, [["Connection-Id"], ["Provider-Config-Key"]]),
        ({"X-Max-Retries": "6"}, [["X-Max-Retries"]]),
        ({"X-Max-Retries": "some"}, [["X-Max-Retries"]]),
        ({"X-Async": "perhaps"}, [["x-async"]]),
    ],
)
async def test_a_wrong_header_is_refused_naming_it(
    client: httpx.AsyncClient, actions: Recorded, headers: dict[str, str], paths: list[list[str]]
) -> None:
    answer = await client.post(PATH, content=b'{"action_name":"a"}', headers=headers)

    assert refusal(answer) == (400, "invalid_headers")
    assert [issue["path"] for issue in answer.json()["error"]["errors"]] == paths
    assert actions.calls == []


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"headers": {"Content-Type": "text/plain"}}, 415, "invalid_content_type"),
        ({"params": {"x": "1"}}, 400, "invalid_query_params"),
        ({"headers": {"Content-Length": "75000001"}}, 413, "request_too_large"),
    ],
)
async def test_what_other_routes_refuse_is_refused_here(
    client: httpx.AsyncClient, actions: Recorded, options: dict[str, Any], status: int, code: str
) -> None:
    answer = await client.post(PATH, content=b'{"action_name":"a"}', **options)

    assert refusal(answer) == (status, code)
    assert actions.calls == []


async def test_nobodys_body_is_read_before_we_know_who_sends_it(actions: Recorded) -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError

    with pytest.raises(MissingAuthHeaderError):
        door = ActionDoor(actions=cast("Actions", actions), authenticate=authenticate, rest=rest)
        await door({"type": "http", "method": "POST", "headers": [], "query_string": b""}, never, never)


async def test_other_methods_of_the_path_are_for_the_other_routes(client: httpx.AsyncClient) -> None:
    assert (await client.get(PATH)).json() == {"rest": "GET"}


async def test_the_auth_edition_says_that_it_has_none(actions: Recorded) -> None:
    transport = httpx.ASGITransport(cast("Any", front(actions, disabled=True)))
    async with httpx.AsyncClient(transport=transport, base_url="http://dragoman", headers=HEADERS) as client:
        assert refusal(await client.post(PATH, content=b'{"action_name":"a"}')) == (400, "feature_disabled")
