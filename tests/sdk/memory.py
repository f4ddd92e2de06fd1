"""A Transport in memory that answers from a table and remembers what was asked."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dragoman.authoring.transport import Reply

Answer = Callable[[Mapping[str, Any], bytes], Reply]


@dataclass
class MemoryTransport:
    answers: dict[str, Answer] = field(default_factory=dict[Any, Any])
    calls: list[tuple[str, dict[str, Any], bytes]] = field(default_factory=list[Any])
    lines: list[tuple[str, str, Any]] = field(default_factory=list[Any])

    async def call(
        self,
        method: str,
        params: Mapping[str, Any],
        body: bytes = b"",
        *,
        upload: AsyncIterator[bytes] | None = None,
        stream: bool = False,
    ) -> Reply:
        if upload is not None:
            body = b"".join([piece async for piece in upload])
        self.calls.append((method, dict(params), body))
        answer = self.answers.get(method)
        return Reply() if answer is None else answer(params, body)

    def log(self, level: str, message: str, meta: Mapping[str, Any] | None) -> None:
        self.lines.append((level, message, meta))

    def of(self, method: str) -> list[tuple[dict[str, Any], bytes]]:
        return [(params, body) for name, params, body in self.calls if name == method]


def pages(*found: tuple[int, dict[str, str], bytes]) -> Answer:
    """Proxy answers, one after the other: status, headers, body."""
    left = list(found)

    def answer(_: Mapping[str, Any], __: bytes) -> Reply:
        status, headers, body = left.pop(0)
        return Reply({"status": status, "headers": list(headers.items())}, body)

    return answer


RUN: dict[str, Any] = {
    "run_id": "r",
    "attempt": 1,
    "integration": "crm",
    "provider": "crm",
    "connection_id": "c",
    "environment": "dev",
    "variant": "base",
}
