"""One run's socket, seen from the host: frames in, GuestCalls out, answers back, under back-pressure.

The guest is not trusted: every parameter is parsed, every size bounded, and nothing it sends can raise here.
"""

# ruff: noqa: ARG001 - the functions for calls share one shape

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal, cast

import msgspec

from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.runners.guest import frames
from dragoman_server.runners.port import GuestCalls, Limits, LogLine, ProxyCall, SaveBatch

log = get_logger("runners")

PENDING_CALLS = 64
PENDING_BYTES = 32 * 1024 * 1024
INLINE_ANSWER = 256 * 1024
LINE_OVERHEAD = 200
"""What a line of log costs besides its text; without it empty lines would be free."""
LINES_A_TURN = 100
"""Lines handed on between two looks at the event loop: a function that floods its log delays nobody else."""
BYTES_A_TURN = 64 * 1024
LINES_WAITING = 1000
LONGEST_META = 128 * 1024
"""Bytes of a line whose meta is looked at; nothing so long is kept anyway."""


class ProxyParams(msgspec.Struct):
    method: str
    endpoint: str
    query: list[tuple[str, str]] = []
    headers: list[tuple[str, str]] = []
    retries: int = 0
    retry_on: list[int] = []
    has_body: bool = False
    timeout: float | None = None
    base_url: str | None = None
    decompress: bool = False
    forward_headers_on_redirect: bool = False


class SaveParams(msgspec.Struct):
    batch: int
    model: str
    ids: list[str]
    checkpoint: int | None = None


class DeleteParams(msgspec.Struct):
    batch: int
    model: str
    ids: list[str]


class TrackingParams(msgspec.Struct):
    batch: int
    model: str
    allow_empty: bool = False


class RecordsParams(msgspec.Struct):
    model: str
    ids: list[str]


class BatchParams(msgspec.Struct):
    batch: int


class MetadataParams(msgspec.Struct):
    merge: bool


class ActionParams(msgspec.Struct):
    name: str


class LogParams(msgspec.Struct):
    message: str
    level: Literal["debug", "info", "warn", "error"] = "info"
    meta: dict[str, Any] | None = None
    at: datetime | None = None


class CallHead(msgspec.Struct):
    id: int
    method: str
    params: msgspec.Raw = msgspec.Raw(b"{}")
    upload: bool = False
    stream: bool = False


Answer = tuple[Any, bytes]
_RAW_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_HEAD = msgspec.json.Decoder(CallHead)
_LOG = msgspec.json.Decoder(LogParams)


class Upload:
    """A request body on its way from the guest; each piece read grants the guest as many bytes again."""

    def __init__(self, stream: int, grant: Callable[[int, int], None]) -> None:
        self._stream = stream
        self._grant = grant
        self._pieces: deque[bytes] = deque()
        self._happened = asyncio.Event()
        self._ended = False
        self.size = 0

    def add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self.size += len(piece)
        self._happened.set()

    def end(self) -> None:
        self._ended = True
        self._happened.set()

    def held(self) -> int:
        return sum(map(len, self._pieces))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._grant(self._stream, len(piece))
                yield piece
            if self._ended:
                return
            self._happened.clear()
            await self._happened.wait()


