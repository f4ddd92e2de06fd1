"""The guest's end of the protocol, without I/O: which calls wait, which streams flow, what an incoming frame means."""

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from dragoman.authoring.errors import PlatformError
from dragoman.authoring.transport import Reply
from dragoman_server.runners.guest import frames


class Waiter:
    """Something that happens later; `wake` is called when it does."""

    def __init__(self) -> None:
        self.wake: Callable[[], None] | None = None

    def happened(self) -> None:
        if self.wake is not None:
            self.wake()


class Call(Waiter):
    """A call under way."""

    def __init__(self, id_: int) -> None:
        super().__init__()
        self.id = id_
        self.done = False
        self.value: Mapping[str, Any] = {}
        self.body = b""
        self.error: PlatformError | None = None
        self.inbound: Inbound | None = None
        self.upload_credit = frames.WINDOW
        self.upload_refused = False

    def ready(self) -> bool:
        return self.done

    def may_send(self) -> bool:
        return self.upload_credit > 0 or self.upload_refused or self.done


class Inbound(Waiter):
    """A stream coming in."""

    def __init__(self, id_: int) -> None:
        super().__init__()
        self.id = id_
        self.pieces: deque[bytes] = deque()
        self.ended = False
        self.error: PlatformError | None = None
        self.owed = 0

    def ready(self) -> bool:
        return bool(self.pieces) or self.ended


class Session:
    """Numbers calls, matches replies, counts credits."""

    def __init__(self) -> None:
        self.parser = frames.Parser()
        self.calls: dict[int, Call] = {}
        self.inbound: dict[int, Inbound] = {}
        self.started: tuple[dict[str, Any], bytes] | None = None
        self.closed = False
        self._last = 0

    def open_call(
        self, method: str, params: Mapping[str, Any], body: bytes, *, upload: bool, stream: bool
    ) -> tuple[Call, bytes]:
        """Return the call and the frame to send."""
        self._last += 1
        call = self.calls[self._last] = Call(self._last)
        head: dict[str, Any] = {"id": call.id, "method": method, "params": params}
        if upload:
            head["upload"] = True
        if stream:
            head["stream"] = True
        return call, frames.message(frames.CALL, head, body)

    def take(self, call: Call) -> Reply:
        """The reply of a finished call; raises what the platform said."""
        self.calls.pop(call.id, None)
        if call.error is not None:
            raise call.error
        return Reply(call.value, call.body)

    def feed(self, data: bytes) -> None:
        """Handle bytes from the host; b"" means it hung up."""
        if not data:
            self._hang_up()
            return
        for found in self.parser.feed(data):
            self._handle(found)

    def consumed(self, inbound: Inbound, size: int) -> bytes | None:
        """Count bytes read by the function; returns a credit frame when one is due."""
        inbound.owed += size
        if inbound.owed < frames.WINDOW // 2 or inbound.ended:
            return None
        owed, inbound.owed = inbound.owed, 0
        return frames.credit(inbound.id, owed)

    def _handle(self, found: frames.Frame) -> None:
        match found.type:
            case frames.START:
                self.started = found.message()
            case frames.REPLY:
                head, body = found.message()
                self._reply(head, body)
            case frames.DATA:
                inbound = self.inbound.get(found.stream)
                if inbound is not None:
                    inbound.pieces.append(found.payload)
                    inbound.happened()
            case frames.END | frames.RESET:
                self._end(found)
            case frames.CREDIT:
                call = self.calls.get((found.stream - 1) // 2)
                if call is not None:
                    call.upload_credit += frames.LENGTH.unpack(found.payload)[0]
                    call.happened()
            case _:
                raise frames.FrameError(f"Frame type {found.type} is not for a guest.")

    def _reply(self, head: Mapping[str, Any], body: bytes) -> None:
        call = self.calls.get(head.get("id", 0))
        if call is None:
            return
        error = head.get("error")
        if error is not None:
            call.error = _platform_error(error)
        else:
            call.value, call.body = head.get("value") or {}, body
            if head.get("stream"):
                call.inbound = self.inbound[2 * call.id] = Inbound(2 * call.id)
        call.done = True
        call.happened()

    def _end(self, found: frames.Frame) -> None:
        if found.stream % 2:
            call = self.calls.get((found.stream - 1) // 2)
            if call is not None:
                call.upload_refused = True
                call.happened()
            return
        inbound = self.inbound.pop(found.stream, None)
        if inbound is not None:
            if found.type == frames.RESET:
                inbound.error = PlatformError("upstream_interrupted", "The provider's answer broke off.", 502)
            inbound.ended = True
            inbound.happened()

    def _hang_up(self) -> None:
        self.closed = True
        gone = PlatformError("function_runtime_other", "The platform ended the run.", 410)
        for call in self.calls.values():
            call.error, call.done = gone, True
            call.happened()
        for inbound in self.inbound.values():
            inbound.error, inbound.ended = gone, True
            inbound.happened()


def _platform_error(error: Mapping[str, Any]) -> PlatformError:
    return PlatformError(
        str(error.get("code", "server_error")),
        str(error.get("message", "")),
        int(error.get("status", 500)),
        error.get("payload"),
    )
