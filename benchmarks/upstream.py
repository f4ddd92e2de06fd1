"""The vendor the benchmarks call: an asyncio protocol on uvloop in a process of its own, about 15 us CPU a call.

GET /json           1.7 kB of JSON, always the same
GET /people         a page of records of about 500 bytes: ?page=&size=&version=&total=
GET /set?a=1        remember values; GET /values returns them
GET /count?of=x     count up `x` and return it
"""

import asyncio
import json
import multiprocessing
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlencode, urlsplit

JSON = json.dumps({"items": [{"id": i, "name": f"item number {i}", "done": False} for i in range(30)]}).encode()
TOTAL, SIZE = 100_000, 1000


def answer(body: bytes, status: bytes = b"200 OK") -> bytes:
    return (
        b"HTTP/1.1 %b\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
        b'Date: Mon, 01 Jan 2030 00:00:00 GMT\r\nETag: W/"abc"\r\nX-Request-Id: 1\r\nVary: Accept\r\n\r\n%b'
    ) % (status, len(body), body)


def person(number: int, version: int) -> dict[str, Any]:
    """A record of about 500 bytes; one in ten changes with the version."""
    return {
        "id": f"rec-{number:09}",
        "name": f"Person {number}",
        "email": f"person{number}@example.com",
        "version": version if number % 10 == 0 else 0,
        "notes": "x" * 330,
        "tags": ["a", "b"],
        "address": {"city": "Lisbon", "zip": number},
    }


@lru_cache(maxsize=400)
def people(page: int, size: int, version: int, total: int) -> bytes:
    first = page * size
    rows = [person(n, version) for n in range(first, min(first + size, total))]
    return answer(json.dumps({"people": rows, "more": first + size < total}, separators=(",", ":")).encode())


class Vendor(asyncio.Protocol):
    """Answers each request head; requests with a body are not asked of it."""

    always = answer(JSON)
    values: ClassVar[dict[str, int]] = {}
    counts: ClassVar[dict[str, int]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.rest = b""

    def data_received(self, data: bytes) -> None:
        *heads, self.rest = (self.rest + data).split(b"\r\n\r\n")
        for head in heads:
            self.transport.write(self.always if head.startswith(b"GET /json") else self.answer(head))

    def answer(self, head: bytes) -> bytes:
        parts = urlsplit(head.split(b" ", 2)[1].decode())
        query = dict(parse_qsl(parts.query))
        match parts.path:
            case "/people":
                size, total = int(query.get("size", SIZE)), int(query.get("total", TOTAL))
                return people(int(query["page"]), size, int(query.get("version", 0)), total)
            case "/set":
                self.values.update({k: int(v) for k, v in query.items()})
                return answer(json.dumps(self.values).encode())
            case "/values":
                return answer(json.dumps(self.values).encode())
            case "/count":
                self.counts[query["of"]] = self.counts.get(query["of"], 0) + 1
                return answer(json.dumps(self.counts[query["of"]]).encode())
            case "/counts":
                return answer(json.dumps(self.counts).encode())
            case _:
                return answer(b"{}", b"404 Not Found")


def serve(port: Any) -> None:
    import uvloop

    async def main() -> None:
        server = await asyncio.get_running_loop().create_server(Vendor, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(main())


@dataclass(frozen=True)
class Upstream:
    """The running vendor."""

    port: int
    pid: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, path: str, **query: int | str) -> Any:
        """GET `path` of it."""
        with urllib.request.urlopen(f"{self.url}{path}?{urlencode(query)}", timeout=30) as got:
            return json.loads(got.read())


@contextmanager
def running_upstream() -> Generator[Upstream]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        if not ours.poll(60):
            raise RuntimeError("the upstream did not start")
        yield Upstream(ours.recv(), process.pid or 0)
    finally:
        process.kill()
        process.join()
