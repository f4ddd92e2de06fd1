"""The load generator: raw keep-alive connections, so that it costs little beside what it measures."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import uvloop

Check = Callable[[bytes], bool]


def get(path: str, headers: Mapping[str, str]) -> bytes:
    """A GET as it goes over the wire."""
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Accept: application/json", "User-Agent: bench"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass(slots=True)
class Wire:
    """One connection; `ask` sends a request and returns (status, body, whether the server will close)."""

    port: int
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**24)

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        """Raise ConnectionError when the answer does not come whole."""
        if self.writer is None:
            await self.open()
        assert self.reader is not None
        assert self.writer is not None
        self.writer.write(request)
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            lower = head.lower()
            at = lower.find(b"content-length:")
            if at >= 0:
                body = await self.reader.readexactly(int(lower[at + 15 : lower.index(b"\r", at)]))
            else:
                body = await self._chunks()
        except asyncio.IncompleteReadError as error:
            self.close()
            raise ConnectionError("the answer broke off") from error
        if b"\r\nconnection: close" in lower:
            self.close()
        return int(head[9:12]), body

    async def _chunks(self) -> bytes:
        assert self.reader is not None
        parts: list[bytes] = []
        while size := int(await self.reader.readline(), 16):
            parts.append(await self.reader.readexactly(size))
            await self.reader.readline()
        await self.reader.readline()
        return b"".join(parts)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None


async def send(port: int, requests: Iterator[bytes], calls: int, at_once: int, check: Check) -> list[float]:
    """Seconds of each of `calls` requests over `at_once` connections; AssertionError at a wrong answer."""
    times: list[float] = []
    left = calls

    async def one() -> None:
        nonlocal left
        wire = Wire(port)
        await wire.open()
        while left > 0:
            left -= 1
            request = next(requests)
            began = time.perf_counter()
            status, body = await wire.ask(request)
            times.append(time.perf_counter() - began)
            assert status == 200, (status, body[:300])
            assert check(body), body[:300]
        wire.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one())
    return times


def flood(port: int, requests: Iterator[bytes], *, calls: int, at_once: int, check: Check) -> list[float]:
    """`send` on an event loop of its own."""
    return uvloop.run(send(port, requests, calls, at_once, check))


@dataclass(slots=True)
class Steady:
    """What a steady load saw: the failures, when each answer came, and how long it took."""

    failures: list[str] = field(default_factory=list[str])
    answers: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])


async def steady(
    port: int, requests: Iterator[bytes], *, per_second: int, at_once: int, until: Callable[[], bool], check: Check
) -> Steady:
    """`per_second` requests a second until `until` says so; failures are counted, not raised, and never repeated."""
    seen = Steady()
    began, sent = time.perf_counter(), 0

    async def one() -> None:
        nonlocal sent
        wire = Wire(port)
        while not until():
            due = began + sent / per_second
            sent += 1
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            start = time.perf_counter()
            try:
                async with asyncio.timeout(30):
                    status, body = await wire.ask(next(requests))
            except (OSError, TimeoutError) as error:
                seen.failures.append(type(error).__name__)
                wire.close()
                await asyncio.sleep(0.05)
                continue
            if status != 200 or not check(body):
                seen.failures.append(f"{status} {body[:120]!r}")
            now = time.perf_counter()
            seen.answers.append((now, now - start))
        wire.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(at_once):
            group.create_task(one())
    return seen
