"""A caller who sends an endless head, or none, holds neither memory nor a connection; others are served as ever."""

import asyncio
import socket
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn

from dragoman_server.assembly import http_protocol
from dragoman_server.assembly.http_protocol import CORKED_BYTES, LARGEST_HEAD, BoundedHttp, Corked


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    size = 0
    while True:
        message = await receive()
        size += len(message.get("body", b""))
        if not message.get("more_body"):
            break
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class QuietServer(uvicorn.Server):
    """Leaves the signals to the test process."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


@pytest.fixture
async def port() -> AsyncIterator[int]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    config = uvicorn.Config(app, http=BoundedHttp, lifespan="off", log_config=None, ws="none")
    server = QuietServer(config)
    serving = asyncio.create_task(server.serve([listener]))
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving
    listener.close()


async def ask(port: int, *pieces: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        return await asyncio.wait_for(reader.read(4096), 10)
    except ConnectionError:
        return b"reset"
    finally:
        writer.close()


async def test_an_endless_head_is_refused(port: int) -> None:
    lines = [b"x-%d: " % n + b"b" * 8000 + b"\r\n" for n in range(40)]

    answer = await ask(port, b"GET / HTTP/1.1\r\nhost: x\r\n", *lines)

    assert answer == b"reset" or answer.startswith(b"HTTP/1.1 431 ")


async def test_one_endless_header_is_refused(port: int) -> None:
    answer = await ask(port, b"GET / HTTP/1.1\r\nhost: x\r\nx: ", *[b"b" * 8000] * 40)

    assert answer == b"reset" or answer.startswith(b"HTTP/1.1 431 ")


async def test_an_endless_address_is_refused(port: int) -> None:
    answer = await ask(port, b"GET /", *[b"b" * 8000] * 40)

    assert answer == b"reset" or answer.startswith(b"HTTP/1.1 431 ")


async def test_large_bodies_and_many_requests_on_a_connection_are_none_of_its_business(port: int) -> None:
    body = b"b" * (LARGEST_HEAD * 4)
    one = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(5):
        writer.write(one)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
        assert head.startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(6) == str(len(body)).encode()
    writer.close()


async def test_a_head_that_does_not_come_is_not_waited_for(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_protocol, "SLOWEST_HEAD_SECONDS", 0.1)

    assert await ask(port, b"GET / HTTP/1.1\r\nhost: x\r\n") == b""


class _Wire(asyncio.Transport):
    """What a transport is told to write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.closed
        self.written.append(bytes(data))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


async def test_small_writes_of_one_turn_go_out_together_and_in_order() -> None:
    wire = _Wire()
    corked = Corked(wire, asyncio.get_running_loop())

    corked.write(b"head ")
    corked.write(b"body ")
    await asyncio.sleep(0)
    corked.write(b"more")
    await asyncio.sleep(0)

    assert wire.written == [b"head body ", b"more"]


async def test_what_waits_to_be_written_is_bounded() -> None:
    wire = _Wire()
    corked = Corked(wire, asyncio.get_running_loop())

    corked.write(b"head ")
    corked.write(b"x" * CORKED_BYTES)

    assert wire.written == [b"head " + b"x" * CORKED_BYTES]


async def test_closing_writes_what_waits_and_nothing_is_written_to_a_lost_connection() -> None:
    kept, lost = _Wire(), _Wire()
    loop = asyncio.get_running_loop()
    closing, broken = Corked(kept, loop), Corked(lost, loop)

    closing.write(b"last words")
    closing.close()
    broken.write(b"too late")
    lost.close()
    await asyncio.sleep(0)

    assert (kept.written, kept.closed) == ([b"last words"], True)
    assert lost.written == []
