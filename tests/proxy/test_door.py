"""The door over a real HTTP server: strict headers, streaming both ways, callers who leave."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import uvicorn
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.api.proxy_door import ProxyDoor
from dragoman_server.api.proxy_headers import parse_control_headers
from dragoman_server.api.proxy_openapi import PARAMETERS, PATHS
from dragoman_server.kit.errors import InvalidInputError
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.proxy import Targets
from tests.egress.servers import raw_serving, read_head, serving
from tests.proxy.world import SECRET, World, world

NAMES = {"Connection-Id": "user-1", "Provider-Config-Key": "acme"}
KEY = "0b0e7b5e-8f6c-4c4e-9d6e-2f6a1f1a1a1a"


@dataclass(frozen=True)
class Caller:
    environment_id: EnvironmentId = EnvironmentId(1)


@dataclass
class Door:
    world: World
    url: str
    session: aiohttp.ClientSession

    def call(self, method: str, path: str, *, headers: dict[str, str] | None = None, **options: Any) -> Any:
        return self.session.request(method, self.url + "/proxy" + path, headers={**NAMES, **(headers or {})}, **options)


@asynccontextmanager
async def door(tmp_path: Path, base: str, **options: Any) -> AsyncGenerator[Door]:
    async with world(tmp_path, base, **options) as w:

        async def integration(environment_id: EnvironmentId, *names: str) -> Any:
            return w.target.integration if names == ("acme",) else None

        async def connection(environment_id: EnvironmentId, *names: str) -> Any:
            return w.target.connection if names == ("acme", "user-1") else None

        async def authenticate(scope: Any, wanted: str) -> Caller:
            assert wanted == "environment:proxy"
            return Caller()

        targets = Targets(integration=integration, connection=connection)
        app = ProxyDoor(proxy=w.proxy, find_target=targets.find, authenticate=authenticate)
        config = uvicorn.Config(
            app, host="127.0.0.1", port=0, lifespan="off", log_level="critical", timeout_graceful_shutdown=1
        )
        config.load()
        server = uvicorn.Server(config)
        server.lifespan = config.lifespan_class(config)
        await server.startup()
        port = server.servers[0].sockets[0].getsockname()[1]
        try:
            async with aiohttp.ClientSession(auto_decompress=False) as session:
                yield Door(w, f"http://127.0.0.1:{port}", session)
        finally:
            server.should_exit = True
            await server.shutdown()


async def test_a_call_reaches_the_upstream_and_its_answer_the_caller(tmp_path: Path) -> None:
    seen: list[web.Request] = []

    async def api(request: web.Request) -> web.Response:
        seen.append(request)
        return web.Response(
            status=418, text="tea", headers={"X-RateLimit-Remaining": "3", "Link": "<x>; rel=next", "Set-Cookie": "a=b"}
        )

    async with serving(api) as base, door(tmp_path, base) as d:
        headers = {
            "Nango-Proxy-X-Own": "ü",
            "X-Not-Forwarded": "1",
            "Cookie": "a=b",
            "Authorization": f"Bearer {KEY}",
            "Base-Url-Override": "",
            "Nango-Activity-Log-Id": "",
        }
        async with d.call("GET", "/a%2Fb/c?x=%20&y", headers=headers) as answer:
            body = await answer.text()

    assert (answer.status, body) == (418, "tea")
    assert answer.headers["Link"] == "<x>; rel=next"
    assert "Set-Cookie" not in answer.headers
    assert len(answer.headers.getall("Date", [])) <= 1
    assert seen[0].raw_path == "/a%2Fb/c?x=%20&y"
    assert seen[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert seen[0].headers["X-Own"] == "ü"
    assert not {"X-Not-Forwarded", "Cookie", "Connection-Id", "Provider-Config-Key", "Nango-Activity-Log-Id"} & set(
        seen[0].headers
    )


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
async def test_every_method_passes(tmp_path: Path, method: str) -> None:
    async def api(request: web.Request) -> web.Response:
        return web.Response(text=request.method, headers={"X-Method": request.method})

    async with serving(api) as base, door(tmp_path, base) as d, d.call(method, "/") as answer:
        assert answer.headers["X-Method"] == method
        assert await answer.text() == ("" if method == "HEAD" else method)


@pytest.mark.parametrize(
    ("headers", "place", "code"),
    [({"Retries": "many"}, "retries", "invalid_type"), ({"Retries": "-1"}, "retries", "invalid_type"), ({"Retries": "101"}, "retries", "too_big"),
     ({"Retry-On": "4xx"}, "retry-on", "invalid_format"), ({"Base-Url-Override": "ftp://x"}, "base-url-override", "invalid_format"),
     ({"Decompress": "yes"}, "decompress", "invalid_type"), ({"Connection-Id": "a#b"}, "connection-id", "invalid_format"),
     ({"Provider-Config-Key": "a" * 256}, "provider-config-key", "too_big"), ({"Nango-Is-Sync": "2"}, "nango-is-sync", "invalid_type"),
     ({"Nango-Activity-Log-Id": "a" * 256}, "nango-activity-log-id", "too_big")],
)  # fmt: skip
async def test_wrong_control_headers_are_named(tmp_path: Path, headers: dict[str, str], place: str, code: str) -> None:
    async with door(tmp_path, "http://127.0.0.1:1") as d, d.call("GET", "/", headers=headers) as answer:
        error = (await answer.json())["error"]

    assert answer.status == 400
    assert error["code"] == "invalid_headers"
    assert [(e["code"], e["path"]) for e in error["errors"]] == [(code, [place])]


async def test_missing_names_and_unknown_ones_are_told_apart(tmp_path: Path) -> None:
    async with door(tmp_path, "http://127.0.0.1:1") as d:
        async with d.session.get(d.url + "/proxy/x") as answer:
            missing = await answer.json()
        async with d.call("GET", "/", headers={"Provider-Config-Key": "other"}) as answer:
            integration = (answer.status, (await answer.json())["error"]["code"])
        async with d.call("GET", "/", headers={"Connection-Id": "other"}) as answer:
            connection = (answer.status, (await answer.json())["error"]["code"])

    assert [e["path"] for e in missing["error"]["errors"]] == [["connection-id"], ["provider-config-key"]]
    assert integration == (404, "unknown_provider_config")
    assert connection == (400, "server_error")


async def test_errors_of_the_way_out_come_in_the_envelope(tmp_path: Path) -> None:
    async with door(tmp_path, "http://127.0.0.1:1") as d:
        async with d.call("GET", "/") as answer:
            unreachable = (answer.status, (await answer.json())["error"]["code"])
        async with d.call("GET", "/", headers={"Base-Url-Override": "https://evil.example"}) as answer:
            override = (answer.status, (await answer.json())["error"]["code"])

    assert unreachable == (502, "upstream_unreachable")
    assert override == (400, "base_url_override_not_allowed")


async def test_bodies_pass_byte_for_byte_both_ways(tmp_path: Path) -> None:
    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read(), headers={"Content-Type": request.headers["Content-Type"]})

    payload = bytes(range(256)) * 4000

    async def pieces() -> AsyncIterator[bytes]:
        for i in range(0, len(payload), 70_000):
            yield payload[i : i + 70_000]

    async with serving(echo) as base, door(tmp_path, base) as d:
        for data in (payload, pieces()):
            async with d.call("POST", "/", data=data, headers={"Content-Type": "application/x-any; a=b"}) as answer:
                assert await answer.read() == payload
                assert answer.headers["Content-Type"] == "application/x-any; a=b"


async def test_chunks_arrive_as_they_are_sent(tmp_path: Path) -> None:
    proceed = asyncio.Event()

    async def events(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b"data: 1\n\n")
        await proceed.wait()
        await response.write(b"data: 2\n\n")
        return response

    async with serving(events) as base, door(tmp_path, base) as d, d.call("GET", "/") as answer:
        first = await asyncio.wait_for(answer.content.readany(), 5)
        proceed.set()
        rest = await answer.read()

    assert (first, rest) == (b"data: 1\n\n", b"data: 2\n\n")


async def test_twenty_megabytes_pass_while_little_is_held(tmp_path: Path) -> None:
    written = 0

    async def big(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(640):
            await response.write(b"x" * 65536)
            written += 65536
        return response

    async with serving(big) as base, door(tmp_path, base) as d, d.call("GET", "/") as answer:
        await answer.content.readany()
        previous = -1
        while written != previous:
            previous = written
            await asyncio.sleep(0.05)  # the upstream is slow
        held_at = written
        total = 0
        async for chunk in answer.content.iter_any():
            total += len(chunk)

    assert held_at < 30 * 1024 * 1024  # three hops' socket buffers, not the body
    assert total > 39 * 1024 * 1024


async def test_an_upstream_that_breaks_off_breaks_the_callers_answer_off(tmp_path: Path) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)  # the upstream is slow
        writer.transport.abort()

    async with raw_serving(cut) as base, door(tmp_path, base) as d:
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError)):
            async with d.call("GET", "/") as answer:
                await answer.read()

    assert d.world.logs.operations[0].state.value == "failed"


@pytest.mark.parametrize("begun", [False, True])
async def test_a_caller_who_leaves_ends_the_upstream_call(tmp_path: Path, begun: bool) -> None:
    gone = asyncio.Event()
    arrived = asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        if begun:
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        arrived.set()
        await reader.read()
        gone.set()

    async with raw_serving(hang) as base, door(tmp_path, base) as d:
        task = asyncio.create_task(d.call("GET", "/").__aenter__())
        await arrived.wait()
        if begun:
            (await task).close()
        else:
            task.cancel()
        await asyncio.wait_for(gone.wait(), 5)
        await asyncio.wait([task])

    assert d.world.logs.operations[0].state.value == "cancelled"


async def test_a_caller_who_leaves_in_mid_upload_ends_the_upstream_call(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def slurp(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass
        ended.set()

    async with raw_serving(slurp) as base, door(tmp_path, base) as d:
        host, port = d.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /proxy/x HTTP/1.1\r\nHost: x\r\nConnection-Id: user-1\r\nProvider-Config-Key: acme\r\nContent-Length: 9000000\r\n\r\n"
        )
        writer.write(b"x" * 3_000_000)
        await writer.drain()
        writer.close()
        await asyncio.wait_for(ended.wait(), 5)


async def test_a_body_over_75_mb_is_refused_before_it_is_sent(tmp_path: Path) -> None:
    async with door(tmp_path, "http://127.0.0.1:1") as d:
        host, port = d.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            b"POST /proxy/x HTTP/1.1\r\nHost: x\r\nConnection-Id: user-1\r\nProvider-Config-Key: acme\r\nContent-Length: 75000001\r\n\r\n"
        )
        head = await reader.readuntil(b"\r\n\r\n")
        writer.close()

    assert b" 413 " in head.split(b"\r\n")[0]


async def test_retries_and_retry_on_are_the_callers(tmp_path: Path) -> None:
    count = 0

    async def api(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(status=409 if count < 3 else 200)

    async with serving(api) as base, door(tmp_path, base) as d:
        async with d.call("GET", "/", headers={"Retries": "2", "Retry-On": "409, 418"}) as answer:
            assert answer.status == 200

    assert count == 3


@given(st.lists(st.tuples(st.sampled_from([b"connection-id", b"provider-config-key", b"retries", b"retry-on", b"base-url-override", b"decompress",
                                           b"nango-proxy-x", b"nango-proxy-", b"content-length", b"content-type", b"x"]), st.binary(max_size=12)), max_size=8))  # fmt: skip
def test_any_headers_are_parsed_or_refused_by_name(raw: list[tuple[bytes, bytes]]) -> None:
    try:
        control = parse_control_headers(raw)
    except InvalidInputError as error:
        refusal = error
    else:
        assert control.connection_id
        assert control.integration_key
        return
    assert refusal.issues
    assert refusal.public_code == "invalid_headers"
    json.dumps([(i.code, i.message, i.path) for i in refusal.issues])


def test_the_documented_headers_are_those_the_parser_knows() -> None:
    from dragoman_server.api.proxy_headers import PARSERS, REQUIRED

    documented = {p["name"].lower().encode(): p["required"] for p in PARAMETERS if p["in"] == "header"}

    assert set(documented) == set(PARSERS)
    assert {name for name, required in documented.items() if required} == set(REQUIRED)
    assert set(PATHS["/proxy/{path}"]) == {"get", "post", "put", "patch", "delete", "head", "options"}
