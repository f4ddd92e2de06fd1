"""The SDK's Transport over the inherited socket: one implementation, two ways to wait.

`BlockingWire` does its I/O in place, so a plain function's coroutines never suspend; `LoopWire` belongs to an event
loop.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from dragoman.authoring.transport import Reply
from dragoman_server.runners.guest import frames
from dragoman_server.runners.guest.session import Call, Inbound, Session

LONGEST_LINE = 32 * 1024
READ = 256 * 1024


class Connection(Protocol):
    """What a run needs of its socket."""

    def send(self, data: Any, /) -> int: ...
    def sendall(self, data: Any, /) -> None: ...
    def recv(self, size: int, /) -> bytes: ...
    def fileno(self) -> int: ...
    def setblocking(self, value: bool, /) -> None: ...


class Wire(Protocol):
    session: Session

    async def write(self, data: bytes) -> None: ...
    def write_soon(self, data: bytes) -> None: ...
    async def wait(self, thing: Call | Inbound, *, to_send: bool = False) -> None: ...


class SocketTransport:
    """Carries the calls of one run."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._session = wire.session

    async def call(
        self,
        method: str,
        params: Mapping[str, Any],
        body: bytes = b"",
        *,
        upload: AsyncIterator[bytes] | None = None,
        stream: bool = False,
    ) -> Reply:
        call, data = self._session.open_call(method, params, body, upload=upload is not None, stream=stream)
        await self._wire.write(data)
        if upload is not None:
            await self._upload(call, upload)
        await self._wire.wait(call)
        reply = self._session.take(call)
        if call.inbound is not None:
            reply.stream = InboundBytes(self._wire, call.inbound)
        return reply

    def log(self, level: str, message: str, meta: Mapping[str, Any] | None) -> None:
        line = {
            "level": level,
            "message": message[:LONGEST_LINE],
            "meta": _safe(meta),
            "at": datetime.now(UTC).isoformat(),
        }
        self._wire.write_soon(frames.message(frames.LOG, line))

    async def _upload(self, call: Call, upload: AsyncIterator[bytes]) -> None:
        stream = 2 * call.id + 1
        async for piece in upload:
            for start in range(0, len(piece), frames.PIECE):
                part = piece[start : start + frames.PIECE]
                while not call.may_send():
                    await self._wire.wait(call, to_send=True)
                if call.upload_refused or call.done:
                    return
                call.upload_credit -= len(part)
                await self._wire.write(frames.frame(frames.DATA, stream, part))
        await self._wire.write(frames.frame(frames.END, stream))


class InboundBytes:
    """A provider's answer on its way: iterate or close."""

    def __init__(self, wire: Wire, inbound: Inbound) -> None:
        self._wire = wire
        self._inbound = inbound

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        inbound = self._inbound
        while True:
            while inbound.pieces:
                piece = inbound.pieces.popleft()
                due = self._wire.session.consumed(inbound, len(piece))
                if due is not None:
                    await self._wire.write(due)
                yield piece
            if inbound.ended:
                if inbound.error is not None:
                    raise inbound.error
                return
            await self._wire.wait(inbound)

    async def aclose(self) -> None:
        if not self._inbound.ended:
            self._wire.session.inbound.pop(self._inbound.id, None)
            self._inbound.ended = True
            await self._wire.write(frames.frame(frames.RESET, self._inbound.id))


class BlockingWire:
    """For plain functions: reads and writes in place. Threads of the function may share it."""

    def __init__(self, connection: Connection, session: Session) -> None:
        self.session = session
        self._socket = connection
        self._reading = threading.RLock()
        self._writing = threading.RLock()

    async def write(self, data: bytes) -> None:
        self.write_soon(data)

    def write_soon(self, data: bytes) -> None:
        with self._writing:
            self._socket.sendall(data)

    async def wait(self, thing: Call | Inbound, *, to_send: bool = False) -> None:
        ready = thing.may_send if to_send and isinstance(thing, Call) else thing.ready
        while not ready():
            with self._reading:
                if not ready():
                    self.read_once()

    def read_once(self) -> None:
        self.session.feed(self._socket.recv(READ))


class LoopWire:
    """For `async def` functions: belongs to the running event loop."""

    HIGH = 1024 * 1024

    def __init__(self, connection: Connection, session: Session) -> None:
        self.session = session
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._out = bytearray()
        self._drained = asyncio.Event()
        self._drained.set()
        self._writing = False
        self._left = False
        connection.setblocking(False)
        self._loop.add_reader(connection.fileno(), self._readable)

    async def write(self, data: bytes) -> None:
        self.write_soon(data)
        if len(self._out) > self.HIGH:
            await self._drained.wait()

    def write_soon(self, data: bytes) -> None:
        if self._left:
            self._out += data
            return
        if not self._out:
            try:
                sent = self._socket.send(data)
            except BlockingIOError:
                sent = 0
            if sent == len(data):
                return
            data = data[sent:]
        self._out += data
        if len(self._out) > self.HIGH:
            self._drained.clear()
        if not self._writing:
            self._writing = True
            self._loop.add_writer(self._socket.fileno(), self._writable)

    async def wait(self, thing: Call | Inbound, *, to_send: bool = False) -> None:
        ready = thing.may_send if to_send and isinstance(thing, Call) else thing.ready
        while not ready():
            happened = self._loop.create_future()
            thing.wake = lambda found=happened: None if found.done() else found.set_result(None)
            await happened
            thing.wake = None

    def leave(self) -> None:
        """The loop runs no more: from here on everything waits for `flush`."""
        self._left = True

    def flush(self) -> None:
        """Send what is left, in place."""
        if self._out:
            self._socket.sendall(self._out)
            self._out.clear()

    def _readable(self) -> None:
        try:
            data = self._socket.recv(READ)
        except BlockingIOError:
            return
        self.session.feed(data)
        if not data:
            self._loop.remove_reader(self._socket.fileno())

    def _writable(self) -> None:
        try:
            sent = self._socket.send(memoryview(self._out)[:READ])
        except BlockingIOError:
            return
        del self._out[:sent]
        if len(self._out) <= self.HIGH // 2:
            self._drained.set()
        if not self._out:
            self._writing = False
            self._loop.remove_writer(self._socket.fileno())


def _safe(meta: Mapping[str, Any] | None) -> Any:
    if not meta:
        return None
    from dragoman.authoring.jsons import dumps, loads

    try:
        raw = dumps(meta)
    except Exception:  # whatever the author logs, a log line never fails
        return {key: repr(value)[:2000] for key, value in meta.items()}
    return loads(raw) if len(raw) <= LONGEST_LINE else {"truncated": raw[:LONGEST_LINE].decode("utf-8", "replace")}
