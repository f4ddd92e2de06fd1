"""GuestCalls that remember, and answer the proxy from a function."""

# ruff: noqa: A002

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from dragoman_server.runners.port import LogLine, ProxyAnswer, ProxyCall, SaveBatch, SaveCounts


async def body_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


@dataclass
class RecordingCalls:
    answer: Callable[[ProxyCall], ProxyAnswer] = lambda _: ProxyAnswer(
        200, [("content-type", "application/json")], body_of(b"[]")
    )
    proxied: list[ProxyCall] = field(default_factory=list[Any])
    saved: list[SaveBatch] = field(default_factory=list[Any])
    deleted: list[tuple[int, str, Sequence[str]]] = field(default_factory=list[Any])
    tracking: list[tuple[Any, ...]] = field(default_factory=list[Any])
    checkpoints: list[bytes | None] = field(default_factory=list[Any])
    lines: list[LogLine] = field(default_factory=list[Any])
    stored: dict[str, bytes] = field(default_factory=dict[Any, Any])
    failure: Exception | None = None

    def proxy(self, call: ProxyCall) -> AbstractAsyncContextManager[ProxyAnswer]:
        @asynccontextmanager
        async def opened() -> AsyncGenerator[ProxyAnswer, None]:
            self.proxied.append(call)
            yield self.answer(call)

        return opened()

    async def save(self, batch: SaveBatch) -> SaveCounts:
        if self.failure is not None:
            raise self.failure
        self.saved.append(batch)
        return SaveCounts(added=len(batch.records))

    async def delete(self, batch: int, model: str, ids: Sequence[str]) -> int:
        self.deleted.append((batch, model, ids))
        return len(ids)

    async def open_tracking(self, batch: int, model: str) -> None:
        self.tracking.append(("open", batch, model))

    async def close_tracking(self, batch: int, model: str, *, allow_empty: bool) -> int:
        self.tracking.append(("close", batch, model, allow_empty))
        return 0

    async def records(self, model: str, ids: Sequence[str]) -> Sequence[tuple[str, bytes]]:
        return [(id_, self.stored[id_]) for id_ in ids if id_ in self.stored]

    async def save_checkpoint(self, batch: int, checkpoint: bytes | None) -> None:
        self.checkpoints.append(checkpoint)

    async def metadata(self) -> bytes:
        return b'{"list":"a"}'

    async def write_metadata(self, value: bytes, *, merge: bool) -> None:
        self.stored[f"metadata:{merge}"] = value

    async def connection(self) -> Mapping[str, Any]:
        return {"connection_id": "c"}

    async def variables(self) -> Mapping[str, str]:
        return {"REGION": "eu"}

    async def trigger_action(self, name: str, input: bytes | None) -> bytes | None:
        return b'{"ran":"' + name.encode() + b'"}'

    def log(self, lines: Sequence[LogLine]) -> None:
        self.lines += lines