class GuestConnection(asyncio.Protocol):
    """`outcome` resolves to (head, output) when the guest says how it ended, to None when it hung up before."""

    def __init__(self, calls: GuestCalls, limits: Limits) -> None:
        self.outcome: asyncio.Future[tuple[Mapping[str, Any], bytes] | None] = (
            asyncio.get_running_loop().create_future()
        )
        self.broken = False
        """The guest sent what is no frame."""
        self._calls = calls
        self._limits = limits
        self._parser = frames.Parser()
        self._transport: asyncio.Transport | None = None
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._uploads: dict[int, Upload] = {}
        self._credits: dict[int, int] = {}
        self._credited = asyncio.Event()
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._pending = 0
        self._pending_bytes = 0
        self._paused = False
        self._logged = 0
        self._lines: deque[tuple[LogLine, int]] = deque()
        self._handing_on = False

    # ---- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        try:
            for found in self._parser.feed(data):
                self._handle(found)
        except (frames.FrameError, msgspec.MsgspecError) as error:
            log.warning("guest_protocol_error", detail=str(error)[:200])
            self.broken = True
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.outcome.done():
            self.outcome.set_result(None)
        self._may_write.set()
        for task in self._tasks.values():
            task.cancel()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    # ---- the host's side

    def start(self, head: Mapping[str, Any], body: bytes) -> None:
        assert self._transport is not None
        self._transport.write(frames.message(frames.START, head, body))

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def finish(self) -> None:
        """Hang up and wait until no call of this run is under way any more."""
        if self._transport is not None:
            self._transport.close()
        while self._lines:
            self._calls.log(self._next_lines())
            await asyncio.sleep(0)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    # ---- frames

    def _handle(self, found: frames.Frame) -> None:
        match found.type:
            case frames.CALL:
                self._call(found)
            case frames.LOG:
                self._log(found)
            case frames.OUTCOME:
                if not self.outcome.done():
                    self.outcome.set_result(found.message())
            case frames.DATA:
                upload = self._uploads.get(found.stream)
                if upload is not None:
                    upload.add(found.payload)
                    if upload.held() > 2 * frames.WINDOW:
                        raise frames.FrameError("The guest sends more than it was granted.")
            case frames.END:
                upload = self._uploads.pop(found.stream, None)
                if upload is not None:
                    upload.end()
            case frames.CREDIT:
                if found.stream in self._credits and len(found.payload) == 4:
                    self._credits[found.stream] += frames.LENGTH.unpack(found.payload)[0]
                    self._credited.set()
            case frames.RESET:
                task = self._tasks.get(found.stream // 2)
                if task is not None and found.stream in self._credits:
                    task.cancel()
            case _:
                raise frames.FrameError(f"Frame type {found.type} is not for a host.")

    def _call(self, found: frames.Frame) -> None:
        (length,) = frames.LENGTH.unpack_from(found.payload) if len(found.payload) >= 4 else (0,)
        head = _HEAD.decode(found.payload[4 : 4 + length])
        body = found.payload[4 + length :]
        if head.id in self._tasks:
            raise frames.FrameError("The guest used a call's number twice.")
        upload = None
        if head.upload:
            upload = self._uploads[2 * head.id + 1] = Upload(2 * head.id + 1, self._grant)
        self._pending += 1
        self._pending_bytes += len(body)
        self._balance()
        task = asyncio.get_running_loop().create_task(self._serve(head, body, upload))
        self._tasks[head.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(head.id, None))

    def _balance(self) -> None:
        crowded = (
            self._pending >= PENDING_CALLS or self._pending_bytes > PENDING_BYTES or len(self._lines) > LINES_WAITING
        )
        if crowded != self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = crowded
            if crowded:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    async def _serve(self, head: CallHead, body: bytes, upload: Upload | None) -> None:
        counted = True
        try:
            if head.method == "proxy":
                counted = False
                await self._proxy(head, body, upload)
                return
            handler = _HANDLERS.get(head.method)
            if handler is None:
                self._refuse(head.id, "not_implemented", f"This platform knows no call `{head.method}`.", 501)
                return
            value, answer = await handler(self._calls, head.params, body)
            await self._reply({"id": head.id, "value": value}, answer)
        except DragomanError as error:
            self._refuse(head.id, error.public_code, error.message, error.status, error.payload)
        except msgspec.MsgspecError as error:
            self._refuse(head.id, "invalid_body", f"`{head.method}`: {error}", 400)
        except Exception as error:  # a bug of ours must end this call, not the run's connection; its text stays here
            log.exception("guest_call_failed", method=head.method, error=type(error).__name__)
            self._refuse(head.id, "server_error", f"`{head.method}` failed on the platform's side.", 500)
        finally:
            if counted:
                self._done_with(body)
            self._uploads.pop(2 * head.id + 1, None)

    def _done_with(self, body: bytes) -> None:
        self._pending -= 1
        self._pending_bytes -= len(body)
        self._balance()

    async def _proxy(self, head: CallHead, body: bytes, upload: Upload | None) -> None:
        stream = 2 * head.id
        waiting = True
        try:
            asked = msgspec.json.decode(head.params, type=ProxyParams)
            call = ProxyCall(
                method=asked.method,
                endpoint=asked.endpoint,
                query=asked.query,
                headers=asked.headers,
                body=aiter(upload) if upload is not None else body if asked.has_body else None,
                base_url_override=asked.base_url,
                retries=max(0, min(asked.retries, 10)),
                retry_on=asked.retry_on,
                timeout=asked.timeout,
                decompress=asked.decompress,
                forward_headers_on_redirect=asked.forward_headers_on_redirect,
            )
            async with self._calls.proxy(call) as answer:
                value = {"status": answer.status, "headers": list(answer.headers)}
                pieces = aiter(answer.body)
                held: list[bytes] = []
                size = 0
                whole = True
                async for piece in pieces:
                    held.append(piece)
                    size += len(piece)
                    if head.stream or size > INLINE_ANSWER:
                        whole = False
                        break
                if upload is not None:
                    self._transport_write(frames.frame(frames.RESET, 2 * head.id + 1))
                if whole:
                    await self._reply({"id": head.id, "value": value}, b"".join(held))
                    return
                self._credits[stream] = frames.WINDOW
                await self._reply({"id": head.id, "value": value, "stream": True}, b"")
                waiting = False
                self._done_with(body)
                for piece in held:
                    await self._send(stream, piece)
                held.clear()
                async for piece in pieces:
                    await self._send(stream, piece)
                self._transport_write(frames.frame(frames.END, stream))
        except BaseException as error:
            if stream in self._credits:
                self._transport_write(frames.frame(frames.RESET, stream))
                if not isinstance(error, asyncio.CancelledError):
                    log.info("guest_stream_broken", error=type(error).__name__)
                    return
            raise
        finally:
            self._credits.pop(stream, None)
            if waiting:
                self._done_with(body)

    async def _send(self, stream: int, data: bytes) -> None:
        for start in range(0, len(data), frames.PIECE):
            part = data[start : start + frames.PIECE]
            while self._credits[stream] <= 0:
                self._credited.clear()
                await self._credited.wait()
            self._credits[stream] -= len(part)
            await self._may_write.wait()
            self._transport_write(frames.frame(frames.DATA, stream, part))

    async def _reply(self, head: Mapping[str, Any], body: bytes) -> None:
        await self._may_write.wait()
        self._transport_write(frames.message(frames.REPLY, head, body))

    def _refuse(self, id_: int, code: str, message: str, status: int, payload: Any = None) -> None:
        error = {"code": code, "message": message, "status": status, "payload": payload}
        self._transport_write(frames.message(frames.REPLY, {"id": id_, "error": error}))

    def _grant(self, stream: int, size: int) -> None:
        self._transport_write(frames.credit(stream, size))

    def _transport_write(self, data: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def _log(self, found: frames.Frame) -> None:
        (length,) = frames.LENGTH.unpack_from(found.payload) if len(found.payload) >= 4 else (0,)
        before = self._logged
        self._logged += length + LINE_OVERHEAD
        now = datetime.now(UTC)
        if self._logged > self._limits.log_bytes:
            if before <= self._limits.log_bytes:
                text = f"This run logged more than {self._limits.log_bytes} bytes; what follows is dropped."
                self._hand_on(LogLine("warn", text, None, now), 0)
            return
        line = _LOG.decode(found.payload[4 : 4 + length])
        at = (
            line.at
            if line.at is not None and line.at.tzinfo is not None and abs((line.at - now).total_seconds()) < 60
            else now
        )
        meta = line.meta if length <= LONGEST_META or line.meta is None else {"cut": True, "bytes": length}
        self._hand_on(LogLine(line.level, line.message, meta, at), length)

    def _hand_on(self, line: LogLine, size: int) -> None:
        self._lines.append((line, size))
        if not self._handing_on:
            self._handing_on = True
            asyncio.get_running_loop().call_soon(self._hand_on_some)
        if len(self._lines) > LINES_WAITING:
            self._balance()

    def _hand_on_some(self) -> None:
        if self._lines:
            self._calls.log(self._next_lines())
        self._handing_on = bool(self._lines)
        if self._handing_on:
            asyncio.get_running_loop().call_soon(self._hand_on_some)
        if self._paused:
            self._balance()

    def _next_lines(self) -> list[LogLine]:
        lines: list[LogLine] = []
        size = 0
        while self._lines and len(lines) < LINES_A_TURN and size < BYTES_A_TURN:
            line, length = self._lines.popleft()
            lines.append(line)
            size += length
        return lines


# ---- one function per call


async def _save(calls: GuestCalls, raw: msgspec.Raw, body: bytes) -> Answer:
    params = msgspec.json.decode(raw, type=SaveParams)
    split = len(body) - (params.checkpoint or 0)
    if split < 0:
        raise msgspec.ValidationError("the checkpoint is longer than the body")
    records = _RAW_LIST.decode(body[:split])
    if len(records) != len(params.ids) or len(records) > 1000:
        raise msgspec.ValidationError("needs as many ids as records, at most 1000")
    lengths = set(map(len, params.ids))
    if lengths and not 0 < min(lengths) <= max(lengths) <= 255:
        raise msgspec.ValidationError("an id has 1 to 255 characters")
    checkpoint = None
    if params.checkpoint is not None:
        checkpoint = body[split:]
        msgspec.json.decode(checkpoint)
    saved = await calls.save(
        SaveBatch(
            params.batch, params.model, [(i, bytes(r)) for i, r in zip(params.ids, records, strict=True)], checkpoint
        )
    )
    return {"added": saved.added, "updated": saved.updated, "unchanged": saved.unchanged}, b""


async def _delete(calls: GuestCalls, raw: msgspec.Raw, body: bytes) -> Answer:
    params = msgspec.json.decode(raw, type=DeleteParams)
    if len(params.ids) > 1000:
        raise msgspec.ValidationError("at most 1000 ids")
    return {"deleted": await calls.delete(params.batch, params.model, params.ids)}, b""


async def _open_tracking(calls: GuestCalls, raw: msgspec.Raw, body: bytes) -> Answer:
    params = msgspec.json.decode(raw, type=TrackingParams)
    await calls.open_tracking(params.batch, params.model)
    return {}, b""


async def _close_tracking(calls: GuestCalls, raw: msgspec.Raw, body: bytes) -> Answer:
    params = msgspec.json.decode(raw, type=TrackingParams)
    return {"deleted": await calls.close_tracking(params.batch, params.model, allow_empty=params.allow_empty)}, b""


async def _records(calls: GuestCalls, raw: msgspec.Raw, body: bytes) -> Answer:
    params = msgspec.json.decode(raw, type=RecordsParams)
    if len(params.ids) > 1000:
        raise msgspec.ValidationError("at most 1000 ids")
    found = await calls.records(params.model, params.ids)
    return {"found": [(id_, len(data)) for id_, data in found]}, b"".join(data for _, data in found)


async def _save_checkpoint(calls: GuestCalls, raw: msgspec.Raw, body: bytes) -> Answer:
    msgspec.json.decode(body)
    await calls.save_checkpoint(msgspec.json.decode(raw, type=BatchParams).batch, body)
    return {}, b""


async def _clear_checkpoint(calls: GuestCalls, raw: msgspec.Raw, body: bytes) -> Answer:
    await calls.save_checkpoint(msgspec.json.decode(raw, type=BatchParams).batch, None)
    return {}, b""


async def _metadata(calls: GuestCalls, raw: msgspec.Raw, body: bytes) -> Answer:
    return {}, await calls.metadata()


async def _write_metadata(calls: GuestCalls, raw: msgspec.Raw, body: bytes) -> Answer:
    params = msgspec.json.decode(raw, type=MetadataParams)
    msgspec.json.decode(body, type=dict[str, Any])
    await calls.write_metadata(body, merge=params.merge)
    return {}, b""


async def _connection(calls: GuestCalls, raw: msgspec.Raw, body: bytes) -> Answer:
    return await calls.connection(), b""


async def _variables(calls: GuestCalls, raw: msgspec.Raw, body: bytes) -> Answer:
    return await calls.variables(), b""


async def _trigger_action(calls: GuestCalls, raw: msgspec.Raw, body: bytes) -> Answer:
    params = msgspec.json.decode(raw, type=ActionParams)
    if body:
        msgspec.json.decode(body)
    return {}, await calls.trigger_action(params.name, body or None) or b""


_HANDLERS: Mapping[str, Callable[[GuestCalls, msgspec.Raw, bytes], Awaitable[Answer]]] = {
    "save": _save,
    "delete": _delete,
    "open_tracking": _open_tracking,
    "close_tracking": _close_tracking,
    "records": _records,
    "save_checkpoint": _save_checkpoint,
    "clear_checkpoint": _clear_checkpoint,
    "metadata": _metadata,
    "write_metadata": _write_metadata,
    "connection": _connection,
    "variables": _variables,
    "trigger_action": _trigger_action,
}
