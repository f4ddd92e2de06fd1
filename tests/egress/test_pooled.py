"""A request on a pooled connection is the same request, and nothing one call leaves behind reaches another."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest

from dragoman_server.egress import (
    Deadlines,
    EgressClient,
    InvalidRequestError,
    InvalidUpstreamAnswerError,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from tests.egress.servers import client, raw_serving, read_head

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SHORT = Deadlines(connect=0.1, first_byte=0.2, between_bytes=0.2, total=5)


class Upstream:
    """Answers the first request of each connection with `first`, the later ones with `then`; keeps what it got."""

    def __init__(self, then: bytes = OK, first: bytes = OK) -> None:
        self.first = first
        self.then = then
        self.requests: list[bytes] = []
        self.connections = 0
        self.drip = b""

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        answer = self.first
        while True:
            head = await read_head(reader)
            length = next((int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:")), 0)
            self.requests.append(head + await reader.readexactly(length))
            writer.write(answer)
            while self.drip and answer is self.then:
                writer.write(self.drip)
                await writer.drain()
                await asyncio.sleep(0.05)  # the upstream is slow
            answer = self.then


@asynccontextmanager
async def warm(upstream: Upstream) -> AsyncGenerator[tuple[EgressClient, str]]:
    """A client with one pooled connection."""
    async with raw_serving(upstream.converse) as base, client() as egress:
        async with egress.request("GET", base) as answer:
            await answer.read()
        yield egress, base


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "PURGE"])
@pytest.mark.parametrize("body", [None, b"", b"some", b"x" * 100_000])
@pytest.mark.parametrize(
    "headers",
    [
        [],
        [
            ("Accept", "text/plain"),
            ("User-Agent", "me"),
            ("x-a", "1"),
            ("x-a", "ü"),
            ("x-b", "1"),
            ("X-B", "2"),
            ("Content-Length", "9"),
        ],
    ],
)
async def test_it_is_byte_for_byte_the_request_that_opens_a_connection(
    method: str, body: bytes | None, headers: list[tuple[str, str]]
) -> None:
    empty = b"HTTP/1.1 204 No Content\r\n\r\n"
    upstream = Upstream(empty, empty)
    async with raw_serving(upstream.converse) as base, client() as egress:
        for _ in range(2):
            async with egress.request(method, base + "/a%20b?q=1&r", headers=headers, body=body) as answer:
                assert await answer.read() == b""

    def parts(request: bytes) -> tuple[bytes, list[bytes], bytes]:
        head, _, sent = request.partition(b"\r\n\r\n")
        line, *fields = head.split(b"\r\n")
        return line, sorted(fields), sent

    dialled, pooled = upstream.requests
    assert parts(dialled) == parts(pooled)
    assert upstream.connections == 1


async def test_informational_answers_are_passed_over() -> None:
    async with warm(Upstream(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)) as (egress, base):
        async with egress.request("GET", base) as answer:
            assert (answer.status, await answer.read()) == (200, b"ok")


async def test_a_head_request_waits_for_no_body() -> None:
    upstream = Upstream(b"HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n")
    async with warm(upstream) as (egress, base):
        for _ in range(2):
            async with egress.request("HEAD", base) as answer:
                assert (answer.content_length, await answer.read()) == (70, b"")

    assert upstream.connections == 1


@pytest.mark.parametrize("drip", [b"", b"a"])
async def test_headers_that_do_not_come_are_a_timeout(drip: bytes) -> None:
    upstream = Upstream(b"HTTP/1.1 200 OK\r\nX-A: " if drip else b"")
    upstream.drip = drip
    async with warm(upstream) as (egress, base):
        with pytest.raises(UpstreamTimeoutError):
            async with egress.request("GET", base, deadlines=SHORT):
                pass


async def test_a_body_that_falls_silent_is_a_timeout() -> None:
    async with warm(Upstream(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")) as (egress, base):
        with pytest.raises(UpstreamTimeoutError):
            async with egress.request("GET", base, deadlines=SHORT) as answer:
                await answer.read()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"what?\r\n\r\n", InvalidUpstreamAnswerError),
        (b"HTTP/1.1 200 OK\r\nX-A: " + b"a" * 40_000 + b"\r\n\r\n", InvalidUpstreamAnswerError),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", InvalidUpstreamAnswerError),
    ],
)
async def test_what_is_no_http_is_said_so(answer: bytes, error: type[Exception]) -> None:
    async with warm(Upstream(answer)) as (egress, base):
        with pytest.raises(error):
            async with egress.request("GET", base):
                pass


async def test_a_header_that_would_be_two_is_refused() -> None:
    upstream = Upstream()
    async with warm(upstream) as (egress, base):
        with pytest.raises(InvalidRequestError):
            async with egress.request("GET", base, headers=[("x-a", "1\r\nx-b: 2")]):
                pass
        with pytest.raises(InvalidRequestError):
            async with egress.request("GET", base, headers=[("x-a", "\udc80")]):
                pass

    assert len(upstream.requests) == 1


async def test_an_answer_nobody_read_to_its_end_closes_its_connection() -> None:
    upstream = Upstream(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
    async with warm(upstream) as (egress, base):
        async with egress.request("GET", base) as answer:
            assert answer.status == 200
        async with egress.request("GET", base) as answer:
            assert await answer.read() == b"ok"

    assert upstream.connections == 2


async def test_a_cancelled_call_closes_its_connection() -> None:
    upstream = Upstream(b"")
    async with warm(upstream) as (egress, base):

        async def call() -> None:
            async with egress.request("GET", base):
                pass

        task = asyncio.create_task(call())
        while len(upstream.requests) < 2:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with egress.request("GET", base) as answer:
            assert await answer.read() == b"ok"

    assert upstream.connections == 2


async def test_an_answer_that_came_before_its_question_is_nobodys() -> None:
    more = asyncio.Event()
    requests = 0

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        while True:
            await read_head(reader)
            requests += 1
            writer.write(OK)
            if requests == 1:
                await more.wait()
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
                await writer.drain()

    async with raw_serving(converse) as base, client() as egress:
        async with egress.request("GET", base) as answer:
            await answer.read()
        [pooled] = [proto for held in egress._session.connector._conns.values() for proto, _ in held]  # type: ignore[union-attr]  # noqa: SLF001
        more.set()
        while not len(pooled):
            await asyncio.sleep(0)
        async with egress.request("POST", base, body=b"x") as answer:
            assert await answer.read() == b"ok"


async def test_a_connection_that_breaks_after_a_post_is_told_as_stale() -> None:
    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_head(reader)
        writer.write(OK)
        await read_head(reader)

    async with raw_serving(converse) as base, client() as egress:
        async with egress.request("GET", base) as answer:
            await answer.read()
        with pytest.raises(UpstreamUnreachableError) as error:
            async with egress.request("POST", base, body=b"x"):
                pass

    assert (error.value.sent, error.value.stale) == (True, True)
