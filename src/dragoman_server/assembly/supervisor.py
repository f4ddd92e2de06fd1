"""`dragoman up`: owns the listening socket, the embedded Postgres and the worker processes; restarts what dies.

No event loop, no thread, few imports: it must survive what it watches. Workers get their databases through a pipe, not
through the environment.
"""

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from dragoman_server.assembly.layout import Databases

BACKLOG = 2048
SPAWN_BACKOFF_SECONDS = 0.2
SPAWN_BACKOFF_LIMIT_SECONDS = 10.0
STEADY_SECONDS = 30.0
AFTER_DRAIN_SECONDS = 40.0
"""What a worker may need besides draining its doors and then its tasks: interrupt runs, finish facts, save answers of
token endpoints. Killed earlier it would lose a renewed grant."""


class PostgresLike:
    """What the supervisor needs of the embedded Postgres; this one stands for an external database."""

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def alive(self) -> bool:
        return True


@dataclass(slots=True)
class Worker:
    """One worker process and how often it died lately."""

    name: str
    roles: Sequence[str]
    listens: bool
    listener: socket.socket | None = None
    """A socket of its own; else it listens on the public one."""
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    failures: int = 0
    next_start: float = 0.0


@dataclass(slots=True)
class Supervisor:
    """Runs until SIGTERM or SIGINT; `run` returns the exit code."""

    postgres: Any
    databases: Databases
    workers: Sequence[Worker]
    listener: socket.socket | None
    config: dict[str, Any]
    drain_seconds: float
    say: Callable[[str], None]
    _stopping: bool = False
    _wakeup: tuple[int, int] = field(default=(-1, -1))

    def run(self) -> int:
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda _n, _f: None)
        selector = selectors.DefaultSelector()
        selector.register(read, selectors.EVENT_READ)
        try:
            while not self._stopping:
                wait = self._turn()
                for _ in selector.select(wait):
                    with suppress(BlockingIOError):
                        os.read(read, 4096)
            return 0
        finally:
            self._stop_everything()

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True

    def _turn(self) -> float:
        """Bring back whatever is down; return how long to wait for the next look in seconds."""
        if not self.postgres.alive():
            self.say("Postgres is down: starting it again")
            with suppress(Exception):  # whatever keeps it from starting may pass; the next turn tries again
                self.postgres.start()
        now = time.monotonic()
        for worker in self.workers:
            if worker.process is not None and worker.process.poll() is not None:
                lived = now - worker.started_at
                code = worker.process.returncode
                worker.process = None
                worker.failures = 0 if lived > STEADY_SECONDS else worker.failures + 1
                worker.next_start = now + min(SPAWN_BACKOFF_SECONDS * 2**worker.failures, SPAWN_BACKOFF_LIMIT_SECONDS)
                self.say(f"worker {worker.name} ended with {code}: starting it again")
            if worker.process is None and now >= worker.next_start:
                self._spawn(worker)
        return 0.25 if any(w.process is None for w in self.workers) else 1.0

    def _spawn(self, worker: Worker) -> None:
        read, write = os.pipe()
        own = {"roles": list(worker.roles), "name": worker.name, "databases": self.databases.as_dict()}
        config = self.config | own
        passed = [read]
        listener = worker.listener or self.listener
        if worker.listens and listener is not None:
            config["listen_fd"] = listener.fileno()
            passed.append(listener.fileno())
        worker.process = subprocess.Popen(
            [sys.executable, "-m", "dragoman_server.assembly.worker", str(read)],
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read)
        with suppress(BrokenPipeError), os.fdopen(write, "wb") as pipe:
            pipe.write(json.dumps(config).encode())
        worker.started_at = time.monotonic()

    def _stop_everything(self) -> None:
        running = [w.process for w in self.workers if w.process is not None and w.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + 2 * self.drain_seconds + AFTER_DRAIN_SECONDS
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.postgres.stop()


def listen(bind: str, port: int) -> socket.socket:
    """Bind the public port; raise OSError with a clear message when it is taken."""
    family = socket.AF_INET6 if ":" in bind else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((bind, port))
    except OSError as error:
        made.close()
        raise OSError(f"cannot listen on {bind}:{port}: {error.strerror}. Choose another --port.") from error
    made.listen(BACKLOG)
    made.set_inheritable(True)
    return made
