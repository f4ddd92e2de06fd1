"""The warm process of one deployment: one thread, no event loop, no socket but its control descriptor.

Mode `fork` imports the project once and forks a fresh copy for each run. Mode `ahead` imports nothing of the author's:
each forked process is shut in first, imports the project itself and waits for its run.
"""

# ruff: noqa: PTH106, PTH114, PTH208 - a fresh fork pays for every page pathlib touches

import array
import contextlib
import gc
import json
import os
import select
import shutil
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dragoman.authoring.discovery import add_to_path, load_definitions
from dragoman.authoring.functions import FunctionDefinition
from dragoman_server.runners.guest import lockdown, run

Key = tuple[str, str, str]
PRELOADED = (
    "asyncio", "random", "uuid", "decimal", "datetime", "urllib.parse", "tempfile", "email.utils", "csv", "hashlib",
    "pydantic", "msgspec.json", "dragoman.authoring.context", "dragoman.authoring.blocking", "dragoman.pagination",
    "dragoman.authoring.running",
)  # fmt: skip


class Zygote:
    """Answers the host's orders until the host hangs up. `plan` is what the host wrote down at the start."""

    def __init__(self, control: socket.socket, plan: Mapping[str, Any]) -> None:
        self._control = control
        self._plan = plan
        self._children: dict[int, tuple[str, int, str | None]] = {}
        self._functions: dict[Key, FunctionDefinition] | None = None
        self._problem: Exception | None = None
        self._mapped = 0
        self._count = 0
        self._mounted = [f"/{name}" for name in _names("/") if name not in {"tmp", "proc"}]
        self._filter = bytes.fromhex(plan.get("child_filter", ""))

    def prepare(self) -> None:
        """Import, freeze, say how it went."""
        self._preload()
        if self._plan["mode"] == "fork":
            self._send({"op": "importing"})
            try:
                self._functions = self._import()
            except Exception as error:  # the project's own code ran; each run says what it raised
                self._problem = error
        gc.collect()
        gc.freeze()
        gc.disable()
        self._mapped = lockdown.mapped_bytes()
        self._send({"op": "ready", "threads": _threads(), "importable": self._problem is None})

    def serve(self) -> None:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll():
                if descriptor == self._control.fileno():
                    if not self._order(poll):
                        return
                else:
                    poll.unregister(descriptor)
                    self._reap(descriptor)

    def _order(self, poll: "select.poll") -> bool:
        data, passed = _receive(self._control)
        if not data:
            return False
        order = json.loads(data)
        match order["op"]:
            case "fork":
                poll.register(self._fork(order, passed[0]), select.POLLIN)
            case "kill":
                for name, pid, _ in self._children.values():
                    if name == order["run"]:
                        os.kill(pid, signal.SIGKILL)
            case _:
                pass
        return True

    def _fork(self, order: Mapping[str, Any], passed: int) -> int:
        self._count += 1
        scratch = f"{self._plan['scratch']}/run-{self._count}" if self._plan.get("scratch") else None
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._child(order, passed, scratch, parent)
        os.close(passed)
        descriptor = os.pidfd_open(pid)
        self._children[descriptor] = (order["run"], pid, scratch)
        self._send({"op": "forked", "run": order["run"], "pid": pid})
        return descriptor

    def _child(self, order: Mapping[str, Any], passed: int, scratch: str | None, parent: int) -> None:
        status = 1
        try:
            lockdown.close_all_but(passed)
            connection = socket.socket(fileno=passed)
            self._shut_in(order["limits"], scratch, parent)
            gc.enable()
            run.serve(connection, self._plan["bundle"], self._found)
            status = 0
        except BaseException as error:  # nothing may return into the zygote's loop
            if self._plan.get("verbose"):
                os.write(2, f"run process: {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(status)

    def _shut_in(self, limits: Mapping[str, Any], scratch: str | None, parent: int) -> None:
        plan = self._plan
        if plan["tier"] == "off":
            run.scratch(scratch)
            lockdown.set_limits({**limits, "threads": 0}, self._mapped)
            return
        if plan["tier"] == "contained":
            lockdown.die_with_parent(parent)  # in a sealed one the namespace ends with its first process
        run.scratch(scratch)
        if plan["landlock"]:
            readable = plan["readable"]
            if plan["tier"] == "sealed":  # all that was mounted is for reading, but /tmp and /proc have their own rules
                readable = [*self._mounted, f"/proc/{os.getpid()}", "/proc/cpuinfo", "/proc/meminfo"]
            lockdown.landlock(readable, [scratch] if scratch else [], devices=plan["devices"])
        lockdown.set_limits(limits, self._mapped)
        lockdown.hide_memory()
        lockdown.seccomp(self._filter)

    def _found(self) -> Mapping[Key, FunctionDefinition]:
        if self._problem is not None:
            raise self._problem
        return self._import() if self._functions is None else self._functions

    def _import(self) -> dict[Key, FunctionDefinition]:
        folder = Path(self._plan["bundle"])
        packages = self._plan.get("packages")
        if packages and packages not in sys.path:
            sys.path.insert(sys.path.index(self._plan["base"]), packages)
        add_to_path(folder)
        return {(found.integration, found.kind, found.name): found for found in load_definitions(folder)}

    def _preload(self) -> None:
        # A deployment's own pydantic comes from its lock. In mode `fork` these imports already see its path; in mode
        # `ahead` nothing of the author's choice may run in this process.
        packages = self._plan.get("packages")
        for name in PRELOADED:
            top = name.partition(".")[0]
            if (
                self._plan["mode"] == "ahead"
                and packages
                and top in {"pydantic", "msgspec"}
                and Path(packages, top).exists()
            ):
                continue
            with contextlib.suppress(
                Exception
            ):  # whatever a wheel of the author's choice raises, its user meets it again
                __import__(name)
        with contextlib.suppress(Exception):  # pydantic imports most of itself at its first use
            if "pydantic" in sys.modules:
                import pydantic

                pydantic.TypeAdapter(
                    pydantic.create_model("Warm", id=(str, ...), other=(str | None, None))
                ).json_schema()

    def _reap(self, descriptor: int) -> None:
        name, pid, scratch = self._children.pop(descriptor)
        os.close(descriptor)
        _, status, used = os.wait4(pid, 0)
        if scratch is not None:
            try:
                os.rmdir(scratch)
            except OSError:
                shutil.rmtree(scratch, ignore_errors=True)
        self._send(
            {
                "op": "exited",
                "run": name,
                "status": os.waitstatus_to_exitcode(status),
                "cpu_ms": round((used.ru_utime + used.ru_stime) * 1000, 3),
                "max_memory_bytes": used.ru_maxrss * 1024,
            }
        )

    def _send(self, message: Mapping[str, Any]) -> None:
        try:
            self._control.send(json.dumps(message).encode())
        except OSError:
            os._exit(0)


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    descriptors = array.array("i")
    data, ancillary, _, _ = control.recvmsg(65536, socket.CMSG_SPACE(4 * descriptors.itemsize))
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
    return data, list(descriptors)


def _names(folder: str) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if not os.path.islink(f"{folder}{name}")]
    except OSError:
        return []


def _threads() -> int:
    try:
        return len(os.listdir("/proc/self/task"))
    except OSError:
        return threading.active_count()


def main(control: int, plan: Mapping[str, Any]) -> None:
    """Called by boot.py once the process is shut in as far as the tier asks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    zygote = Zygote(socket.socket(fileno=control), plan)
    zygote.prepare()
    zygote.serve()
    sys.stdout.flush()
    os._exit(0)
