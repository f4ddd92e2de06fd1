"""One run, from the fork to the exit of its process."""

# ruff: noqa: PTH102 - a fresh fork pays for every page pathlib touches

import asyncio
import io
import logging
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from dragoman.authoring.discovery import describe_project
from dragoman.authoring.functions import FunctionDefinition
from dragoman.authoring.jsons import dumps
from dragoman.authoring.running import failure_of, run_function
from dragoman.authoring.transport import Transport
from dragoman_server.runners.guest import frames
from dragoman_server.runners.guest.session import Session
from dragoman_server.runners.guest.transport import BlockingWire, Connection, LoopWire, SocketTransport

Functions = Callable[[], Mapping[tuple[str, str, str], FunctionDefinition]]


class LateTransport:
    """A Transport whose wire is made when the function starts: an event loop's wire needs its loop."""

    def __init__(self, connection: Connection, session: Session, *, on_loop: bool) -> None:
        self._connection = connection
        self._session = session
        self._on_loop = on_loop
        self._made: SocketTransport | None = None
        self.wire: BlockingWire | LoopWire | None = None

    def _transport(self) -> SocketTransport:
        if self._made is None:
            wire = LoopWire if self._on_loop and _loop_runs() else BlockingWire
            self.wire = wire(self._connection, self._session)
            self._made = SocketTransport(self.wire)
        return self._made

    async def call(self, method: str, params: Mapping[str, Any], body: bytes = b"", **options: Any) -> Any:
        return await self._transport().call(method, params, body, **options)

    def log(self, level: str, message: str, meta: Mapping[str, Any] | None) -> None:
        self._transport().log(level, message, meta)

    def leave_loop(self) -> None:
        if isinstance(self.wire, LoopWire):
            self.wire.leave()


def serve(connection: Connection, folder: str, functions: Functions, *, last_act: bool = True) -> None:
    """Wait for START, run what it names, send the outcome. `last_act`: the process ends right after."""
    session = Session()
    wire = BlockingWire(connection, session)
    problem: Exception | None = None
    found: Mapping[tuple[str, str, str], FunctionDefinition] = {}
    try:
        found = functions()
    except Exception as error:  # the project's own code ran; what it raised is the run's outcome
        problem = error
    while session.started is None:
        wire.read_once()
        if session.closed:
            return
    head, body = session.started
    began, used = time.monotonic(), _cpu()
    outcome, output = _outcome(head, body, connection, session, folder, found, problem, last_act=last_act)
    outcome["wall_ms"] = round((time.monotonic() - began) * 1000, 3)
    outcome["cpu_ms"] = round((_cpu() - used) * 1000, 3)
    outcome["max_memory_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    limit = int(head.get("output_bytes", frames.LARGEST_FRAME))
    if len(output) > min(limit, frames.LARGEST_FRAME - 65536):
        message = f"The answer is {len(output)} bytes long, more than the {limit} allowed."
        outcome |= {"ok": False, "error": {"code": "script_output_too_large", "message": message}}
        output = b""
    connection.sendall(frames.message(frames.OUTCOME, outcome, output))


def _outcome(
    head: Mapping[str, Any],
    body: bytes,
    connection: Connection,
    session: Session,
    folder: str,
    functions: Mapping[tuple[str, str, str], FunctionDefinition],
    problem: Exception | None,
    *,
    last_act: bool,
) -> tuple[dict[str, Any], bytes]:
    if head.get("protocol") != frames.VERSION:
        return {"ok": False, "error": {"code": "function_runtime_other", "message": "Another protocol version."}}, b""
    if problem is not None:
        return {"ok": False, "error": failure_of(problem)}, b""
    if head["kind"] == "describe":
        try:
            from pathlib import Path

            return {"ok": True, "has_output": True}, dumps(describe_project(Path(folder)))
        except Exception as error:  # the project's own code ran
            return {"ok": False, "error": failure_of(error)}, b""
    definition = functions.get((head["run"]["integration"], head["kind"], head["function"]))
    if definition is None:
        missing = f"The deployment has no {head['kind']} `{head['function']}` for `{head['run']['integration']}`."
        return {"ok": False, "error": {"code": "script_invalid_error", "message": missing}}, b""
    checkpoint_length = head.get("checkpoint_length")
    run = dict(head["run"])
    offset = 0
    if checkpoint_length is not None:
        run["checkpoint_bytes"] = body[:checkpoint_length]
        offset = checkpoint_length
    transport = LateTransport(connection, session, on_loop=definition.is_async)
    with _Capture(transport):
        try:
            output = run_function(
                definition, transport, run, body[offset:] if head.get("has_input") else None, last_act=last_act
            )
            answer: tuple[dict[str, Any], bytes] = {"ok": True, "has_output": output is not None}, output or b""
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # the author's code may raise anything
            answer = {"ok": False, "error": failure_of(error)}, b""
        transport.leave_loop()
    if isinstance(transport.wire, LoopWire):
        connection.setblocking(True)
        transport.wire.flush()
    return answer


def _loop_runs() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class _Lines(io.TextIOBase):
    """stdout and stderr of a function: each line becomes a log line."""

    def __init__(self, transport: Transport, level: str) -> None:
        self._transport = transport
        self._level = level
        self._rest = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            if line.strip():
                self._transport.log(self._level, line, None)
        return len(text)

    def finish(self) -> None:
        if self._rest.strip():
            self._transport.log(self._level, self._rest, None)
        self._rest = ""


class _Handler(logging.Handler):
    def __init__(self, transport: Transport) -> None:
        super().__init__(logging.INFO)
        self._transport = transport

    def emit(self, record: logging.LogRecord) -> None:
        level = "error" if record.levelno >= 40 else "warn" if record.levelno >= 30 else "info"
        self._transport.log(level, self.format(record), {"logger": record.name})


class _Capture:
    """Sends what a function prints, or logs by `logging`, to the run's log."""

    def __init__(self, transport: Transport) -> None:
        self._lines = _Lines(transport, "info"), _Lines(transport, "warn")
        self._handler = _Handler(transport)

    def __enter__(self) -> None:
        self._before = sys.stdout, sys.stderr
        sys.stdout, sys.stderr = self._lines
        logging.getLogger().addHandler(self._handler)

    def __exit__(self, *_: object) -> None:
        for lines in self._lines:
            lines.finish()
        sys.stdout, sys.stderr = self._before
        logging.getLogger().removeHandler(self._handler)


def scratch(path: str | None) -> None:
    """Make the run's own folder its home and its place for temporary files."""
    if path is None:
        return
    os.mkdir(path, 0o700)
    os.chdir(path)
    os.environ["TMPDIR"] = os.environ["HOME"] = path
