"""An application's webhook receiver on loopback, in a thread: keeps what it was sent, byte for byte."""

import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    body: bytes
    headers: dict[str, str]

    @property
    def event(self) -> dict[str, Any]:
        return json.loads(self.body)


@dataclass
class Receiver:
    """`answer` is the status it gives."""

    url: str = ""
    answer: int = 204
    received: list[Received] = field(default_factory=list[Received])

    def of(self, kind: str, **having: Any) -> list[dict[str, Any]]:
        """The events of this type, with these values, oldest first."""
        events = [r.event for r in list(self.received)]
        return [e for e in events if e["type"] == kind and all(e.get(k) == v for k, v in having.items())]


@contextmanager
def receiving() -> Generator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.received.append(Received(body, {k.lower(): v for k, v in self.headers.items()}))
            self.send_response(receiver.answer)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_port}/webhooks"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
