"""When a call is tried again, how long it waits, and what it never repeats."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from aiohttp import web

from dragoman_server.egress import UpstreamUnreachableError
from dragoman_server.kit.errors import ConflictError
from dragoman_server.proxy import ProxyRequest
from tests.egress.servers import Handler, raw_serving, read_head, serving
from tests.proxy.world import world


def answering(*answers: web.Response | Callable[[], web.Response]) -> tuple[Handler, list[web.Request]]:
    """A server that gives these answers in turn, the last one for ever."""
    seen: list[web.Request] = []
    left = list(answers)

    async def handler(request: web.Request) -> web.Response:
        await request.read()
        seen.append(request)
        given = left.pop(0) if len(left) > 1 else left[0]
        made = given() if callable(given) else given
        return web.Response(status=made.status, headers=made.headers, body=made.body)

    return handler, seen


def ok() -> web.Response:
    return web.Response(text="done")


def status(code: int, **headers: str) -> web.Response:
    return web.Response(status=code, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.parametrize("code", [429, 500, 503])
async def test_by_default_nothing_is_tried_again(tmp_path: Path, code: int) -> None:
    api, seen = answering(status(code), ok)

    async with serving(api) as base, world(tmp_path, base) as w:
        async with w.proxy.call(w.target, ProxyRequest("GET", "/")) as answer:
            assert answer.status == code

    assert len(seen) == 1


@pytest.mark.parametrize("code", [429, 500, 502, 599])
async def test_retries_happen_as_often_as_asked_with_growing_waits(tmp_path: Path, code: int) -> None:
    api, seen = answering(status(code))

    async with serving(api) as base, world(tmp_path, base) as w:
        async with w.proxy.call(w.target, ProxyRequest("GET", "/", retries=3)) as answer:
            assert answer.status == code

    assert len(seen) == 4
    assert w.slept == [3.0, 6.0, 12.0]
    assert len(w.logs.rows) >= 4


@pytest.mark.parametrize("code", [400, 403, 404, 409])
async def test_other_statuses_are_tried_again_only_when_listed(tmp_path: Path, code: int) -> None:
    api, seen = answering(status(code), status(code), ok)

    async with serving(api) as base, world(tmp_path, base) as w:
        async with w.proxy.call(w.target, ProxyRequest("GET", "/", retries=2)) as answer:
            assert answer.status == code
        async with w.proxy.call(w.target, ProxyRequest("GET", "/", retries=2, retry_on=frozenset({code}))) as answer:
            assert answer.status == 200

    assert len(seen) == 3


async def test_retry_after_is_obeyed_as_seconds_and_as_a_date(tmp_path: Path) -> None:
    async with serving(answering(ok)[0]), world(tmp_path, "http://127.0.0.1:1") as w:
        date = format_datetime(w.clock.now() + timedelta(seconds=45 + 7), usegmt=True)
    api, seen = answering(status(429, Retry_After="7"), status(503, Retry_After=date), ok)

    async with serving(api) as base, world(tmp_path, base) as w:
        async with w.proxy.call(w.target, ProxyRequest("GET", "/", retries=5)) as answer:
            assert answer.status == 200

    assert w.slept[0] == 7.0
    assert 40 <= w.slept[1] <= 46
    assert len(seen) == 3


async def test_a_wait_beyond_the_deadline_gives_the_upstreams_answer_instead(tmp_path: Path) -> None:
    api, seen = answering(web.Response(status=429, headers={"Retry-After": "3600"}, text="slow down"), ok)

    async with serving(api) as base, world(tmp_path, base) as w:
        async with w.proxy.call(w.target, ProxyRequest("GET", "/", retries=5, deadline=60)) as answer:
            assert (answer.status, await answer.read(100)) == (429, b"slow down")
            assert answer.header("retry-after") == "3600"

    assert w.slept == []
    assert len(seen) == 1


async def test_an_exhausted_quota_is_waited_for_as_the_entry_says(tmp_path: Path) -> None:
    async with world(tmp_path, "http://127.0.0.1:1") as w:
        reset = str(int(w.clock.now().timestamp()) + 90)
    hints = {"retry": {"at": "x-reset", "remaining": "x-left"}}
    api, _ = answering(status(403, X_Reset=reset, X_Left="0"), status(403, X_Reset=reset, X_Left="5"))

    async with serving(api) as base, world(tmp_path, base, proxy_hints=hints) as w:
        async with w.proxy.call(w.target, ProxyRequest("GET", "/", retries=5)) as answer:
            assert answer.status == 403

    assert len(w.slept) == 1
    assert 80 <= w.slept[0] <= 90


async def test_a_wait_stated_in_the_body_is_found_and_the_body_still_reaches_the_caller(tmp_path: Path) -> None:
    hints = {"retry": {"in_body": {"path": "error.message", "value": r"in (\d+) seconds", "strategy": "after"}}}
    limited = web.Response(status=400, text='{"error": {"message": "again in 11 seconds"}}')
    api, _ = answering(limited)

    async with serving(api) as base, world(tmp_path, base, proxy_hints=hints) as w:
        async with w.proxy.call(w.target, ProxyRequest("GET", "/", retries=2, deadline=20)) as answer:
            assert await answer.read(1000) == limited.body

    assert w.slept == [11.0]


async def test_a_refused_credential_is_renewed_once_and_the_call_made_again(tmp_path: Path) -> None:
    seen: list[str] = []

    async def api(request: web.Request) -> web.Response:
        seen.append(f"{request.headers['Authorization']} {(await request.read()).decode()}")
        echo = {"X-Echo": request.headers["Authorization"]}
        return web.Response(status=401 if "old" in seen[-1] else 200, headers=echo)

    async with serving(api) as base, world(tmp_path, base) as w:
        w.credentials.tokens = ["old-token-1", "new-token-2"]
        async with w.proxy.call(w.target, ProxyRequest("POST", "/", body=b"once")) as answer:
            assert answer.status == 200

    assert seen == ["Bearer old-token-1 once", "Bearer new-token-2 once"]
    assert "old-token-1" not in w.logs.text
    assert "new-token-2" not in w.logs.text


async def test_a_401_stands_when_nothing_new_can_be_had_and_is_not_refreshed_again_at_once(tmp_path: Path) -> None:
    api, seen = answering(web.Response(status=401, text="no"))

    async with serving(api) as base, world(tmp_path, base) as w:
        for _ in range(3):
            async with w.proxy.call(w.target, ProxyRequest("GET", "/", retries=3)) as answer:
                assert (answer.status, await answer.read(10)) == (401, b"no")
        assert w.credentials.forced == 1
        w.clock.advance(timedelta(seconds=31))
        async with w.proxy.call(w.target, ProxyRequest("GET", "/")):
            pass

    assert w.credentials.forced == 2
    assert len(seen) == 4


async def test_a_refresh_that_fails_leaves_the_upstreams_401(tmp_path: Path) -> None:
    api, _ = answering(web.Response(status=401, text="no"))

    async with serving(api) as base, world(tmp_path, base) as w:
        w.credentials.failure = ConflictError("gone")
        async with w.proxy.call(w.target, ProxyRequest("GET", "/")) as answer:
            assert answer.status == 401


async def test_network_errors_are_tried_again_when_asked(tmp_path: Path) -> None:
    count = 0

    async def flaky(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        await read_head(reader)
        count += 1
        if count < 3:
            writer.transport.abort()
        else:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            await writer.drain()

    async with raw_serving(flaky) as base, world(tmp_path, base) as w:
        async with w.proxy.call(w.target, ProxyRequest("POST", "/", body=b"x", retries=2)) as answer:
            assert await answer.read(10) == b"ok"

    assert w.slept == [3.0, 6.0]


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_without_retries_a_broken_fresh_connection_is_not_tried_again(tmp_path: Path, method: str) -> None:
    count = 0

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal count
        await read_head(reader)
        count += 1
        writer.transport.abort()

    async with raw_serving(reset) as base, world(tmp_path, base) as w:
        with pytest.raises(UpstreamUnreachableError):
            async with w.proxy.call(w.target, ProxyRequest(method, "/", headers=[("Idempotency-Key", "k")])):
                pass

    assert count == 1


@pytest.mark.parametrize(
    ("method", "headers", "repeated"),
    [
        ("GET", [], True),
        ("PUT", [], True),
        ("POST", [], False),
        ("PATCH", [], False),
        ("POST", [("Idempotency-Key", "k")], True),
    ],
)
async def test_on_a_stale_pooled_connection_only_repeatable_requests_are_sent_again(
    tmp_path: Path, method: str, headers: list[tuple[str, str]], repeated: bool
) -> None:
    connections = 0

    async def stale(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()
        await read_head(reader)  # a second request on the same connection is read and never answered
        writer.transport.abort()

    async with raw_serving(stale) as base, world(tmp_path, base) as w:
        async with w.proxy.call(w.target, ProxyRequest("GET", "/")) as answer:
            await answer.read(10)
        try:
            async with w.proxy.call(w.target, ProxyRequest(method, "/", headers=headers, body=None)) as answer:
                outcome = await answer.read(10) == b"ok"
        except UpstreamUnreachableError:
            outcome = False

    assert outcome == repeated
    assert connections == (2 if repeated else 1)


async def test_a_small_streamed_body_is_held_for_another_try_and_a_large_one_is_sent_once(tmp_path: Path) -> None:
    sizes: list[int] = []

    async def api(request: web.Request) -> web.Response:
        sizes.append(len(await request.read()))
        return web.Response(status=503)

    async def stream(size: int) -> AsyncIterator[bytes]:
        for _ in range(size // 1024):
            yield b"x" * 1024

    async with serving(api) as base, world(tmp_path, base) as w:
        for size in (512 * 1024, 2 * 1024 * 1024):
            async with w.proxy.call(w.target, ProxyRequest("POST", "/", body=stream(size), retries=1)) as answer:
                assert answer.status == 503

    assert sizes == [512 * 1024, 512 * 1024, 2 * 1024 * 1024]
