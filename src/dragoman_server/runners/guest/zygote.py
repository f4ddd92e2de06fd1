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
from dragoman_server.runners.guest import lockdown, memory, run, warmup

Key = tuple[str, str, str]
PRELOADED = (
    "asyncio", "random", "uuid", "decimal", "datetime", "urllib.parse", "tempfile", "email.utils", "csv", "hashlib",
    "msgspec.json", "dragoman.authoring.context", "dragoman.authoring.blocking", "dragoman.pagination",
    "dragoman.authoring.running",
)  # fmt: skip
"""Whatever is mapped costs every fork: pydantic is warmed only for a project that imports it."""

_COLLECT_AFTER = (10_000, 10, 10)
"""A page of 1000 records is ten thousand objects: looking for cycles after each 700 costs a third of mapping it."""


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
        self._rules: list[lockdown.Rule] = []
        self._ceilings = lockdown.ceilings()

    def prepare(self) -> None:
        """Import, freeze, say how it went."""
        self._preload()
        if self._plan["mode"] == "fork":
            self._send({"op": "importing"})
            try:
                self._functions = self._import()
            except Exception as error:  # the project's own code ran; each run says what it raised
                self._problem = error
            self._warm_pydantic()
        with contextlib.suppress(Exception):  # a run that is not rehearsed is slower, and right
            warmup.rehearse()
            warmup.prepare_types((self._functions or {}).values())
        if self._plan["landlock"]:
            self._rules = lockdown.opened(self._readable(), devices=self._plan["devices"])
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
        return descriptor

    def _child(self, order: Mapping[str, Any], passed: int, scratch: str | None, parent: int) -> None:
        status = 1
        try:
            self._shut_in(order["limits"], scratch, parent, passed)
            connection = socket.socket(fileno=passed)
            gc.enable()
            gc.set_threshold(*_COLLECT_AFTER)
            memory.keep_freed()
            run.serve(connection, self._plan["bundle"], self._found)
            status = 0
        except BaseException as error:  # nothing may return into the zygote's loop
            if self._plan.get("verbose"):
                os.write(2, f"run process: {type(error).__name__}: {error}\n".encode())
        finally:
            os._exit(status)

    def _shut_in(self, limits: Mapping[str, Any], scratch: str | None, parent: int, passed: int) -> None:
        plan = self._plan
        if plan["tier"] == "off":
            lockdown.close_all_but(passed)
            run.scratch(scratch)
            lockdown.set_limits({**limits, "threads": 0}, self._mapped, self._ceilings)
            return
        if plan["tier"] == "contained":
            lockdown.die_with_parent(parent)  # in a sealed one the namespace ends with its first process
        run.scratch(scratch)
        if plan["landlock"]:
            own = [f"/proc/{os.getpid()}"] if plan["tier"] == "sealed" else []
            made = lockdown.ruleset(self._rules, own, writable=[scratch] if scratch else [])
            lockdown.close_all_but(passed, made)
            lockdown.restrict_to(made)
        else:
            lockdown.close_all_but(passed)
        lockdown.set_limits(limits, self._mapped, self._ceilings)
        lockdown.hide_memory()
        lockdown.seccomp(self._filter)

    def _readable(self) -> list[str]:
        if self._plan["tier"] == "sealed":  # all that was mounted is for reading; /tmp and /proc have their own rules
            return [*self._mounted, "/proc/cpuinfo", "/proc/meminfo"]
        return self._plan["readable"]

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
        ahead = self._plan["mode"] == "ahead"
        sys.modules["ssl"] = None  # pyright: ignore[reportArgumentType] - asyncio does without: there is no network
        for name in (*PRELOADED, "pydantic") if ahead else PRELOADED:
            top = name.partition(".")[0]
            if ahead and packages and top in {"pydantic", "msgspec"} and Path(packages, top).exists():
                continue
            with contextlib.suppress(
                Exception
            ):  # whatever a wheel of the author's choice raises, its user meets it again
                __import__(name)
            sys.modules.pop("ssl", None)
        if ahead:
            self._warm_pydantic()

    def _warm_pydantic(self) -> None:
        if "pydantic" in sys.modules:
            with contextlib.suppress(Exception):  # it imports most of itself at its first use
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
