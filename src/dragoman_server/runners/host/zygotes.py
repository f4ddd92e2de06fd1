"""One zygote process, seen from the host: start it, ask it for forks, hear of exits, end it whatever it does."""

import array
import asyncio
import json
import os
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dragoman_server.kit.telemetry import get_logger
from dragoman_server.runners.errors import BundleError, RunnerError
from dragoman_server.runners.host import filters, runtime, tiers
from dragoman_server.runners.port import Tier

log = get_logger("runners")

START_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True)
class Exit:
    """How a run's process ended: exit code, or minus the signal."""

    status: int
    cpu_ms: float
    max_memory_bytes: int


@dataclass(slots=True)
class Zygote:
    """`mode` is `fork` (the project is imported once) or `ahead` (each forked process imports it itself)."""

    tier: Tier
    mode: str
    made: runtime.Runtime
    mounts: tiers.Mounts
    uid: int | None
    threads: int = 0
    importable: bool = True
    alive: bool = True
    _control: socket.socket | None = None
    _process: "subprocess.Popen[bytes] | None" = None
    _inner: int | None = None
    _ready: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    _gone: asyncio.Event = field(default_factory=asyncio.Event)
    _exits: "dict[str, asyncio.Future[Exit | None]]" = field(default_factory=dict[str, "asyncio.Future[Exit | None]"])
    _importing: bool = False
    _info: int = -1
    _handle: int = -1
    _scratch: "tempfile.TemporaryDirectory[str] | None" = None

    async def start(self) -> None:
        """Start the process and wait until it is warm; raises RunnerError when it does not come up."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control = ours
        ours.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        loop = asyncio.get_running_loop()
        try:
            self._spawn(theirs.fileno())
        except OSError as error:
            ours.close()
            self.alive = False
            raise RunnerError(f"A runner could not be started: {error}") from error
        finally:
            theirs.close()
        assert self._process is not None
        loop.add_reader(ours.fileno(), self._readable)
        self._watch()
        ours.send(json.dumps(self._plan()).encode())
        try:
            async with asyncio.timeout(START_TIMEOUT):
                await self._ready
        except TimeoutError:
            await self.kill()
            raise self._did_not_start(f"did not import within {START_TIMEOUT:.0f} seconds") from None
        except BaseException:
            await self.kill()
            raise

    def fork(self, name: str, passed: socket.socket, limits: Mapping[str, Any]) -> None:
        """Ask for a process that serves `passed`; raises RunnerError when the zygote is gone."""
        assert self._control is not None
        self._exits[name] = asyncio.get_running_loop().create_future()
        order = json.dumps({"op": "fork", "run": name, "limits": limits}).encode()
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [passed.fileno()]))]
        try:
            self._control.sendmsg([order], ancillary)
        except OSError as error:
            self._exits.pop(name)
            raise RunnerError("The runner of this deployment is gone.") from error

    def kill_run(self, name: str) -> None:
        """Kill a run's process; if the zygote does not do it, `await ended(...)` says so."""
        if self._control is not None and name in self._exits:
            with suppress(OSError):
                self._control.send(json.dumps({"op": "kill", "run": name}).encode())

    async def ended(self, name: str, timeout: float) -> Exit | None:
        """How the run's process ended; None when that is unknown (the zygote died, or keeps silent)."""
        future = self._exits.get(name)
        if future is None:
            return None
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                return await asyncio.shield(future)
        return None

    def is_running(self, name: str) -> bool:
        future = self._exits.get(name)
        return future is not None and not future.done()

    @property
    def running(self) -> int:
        return sum(not future.done() for future in self._exits.values())

    @property
    def pid(self) -> int | None:
        """The Python process itself, in our own numbering."""
        if self._inner is None:
            return self._process.pid if self._process is not None else None
        with suppress(OSError, ValueError):  # behind bubblewrap's own process 1, where there is one
            below = Path(f"/proc/{self._inner}/task/{self._inner}/children").read_text().split()
            if "bwrap" in Path(f"/proc/{self._inner}/comm").read_text():
                return int(below[0])
        return self._inner

    def forget(self, name: str) -> None:
        future = self._exits.get(name)
        if future is not None and future.done():
            del self._exits[name]

    async def kill(self) -> None:
        """End it and all it started, and wait until it is gone."""
        if self._process is None:
            return
        self._kill_processes()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await self._gone.wait()
        self._lost()

    # ---- starting

    def _spawn(self, control: int) -> None:
        descriptors = [control]
        opened: list[int] = []
        try:
            if self.tier is Tier.SEALED:
                bubblewrap = tiers.find_bubblewrap()
                if bubblewrap is None:
                    raise RunnerError("bubblewrap has gone.")
                seccomp = os.memfd_create("seccomp")
                opened.append(seccomp)
                os.write(seccomp, filters.compile_filters().base)
                os.lseek(seccomp, 0, os.SEEK_SET)
                self._info, info = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
                opened.append(info)
                descriptors += [seccomp, info]
                command = tiers.sealed_command(
                    bubblewrap, self.made, self.mounts, control=control, info=info, seccomp=seccomp
                )
                arguments, command = tiers.apart(command)
                opened.append(arguments)
                descriptors.append(arguments)
            else:
                command = tiers.python_command(self.made, self.made.sdk, control)
            # On the loop's own thread: --die-with-parent is about the thread that started it.
            self._process = subprocess.Popen(
                command,
                env=dict(tiers.empty_environment(self.made)),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=descriptors,
                start_new_session=True,
                cwd="/",
            )
            assert self._process.stderr is not None
            os.set_blocking(self._process.stderr.fileno(), False)
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _plan(self) -> dict[str, Any]:
        inside = self.tier is Tier.SEALED
        home = Path(tiers.INSIDE)
        packages = self.mounts.packages
        plan: dict[str, Any] = {
            "v": 1,
            "tier": self.tier.value,
            "mode": self.mode,
            "sdk": str(home / "sdk" if inside else self.made.sdk),
            "base": str(home / "base" if inside else self.made.base),
            "bundle": str(home / "bundle" if inside else self.mounts.bundle),
            "packages": None if packages is None else str(home / "packages" if inside else packages),
            "uid": self.uid,
            "landlock": tiers.lockdown.landlock_abi() > 0,
            "readable": tiers.readable_paths(self.made, self.mounts, inside=inside),
            "devices": list(runtime.DEVICES),
            "scratch": None,
        }
        if self.tier is Tier.OFF:
            self._scratch = tempfile.TemporaryDirectory(prefix="dragoman-run-")
            plan["scratch"] = self._scratch.name
            return plan
        compiled = filters.compile_filters()
        plan["base_filter"] = compiled.base.hex()
        plan["child_filter"] = compiled.child.hex()
        plan["guard_filter"] = compiled.guard.hex()
        if inside and plan["landlock"]:
            plan["scratch"] = "/tmp"  # noqa: S108 - the sandbox's own
        return plan

    # ---- watching

    def _readable(self) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lost()
            return
        try:
            message: dict[str, Any] = json.loads(data)
            self._heard(message)
        except (ValueError, KeyError, TypeError) as error:  # an author's import may have taken the zygote over
            log.warning("zygote_protocol_error", error=type(error).__name__)
            self._lost()

    def _heard(self, message: Mapping[str, Any]) -> None:
        match message["op"]:
            case "importing":
                self._importing = True
            case "ready":
                self.threads, self.importable = int(message["threads"]), bool(message["importable"])
                self._read_info()
                if not self._ready.done():
                    self._ready.set_result(None)
                if self._process is not None and self._process.stderr is not None:
                    self._process.stderr.close()
            case "exited":
                future = self._exits.get(str(message["run"]))
                if future is not None and not future.done():
                    found = Exit(int(message["status"]), float(message["cpu_ms"]), int(message["max_memory_bytes"]))
                    future.set_result(found)
            case _:
                pass

    def _watch(self) -> None:
        assert self._process is not None
        loop = asyncio.get_running_loop()
        descriptor = os.pidfd_open(self._process.pid)

        def ended() -> None:
            loop.remove_reader(descriptor)
            os.close(descriptor)
            assert self._process is not None
            self._process.wait()
            self._lost()
            self._gone.set()

        loop.add_reader(descriptor, ended)

    def _lost(self) -> None:
        """The zygote is gone, or no longer to be trusted."""
        if not self.alive:
            return
        self.alive = False
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._control.close()
        said = self._complaint()
        if not self._ready.done():
            self._ready.set_exception(self._did_not_start("ended its process while it was imported", said))
        for future in self._exits.values():
            if not future.done():
                future.set_result(None)
        self._kill_processes()
        if self._scratch is not None:
            self._scratch.cleanup()

    def _did_not_start(self, how: str, said: str = "") -> RunnerError:
        if self._importing:
            return BundleError(f"The project {how}.")
        return RunnerError(f"A runner did not start: {said or 'it ended at once'}")

    def _kill_processes(self) -> None:
        self._read_info()
        if self._handle >= 0:
            with suppress(ProcessLookupError, PermissionError):
                signal.pidfd_send_signal(self._handle, signal.SIGKILL)
            os.close(self._handle)
            self._handle = -1
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.kill()

    def _complaint(self) -> str:
        stream = self._process.stderr if self._process is not None else None
        if stream is None or stream.closed:
            return ""
        with suppress(OSError, BlockingIOError):
            text = (stream.read(16384) or b"").decode("utf-8", "replace").strip()
            stream.close()
            return text[-600:]
        return ""

    def _read_info(self) -> None:
        """Learn the sandboxed process's number; bubblewrap wrote it before it started anything."""
        if self._info < 0 or self._inner is not None:
            return
        with suppress(OSError, ValueError):
            self._inner = int(json.loads(os.read(self._info, 4096))["child-pid"])
            self._handle = os.pidfd_open(self._inner)
        os.close(self._info)
        self._info = -1
