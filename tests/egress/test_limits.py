"""Every wait has a deadline, every buffer a bound, and what breaks says so."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.egress import (
    Deadlines,
    InvalidUpstreamAnswerError,
    ResponseTooLargeError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from dragoman_server.egress.decoding import decoded
from tests.egress.servers import client, raw_serving, read_head, serving

SHORT = Deadlines(connect=0.2, first_byte=0.2, between_bytes=0.2, total=5)


async def _hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await read_head(reader)
    await asyncio.Event().wait()


async def test_a_server_that_never_answers_is_a_timeout() -> None:
    async with raw_serving(_hang) as base, client() as egress:
        with pytest.raises(UpstreamTimeoutError) as error:
            async with egress.request("GET", base + "/?key=hunter2", deadlines=SHORT):
                pass

    assert (error.value.status, error.value.sent) == (504, True)
    assert "hunter2" not in str(error.value)


async def test_a_server_that_drips_header_bytes_is_a_timeout() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nX-A: ")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.05)  # the upstream is slow

    async with raw_serving(drip) as base, client() as egress:
        with pytest.raises(UpstreamTimeoutError):
            async with egress.request("GET", base, deadlines=SHORT):
                pass


async def test_a_body_that_falls_silent_is_a_timeout_while_reading() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await asyncio.Event().wait()

    async with raw_serving(silent) as base, client() as egress:
        with pytest.raises(UpstreamTimeoutError):
            async with egress.request("GET", base, deadlines=Deadlines(between_bytes=0.2)) as answer:
                assert answer.status == 200
                await answer.read()


async def test_the_total_deadline_ends_a_body_that_keeps_dripping() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"a")
            await writer.drain()
            await asyncio.sleep(0.02)  # the upstream is slow

    async with raw_serving(drip) as base, client() as egress:
        with pytest.raises(UpstreamTimeoutError):
            async with egress.request("GET", base, deadlines=Deadlines(total=0.3)) as answer:
                await answer.read()


async def test_an_upload_the_server_does_not_read_is_a_timeout() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        await asyncio.Event().wait()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 65536

    async with raw_serving(deaf) as base, client() as egress:
        with pytest.raises(UpstreamTimeoutError):
            async with egress.request("POST", base, body=endless(), deadlines=Deadlines(total=0.3)):
                pass


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX-Big: " + b"a" * 70000,
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
    ],
)
async def test_huge_or_foreign_headers_are_an_invalid_answer(answer: bytes) -> None:
    async def big(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(answer + b"\r\n\r\n")
        await writer.drain()

    async with raw_serving(big) as base, client() as egress:
        with pytest.raises(InvalidUpstreamAnswerError) as error:
            async with egress.request("GET", base):
                pass

    assert error.value.status == 502


async def test_a_reset_before_the_answer_says_it_may_have_been_received() -> None:
    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.transport.abort()

    async with raw_serving(reset) as base, client() as egress:
        with pytest.raises(UpstreamUnreachableError) as error:
            async with egress.request("POST", base, body=b"x"):
                pass

    assert error.value.sent is True


async def test_a_refused_connection_says_nothing_was_sent() -> None:
    async with raw_serving(_hang) as base:
        pass
    async with client() as egress:
        with pytest.raises(UpstreamUnreachableError) as error:
            async with egress.request("POST", base, body=b"x"):
                pass

    assert error.value.sent is False


@pytest.mark.parametrize("head", [b"Content-Length: 100\r\n\r\nabc", b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc"])
async def test_a_body_cut_short_is_an_error_not_an_end(head: bytes) -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(b"HTTP/1.1 200 OK\r\n" + head)
        await writer.drain()

    async with raw_serving(cut) as base, client() as egress:
        with pytest.raises(UpstreamUnreachableError):
            async with egress.request("GET", base) as answer:
                await answer.read()


async def test_a_body_longer_than_the_limit_is_refused_without_holding_it() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    async with serving(endless) as base, client() as egress:
        with pytest.raises(ResponseTooLargeError):
            async with egress.request("GET", base) as answer:
                await answer.read(limit=1_000_000)


async def test_a_caller_cannot_state_a_length_that_is_not_the_bodys() -> None:
    bodies: list[bytes] = []

    async def keep(request: web.Request) -> web.Response:
        bodies.append(await request.read())
        return web.Response()

    async def three() -> AsyncIterator[bytes]:
        yield b"abc"

    async with serving(keep) as base, client() as egress:
        async with egress.request("POST", base, body=b"abc", headers=[("Content-Length", "50")]) as answer:
            assert answer.status == 200
        async with egress.request("POST", base, body=three(), headers=[("content-length", "3")]) as answer:
            assert answer.status == 200
        for wrong in ("2", "4"):
            with pytest.raises(UpstreamUnreachableError):
                async with egress.request("POST", base, body=three(), headers=[("Content-Length", wrong)]):
                    pass

    assert bodies == [b"abc", b"abc"]


async def test_cookies_and_pooled_connections_carry_nothing_from_one_call_to_the_next() -> None:
    cookies: list[str | None] = []

    async def handler(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie"))
        return web.Response(headers={"Set-Cookie": "session=tenant-a; Path=/"})

    async with serving(handler) as base, client() as egress:
        for _ in range(3):
            async with egress.request("GET", base) as answer:
                await answer.read()

    assert cookies == [None, None, None]


async def test_decompression_is_only_on_request() -> None:
    packed = gzip.compress(b"hello " * 1000)

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=packed, headers={"Content-Encoding": "gzip"})

    async with serving(handler) as base, client() as egress:
        async with egress.request("GET", base) as answer:
            assert await answer.read() == packed
            assert answer.header("Content-Encoding") == "gzip"
        async with egress.request("GET", base, decompress=True) as answer:
            assert answer.header("Content-Encoding") is None
            assert answer.header("Content-Length") is None
            assert await answer.read() == b"hello " * 1000


async def test_a_decompression_bomb_stays_within_the_limit() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)

    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with serving(handler) as base, client() as egress:
        with pytest.raises(ResponseTooLargeError):
            async with egress.request("GET", base, decompress=True) as answer:
                await answer.read(limit=100_000)


async def _feed(pieces: list[bytes]) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def _pack(data: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(data)
    window = zlib.MAX_WBITS if encoding == "zlib" else -zlib.MAX_WBITS
    packer = zlib.compressobj(wbits=window)
    return packer.compress(data) + packer.flush()


@given(st.binary(max_size=5000), st.sampled_from(["gzip", "zlib", "raw"]), st.integers(2, 400))
def test_any_body_in_any_slices_decodes_to_itself(data: bytes, encoding: str, size: int) -> None:
    packed = _pack(data, encoding)
    slices = [packed[i : i + size] for i in range(0, len(packed), size)]

    async def run() -> bytes:
        return b"".join([piece async for piece in decoded(_feed(slices), "gzip" if encoding == "gzip" else "deflate")])

    assert asyncio.run(run()) == data


async def test_a_body_that_is_not_what_it_says_is_an_invalid_answer() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(body=b"plain", headers={"Content-Encoding": "gzip"})

    async with serving(handler) as base, client() as egress:
        with pytest.raises(InvalidUpstreamAnswerError):
            async with egress.request("GET", base, decompress=True) as answer:
                await answer.read()
