"""`dragoman up`: owns the listening socket, the embedded Postgres and the worker processes; restarts what dies.

SIGHUP replaces the worker processes one after the other: the new one takes connections before the old one leaves.
No event loop, no thread, few imports: it must survive what it watches. Workers get their databases through a pipe, not
through the environment.
"""

import json
import os
import secrets
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

from dragoman_server.assembly.layout import SIMULATOR_ROLE, Databases

BACKLOG = 2048
SPAWN_BACKOFF_SECONDS = 0.2
SPAWN_BACKOFF_LIMIT_SECONDS = 10.0
STEADY_SECONDS = 30.0
AFTER_DRAIN_SECONDS = 40.0
"""What a worker may need besides draining its doors and then its tasks: interrupt runs, finish facts, save answers of
token endpoints. Killed earlier it would lose a renewed grant."""


READY_SECONDS = 60.0
"""How long a worker may take to open its doors when it is to replace another."""


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
    identity: str = ""
    """What its process calls itself to the orchestrator."""
    departed: "deque[str]" = field(default_factory=lambda: deque(maxlen=8))
    """Identities of its processes that are dead: the next one tells, and their tasks need not wait for a lease."""


@dataclass(slots=True)
class Started:
    """A worker process just started; `ready` is a pipe that says when its doors are open."""

    process: "subprocess.Popen[bytes]"
    ready: int
    identity: str
    at: float = field(default_factory=time.monotonic)

    def is_ready(self) -> bool:
        try:
            return os.read(self.ready, 1) == b"1"
        except BlockingIOError:
            return False


@dataclass(slots=True)
class Rolling:
    """A rolling restart: who is still to be replaced, who comes, who leaves."""

    left: list[Worker] = field(default_factory=list[Worker])
    worker: Worker | None = None
    coming: Started | None = None
    leaving: "subprocess.Popen[bytes] | None" = None
    leaving_identity: str = ""
    leave_by: float = 0.0


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


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
    _roll_wanted: bool = False
    _rolling: Rolling | None = None
    _terminal: bool = field(default_factory=_has_terminal)
    _wakeup: tuple[int, int] = field(default=(-1, -1))

    def run(self) -> int:
        read, write = os.pipe()
        os.set_blocking(read, False)
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        signal.signal(signal.SIGHUP, self._on_hangup)
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

    def _on_hangup(self, _number: int, _frame: FrameType | None) -> None:
        if self._terminal and not _has_terminal():
            self._stopping = True  # somebody closed the window it ran in
        else:
            self._roll_wanted = True

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
                worker.departed.append(worker.identity)
                worker.failures = 0 if lived > STEADY_SECONDS else worker.failures + 1
                worker.next_start = now + min(SPAWN_BACKOFF_SECONDS * 2**worker.failures, SPAWN_BACKOFF_LIMIT_SECONDS)
                self.say(f"worker {worker.name} ended with {code}: starting it again")
            expected = self._rolling is not None and self._rolling.worker is worker
            if worker.process is None and now >= worker.next_start and not expected:
                started = self._spawn(worker)
                os.close(started.ready)
                worker.process, worker.started_at, worker.identity = started.process, started.at, started.identity
        if self._roll_wanted and self._rolling is None:
            self._roll_wanted = False
            self._rolling = Rolling(left=[w for w in self.workers if SIMULATOR_ROLE not in w.roles])
            self.say("replacing the worker processes")
        if self._rolling is not None:
            self._roll(self._rolling, now)
            return 0.05
        return 0.25 if any(w.process is None for w in self.workers) else 1.0

    def _roll(self, rolling: Rolling, now: float) -> None:
        """Bring a rolling restart as far as it goes without waiting."""
        if rolling.leaving is not None:
            if rolling.leaving.poll() is None and now < rolling.leave_by:
                return
            if rolling.leaving.poll() is None:
                rolling.leaving.kill()
                rolling.leaving.wait()
            if rolling.worker is not None:
                rolling.worker.departed.append(rolling.leaving_identity)
            rolling.leaving = rolling.worker = None
        if rolling.coming is not None and rolling.worker is not None:
            self._hand_over(rolling, rolling.worker, rolling.coming, now)
        elif rolling.left:
            rolling.worker = rolling.left.pop(0)
            rolling.coming = self._spawn(rolling.worker)
        else:
            self._rolling = None
            self.say("the worker processes are replaced")

    def _hand_over(self, rolling: Rolling, worker: Worker, coming: Started, now: float) -> None:
        if coming.is_ready():
            os.close(coming.ready)
            leaving, worker.process, worker.started_at, worker.failures = worker.process, coming.process, coming.at, 0
            rolling.leaving_identity, worker.identity = worker.identity, coming.identity
            rolling.coming = None
            if leaving is None:
                rolling.worker = None
            else:
                leaving.send_signal(signal.SIGUSR1)
                rolling.leaving, rolling.leave_by = leaving, now + self._patience
        elif coming.process.poll() is not None or now > coming.at + READY_SECONDS:
            coming.process.kill()
            coming.process.wait()
            os.close(coming.ready)
            self._rolling = None
            self.say(f"the new worker {worker.name} did not start: the old worker processes stay")

    @property
    def _patience(self) -> float:
        return 2 * self.drain_seconds + AFTER_DRAIN_SECONDS

    def _spawn(self, worker: Worker) -> Started:
        read, write = os.pipe()
        ready, tell = os.pipe()
        os.set_blocking(ready, False)
        identity = f"{worker.name}-{os.getpid()}-{secrets.token_hex(4)}"
        own = {"roles": list(worker.roles), "name": worker.name, "databases": self.databases.as_dict()}
        own |= {"identity": identity, "departed": [one for one in worker.departed if one]}
        config = self.config | own | {"ready_fd": tell}
        passed = [read, tell]
        listener = worker.listener or self.listener
        if worker.listens and listener is not None:
            config["listen_fd"] = listener.fileno()
            passed.append(listener.fileno())
        process = subprocess.Popen(
            [sys.executable, "-m", "dragoman_server.assembly.worker", str(read)],
            pass_fds=passed,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(read)
        os.close(tell)
        with suppress(BrokenPipeError), os.fdopen(write, "wb") as pipe:
            pipe.write(json.dumps(config).encode())
        return Started(process, ready, identity)

    def _stop_everything(self) -> None:
        every = [w.process for w in self.workers]
        if self._rolling is not None:
            every += [self._rolling.leaving, self._rolling.coming.process if self._rolling.coming else None]
        running = [process for process in every if process is not None and process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + self._patience
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
