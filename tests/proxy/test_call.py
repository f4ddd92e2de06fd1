"""The call itself: what is sent, what comes back, what is logged."""

import asyncio
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from dragoman_server.egress import EgressRefusedError, EgressRules, UpstreamTimeoutError
from dragoman_server.kit.errors import DragomanError
from dragoman_server.proxy import ConnectionBusyError, ProxyRequest, RequestBodyTooLargeError
from tests.egress.servers import naming, port_of, raw_serving, read_head, serving
from tests.proxy.world import SECRET, AConnection, AnIntegration, World, world


async def test_a_call_carries_the_credential_and_only_the_callers_forwarded_headers(tmp_path: Path) -> None:
    seen: list[web.Request] = []

    async def api(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response(
            {"ok": True},
            status=201,
            headers={"X-Request-Id": "r1", "Set-Cookie": "a=b", "Access-Control-Allow-Origin": "x"},
        )

    async with serving(api) as base, world(tmp_path, base + "/v2") as w:
        request = ProxyRequest("GET", "/items?filter=a%2Fb&x=1", headers=[("X-Mine", "1")])
        async with w.proxy.call(w.target, request) as answer:
            body = await answer.read(1000)

    assert (answer.status, body) == (201, b'{"ok": true}')
    assert seen[0].raw_path == "/v2/items?filter=a%2Fb&x=1"
    assert seen[0].headers["Authorization"] == f"Bearer {SECRET}"
    assert seen[0].headers["X-Mine"] == "1"
    assert answer.header("x-request-id") == "r1"
    assert not {"set-cookie", "access-control-allow-origin", "connection"} & {name for name, _ in answer.headers}


async def test_one_operation_says_what_happened_and_shows_no_secret(tmp_path: Path) -> None:
    async def api(request: web.Request) -> web.Response:
        return web.Response(text="x", headers={"X-Echo": request.query["key"]})

    async with serving(api) as base, world(tmp_path, base, proxy_hints={"query": {"key": "${accessToken}"}}) as w:
        async with w.proxy.call(w.target, ProxyRequest("GET", "/a?safe=1")) as answer:
            await answer.read(10)

    (operation,) = w.logs.operations
    assert (operation.kind, operation.state.value, operation.connection, operation.integration) == (
        "proxy:call",
        "success",
        "user-1",
        "acme",
    )
    assert len(w.logs.rows) == 1
    assert "safe=1" in w.logs.text
    assert SECRET not in w.logs.text


async def test_an_upstream_error_passes_unchanged_and_fails_the_operation(tmp_path: Path) -> None:
    async def api(request: web.Request) -> web.Response:
        return web.Response(status=422, text='{"problem": 1}', content_type="application/problem+json")

    async with serving(api) as base, world(tmp_path, base) as w:
        async with w.proxy.call(w.target, ProxyRequest("POST", "/", body=b"{}")) as answer:
            assert (answer.status, await answer.read(100)) == (422, b'{"problem": 1}')

    assert answer.header("content-type") == "application/problem+json; charset=utf-8"
    assert w.logs.operations[0].state.value == "failed"


async def test_with_an_operation_given_the_call_is_a_message_of_it(tmp_path: Path) -> None:
    async def api(request: web.Request) -> web.Response:
        return web.Response()

    async with serving(api) as base, world(tmp_path, base) as w:
        run = w.logs.start(w.target.environment_id, "sync:run")
        async with w.proxy.call(w.target, ProxyRequest("GET", "/"), operation=run):
            pass

    assert [o.kind for o in w.logs.operations] == ["sync:run"]
    assert run.state.value == "running"
    assert len(w.logs.rows) == 1


async def test_an_error_of_ours_fails_the_operation_and_frees_the_slot(tmp_path: Path) -> None:
    async with world(tmp_path, "http://10.0.0.1", rules=EgressRules(), calls_per_connection=1) as w:
        for _ in range(2):
            with pytest.raises(EgressRefusedError):
                async with w.proxy.call(w.target, ProxyRequest("GET", "/")):
                    pass

    assert [o.state.value for o in w.logs.operations] == ["failed", "failed"]
    assert w.proxy.slots.in_use(w.target.connection.id) == 0


@pytest.mark.parametrize("override", ["https://evil.example", "http://169.254.169.254", "http://127.0.0.1:1"])
async def test_a_base_url_outside_the_entry_is_refused_unless_the_integration_lists_it(
    tmp_path: Path, override: str
) -> None:
    seen: list[str] = []

    async def api(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return web.Response()

    async with serving(api) as base, serving(api) as other:
        async with world(tmp_path, base) as w:
            with pytest.raises(DragomanError) as error:
                async with w.proxy.call(w.target, ProxyRequest("GET", "/", base_url_override=override)):
                    pass
        async with world(tmp_path, base, integration=AnIntegration(allowed_origins=[other])) as w:
            async with w.proxy.call(w.target, ProxyRequest("GET", "/", base_url_override=other)) as answer:
                assert answer.status == 200

    assert (error.value.status, error.value.public_code) == (400, "base_url_override_not_allowed")
    assert seen == [f"Bearer {SECRET}"]


async def test_connection_config_reaches_the_base_url(tmp_path: Path) -> None:
    async def api(request: web.Request) -> web.Response:
        return web.Response(text=request.host)

    async with serving(api) as base:
        template = f"http://${{connectionConfig.subdomain}}.acme.example:{port_of(base)}"
        async with (
            world(
                tmp_path,
                template,
                resolve=naming({"eu.acme.example": ["127.0.0.1"]}),
                connection=AConnection(connection_config={"subdomain": "eu"}),
            ) as w,
            w.proxy.call(w.target, ProxyRequest("GET", "/")) as answer,
        ):
            assert (await answer.read(100)).startswith(b"eu.acme.example")


async def test_credentials_do_not_follow_a_redirect_elsewhere_unless_asked(tmp_path: Path) -> None:
    seen: list[str | None] = []

    async def elsewhere(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization"))
        return web.Response(text="there")

    async with serving(elsewhere) as other:

        async def api(request: web.Request) -> web.Response:
            return web.Response(status=302, headers={"Location": other + "/file"})

        async with serving(api) as base, world(tmp_path, base) as w:
            for forward in (None, False, True):
                async with w.proxy.call(
                    w.target, ProxyRequest("GET", "/", forward_headers_on_redirect=forward)
                ) as answer:
                    assert await answer.read(10) == b"there"

    assert seen == [None, None, f"Bearer {SECRET}"]


async def test_decompression_is_the_callers_wish_or_the_entrys(tmp_path: Path) -> None:
    async def api(request: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"plain"), headers={"Content-Encoding": "gzip"})

    async with serving(api) as base:
        async with world(tmp_path, base) as w:
            async with w.proxy.call(w.target, ProxyRequest("GET", "/")) as answer:
                assert answer.header("content-encoding") == "gzip"
                assert gzip.decompress(await answer.read(100)) == b"plain"
            async with w.proxy.call(w.target, ProxyRequest("GET", "/", decompress=True)) as answer:
                assert answer.header("content-encoding") is None
                assert await answer.read(100) == b"plain"
        async with world(tmp_path, base, proxy_hints={"decompress": True}) as w:
            async with w.proxy.call(w.target, ProxyRequest("GET", "/")) as answer:
                assert await answer.read(100) == b"plain"


async def test_a_large_upload_streams_through_without_being_held(tmp_path: Path) -> None:
    total, waiting, most = 0, 0, 0

    async def api(request: web.Request) -> web.Response:
        nonlocal total, waiting
        assert request.headers.get("Content-Length") == str(20 * 1024 * 1024)
        async for chunk in request.content.iter_any():
            total += len(chunk)
            waiting -= len(chunk)
        return web.Response(text=str(total))

    async def upload() -> AsyncIterator[bytes]:
        nonlocal waiting, most
        for _ in range(320):
            waiting += 65536
            most = max(most, waiting)
            yield b"x" * 65536

    async with serving(api) as base, world(tmp_path, base) as w:
        request = ProxyRequest("PUT", "/file", body=upload(), length=20 * 1024 * 1024, retries=3)
        async with w.proxy.call(w.target, request) as answer:
            assert await answer.read(100) == b"20971520"

    assert most < 8 * 1024 * 1024  # socket buffers and both sides' read buffers; not the file


async def test_a_large_download_is_held_back_by_a_slow_reader(tmp_path: Path) -> None:
    written = 0

    async def api(request: web.Request) -> web.StreamResponse:
        nonlocal written
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(640):
            await response.write(b"x" * 65536)
            written += 65536
        return response

    async with serving(api) as base, world(tmp_path, base) as w:
        async with w.proxy.call(w.target, ProxyRequest("GET", "/big")) as answer:
            chunks = answer.iter()
            first = await anext(chunks)
            for _ in range(50):
                await asyncio.sleep(0)
            held_at = written
            read = len(first) + sum([len(chunk) async for chunk in chunks])

    assert read == 40 * 1024 * 1024
    assert held_at < 20 * 1024 * 1024


async def test_a_body_over_the_limit_is_refused(tmp_path: Path) -> None:
    async def api(request: web.Request) -> web.Response:
        async for _ in request.content.iter_any():
            pass
        return web.Response()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 1_000_000

    async with serving(api) as base, world(tmp_path, base) as w:
        with pytest.raises(RequestBodyTooLargeError):
            async with w.proxy.call(w.target, ProxyRequest("POST", "/", body=endless())):
                pass
        with pytest.raises(RequestBodyTooLargeError):
            async with w.proxy.call(w.target, ProxyRequest("POST", "/", body=endless(), length=75_000_001)):
                pass


async def test_an_entrys_own_body_values_are_added(tmp_path: Path) -> None:
    bodies: list[object] = []

    async def api(request: web.Request) -> web.Response:
        bodies.append((await request.json(), request.content_type))
        return web.Response()

    async with (
        serving(api) as base,
        world(tmp_path, base, proxy_hints={"body": {"auth": {"token": "${accessToken}"}}}) as w,
    ):
        for body in (None, b'{"a": 1, "auth": {"b": 2}}'):
            async with w.proxy.call(w.target, ProxyRequest("POST", "/", body=body)):
                pass

    assert bodies == [
        ({"auth": {"token": SECRET}}, "application/json"),
        ({"a": 1, "auth": {"b": 2, "token": SECRET}}, "application/json"),
    ]


async def test_an_upstream_that_hangs_ends_at_the_callers_deadline(tmp_path: Path) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await asyncio.Event().wait()

    async with raw_serving(hang) as base, world(tmp_path, base) as w:
        with pytest.raises(UpstreamTimeoutError):
            async with w.proxy.call(w.target, ProxyRequest("GET", "/", deadline=0.1)):
                pass

    assert w.logs.operations[0].state.value == "timeout"


async def test_a_half_closed_upstream_is_read_to_its_end(tmp_path: Path) -> None:
    async def half(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil")
        await writer.drain()
        writer.write(b" the end")
        writer.write_eof()
        await reader.read()

    async with raw_serving(half) as base, world(tmp_path, base) as w:
        async with w.proxy.call(w.target, ProxyRequest("GET", "/")) as answer:
            assert await answer.read(100) == b"until the end"


async def test_one_connection_cannot_have_more_than_its_share_of_calls_under_way(tmp_path: Path) -> None:
    gate, running, most = asyncio.Event(), 0, 0

    async def api(request: web.Request) -> web.Response:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await gate.wait()
        running -= 1
        return web.Response()

    async def one(w: World, request: ProxyRequest) -> None:
        async with w.proxy.call(w.target, request):
            pass

    async with serving(api) as base, world(tmp_path, base, calls_per_connection=2) as w:
        calls = [asyncio.create_task(one(w, ProxyRequest("GET", "/"))) for _ in range(5)]
        while running < 2:
            await asyncio.sleep(0.001)  # the upstream is slow
        with pytest.raises(ConnectionBusyError):
            await one(w, ProxyRequest("GET", "/", deadline=0.05))
        gate.set()
        await asyncio.gather(*calls)

    assert most == 2
    assert w.proxy.slots.in_use(w.target.connection.id) == 0


async def test_cancelling_a_call_ends_the_upstream_request(tmp_path: Path) -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        arrived.set()
        assert await reader.read() == b""
        gone.set()

    async def call(w: World) -> None:
        async with w.proxy.call(w.target, ProxyRequest("GET", "/")):
            pass

    async with raw_serving(hang) as base, world(tmp_path, base) as w:
        task = asyncio.create_task(call(w))
        await arrived.wait()
        task.cancel()
        await asyncio.wait([task])
        await asyncio.wait_for(gone.wait(), 5)

    assert w.logs.operations[0].state.value == "cancelled"
    assert w.proxy.slots.in_use(w.target.connection.id) == 0


async def test_headers_of_the_connection_itself_are_not_the_callers_to_set(tmp_path: Path) -> None:
    seen: list[web.Request] = []

    async def api(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({})

    async with serving(api) as base, world(tmp_path, base) as w:
        mine = [("Host", "evil.example"), ("Transfer-Encoding", "chunked"), ("Authorization", "mine"), ("X-Mine", "1")]
        async with w.proxy.call(w.target, ProxyRequest("GET", "/x", headers=mine)) as answer:
            await answer.read(1000)
        async with w.proxy.call(w.target, ProxyRequest("GET", "/x", headers=mine[:2])) as answer:
            await answer.read(1000)

    assert [request.headers["Host"] for request in seen] == [base.removeprefix("http://")] * 2
    assert {request.headers["Authorization"] for request in seen} == {f"Bearer {SECRET}"}
    assert not any("Transfer-Encoding" in request.headers for request in seen)
