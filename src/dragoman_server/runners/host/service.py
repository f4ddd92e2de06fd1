"""The runner host of this machine: keeps zygotes warm, runs attempts, ends what passes a limit, evicts what is idle."""

import asyncio
import math
import os
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from dragoman_server.kit.errors import Reaction
from dragoman_server.kit.ids import DeploymentId, EnvironmentId, RunId
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.runners.errors import BundleError, RunnerBusyError, RunnerError, SandboxUnavailableError
from dragoman_server.runners.guest import frames
from dragoman_server.runners.host import runtime, tiers
from dragoman_server.runners.host.connection import GuestConnection
from dragoman_server.runners.host.dependencies import Dependencies
from dragoman_server.runners.host.endings import outcome_of_exit, outcome_of_message
from dragoman_server.runners.host.nothing import NoCalls
from dragoman_server.runners.host.zygotes import Zygote
from dragoman_server.runners.port import (
    BundleRef,
    Failed,
    GuestCalls,
    Interrupted,
    Limits,
    RunError,
    RunOutcome,
    RunSpec,
    Tier,
    TierReport,
    Usage,
)

log = get_logger("runners")

DESCRIBE_LIMITS = Limits(wall=timedelta(seconds=60), cpu=timedelta(seconds=60), output_bytes=8 * 1024 * 1024)


@dataclass(frozen=True, slots=True)
class HostSettings:
    """`sandbox` is auto, sealed, contained or off. `cache` holds the staged runtime and installed dependencies."""

    cache: Path
    sandbox: str = "auto"
    max_zygotes: int = 64
    idle_seconds: float = 300.0
    lifetime_seconds: float = 3600.0
    """A zygote is replaced when it is older than this and has nothing to do."""
    kill_seconds: float = 1.0
    """How long a zygote may take to end a run before it is ended itself."""
    busy_seconds: float = 30.0
    dependency_bytes: int = 500 * 1024 * 1024
    dependency_cache_bytes: int = 4 * 1024 * 1024 * 1024
    installer_environment: Mapping[str, str] = field(default_factory=dict[str, str])
    """PIP_*, UV_* and certificate settings of the operator, for installing dependencies."""


Place = tuple[EnvironmentId, DeploymentId]


@dataclass(slots=True)
class Spare:
    """A process forked ahead, already importing, waiting for its run."""

    name: str
    connection: socket.socket
    limits: Mapping[str, Any]


@dataclass(slots=True)
class Warm:
    """A deployment's zygote and what the host remembers about it."""

    zygote: Zygote
    since: float
    used: float
    runs: int = 0
    spare: Spare | None = None
    ended: bool = False


@dataclass(slots=True)
class Running:
    cancelled: bool = False
    spares: bool = True
    """Whether another run like this one is to be expected."""
    wake: Callable[[], None] | None = None

    def cancel(self) -> None:
        self.cancelled = True
        if self.wake is not None:
            self.wake()


class LocalRunnerHost:
    """Implements `port.RunnerHost` with processes of this machine."""

    def __init__(self, settings: HostSettings) -> None:
        self._settings = settings
        self._tier = TierReport(None, {"state": "not opened"})
        self._runtime: runtime.Runtime | None = None
        self._stage = settings.cache
        self._dependencies: Dependencies | None = None
        self._warm: dict[Place, Warm] = {}
        self._starting: dict[Place, asyncio.Task[Warm]] = {}
        self._ahead: set[Place] = set()
        self._running: dict[RunId, Running] = {}
        self._freed = asyncio.Event()
        self._stopping = False
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def tier(self) -> TierReport:
        return self._tier

    async def open(self) -> None:
        """Find the tier and stage the runtime."""
        self._tier, self._runtime, self._stage = await asyncio.to_thread(self._prepare_machine)
        self._dependencies = Dependencies(self._stage / "dependencies", self._settings)
        log.info("sandbox", **{"tier": self._tier.tier or "none", **self._tier.details})

    async def close(self) -> None:
        """End every run (they return Interrupted) and every zygote."""
        self._stopping = True
        for running in list(self._running.values()):
            running.cancel()
        for task in self._starting.values():
            task.cancel()
        for place in list(self._warm):
            await self._end(place)
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def once(self) -> float | None:
        """One turn of eviction: end zygotes that are idle or old."""
        now = time.monotonic()
        for place, warm in list(self._warm.items()):
            idle = now - warm.used > self._settings.idle_seconds
            old = now - warm.since > self._settings.lifetime_seconds
            if not self._busy(warm) and (idle or old or not warm.zygote.alive):
                await self._end(place)
        return None

    async def prepare(self, bundle: BundleRef) -> None:
        await self._packages(bundle)

    async def warm(self, bundle: BundleRef) -> None:
        """Start the deployment's zygote before its first run."""
        await self._zygote(bundle)

    async def describe(self, bundle: BundleRef) -> dict[str, Any]:
        limits = DESCRIBE_LIMITS
        head = {"kind": "describe", "function": "", "run": {"integration": ""}}
        outcome = await self._attempt(bundle, head, b"", limits, NoCalls(), Running(spares=False))
        match outcome:
            case Failed(error=error):
                raise BundleError(error.message, payload=error.traceback)
            case Interrupted():
                raise RunnerError("The runner was lost while it read the project.")
            case _:
                assert outcome.output is not None
                return msgspec.json.decode(outcome.output, type=dict[str, Any])

    async def run(self, spec: RunSpec, calls: GuestCalls) -> RunOutcome:
        context = spec.context
        run: dict[str, Any] = {
            "run_id": str(spec.run_id),
            "attempt": spec.attempt,
            "integration": context.integration,
            "provider": context.provider,
            "connection_id": context.connection_id,
            "environment": context.environment_name,
            "variant": context.variant,
            "paginate": context.paginate,
            "base_url": context.base_url,
            "dry_run": spec.dry_run,
        }
        head: dict[str, Any] = {"kind": spec.kind, "function": spec.function, "run": run}
        body = b""
        if spec.checkpoint is not None:
            head["checkpoint_length"] = len(spec.checkpoint)
            body = spec.checkpoint
        if spec.input is not None:
            head["has_input"] = True
            body += spec.input
        running = self._running[spec.run_id] = Running()
        try:
            return await self._attempt(spec.bundle, head, body, spec.limits, calls, running)
        except RunnerError as error:
            retryable = error.reaction is Reaction.RETRY
            return Failed(RunError(error.code, error.message, retryable=retryable), Usage(0.0))
        finally:
            if self._running.get(spec.run_id) is running:  # else a newer attempt of the run has the place
                del self._running[spec.run_id]

    def cancel(self, run_id: RunId) -> bool:
        running = self._running.get(run_id)
        if running is not None:
            running.cancel()
        return running is not None

    async def evict(self, environment_id: EnvironmentId, deployment_id: DeploymentId | None = None) -> None:
        for place in list(self._warm):
            if place[0] == environment_id and deployment_id in {None, place[1]}:
                await self._end(place)

    @property
    def stage(self) -> Path:
        """Where copies for runners lie; readable by them."""
        return self._stage

    def zygote_pids(self) -> list[int]:
        """The warm processes; for measuring."""
        return [pid for warm in self._warm.values() if (pid := warm.zygote.pid) is not None]

    # ---- one attempt

    async def _attempt(
        self,
        bundle: BundleRef,
        head: Mapping[str, Any],
        body: bytes,
        limits: Limits,
        calls: GuestCalls,
        running: Running,
    ) -> RunOutcome:
        warm = await self._zygote(bundle)
        wanted = _limits(limits, warm.zygote)
        warm.runs += 1
        name = ""
        ours: socket.socket | None = None
        try:
            name, ours = self._fork(warm, wanted)
            return await self._converse(warm, name, ours, head, body, limits, calls, running)
        except RunnerError:
            if ours is not None:
                ours.close()
            return Interrupted("runner_lost", Usage(0.0))
        finally:
            warm.runs -= 1
            warm.used = time.monotonic()
            self._freed.set()
            if name:
                warm.zygote.forget(name)

    def _fork(self, warm: Warm, wanted: Mapping[str, Any]) -> tuple[str, socket.socket]:
        spare, warm.spare = warm.spare, None
        if spare is not None and spare.limits == wanted and warm.zygote.is_running(spare.name):
            return spare.name, spare.connection
        if spare is not None:
            warm.zygote.kill_run(spare.name)
            spare.connection.close()
        return self._fork_now(warm, wanted)

    def _fork_now(self, warm: Warm, wanted: Mapping[str, Any]) -> tuple[str, socket.socket]:
        name = uuid4().hex
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        with theirs:
            try:
                warm.zygote.fork(name, theirs, wanted)
            except BaseException:
                ours.close()
                raise
        return name, ours

    async def _converse(
        self,
        warm: Warm,
        name: str,
        ours: socket.socket,
        head: Mapping[str, Any],
        body: bytes,
        limits: Limits,
        calls: GuestCalls,
        running: Running,
    ) -> RunOutcome:
        began = time.monotonic()
        connection = GuestConnection(calls, limits)
        loop = asyncio.get_running_loop()
        await loop.create_unix_connection(lambda: connection, sock=ours)
        ended_well = False
        try:
            connection.start({**head, "protocol": frames.VERSION, "output_bytes": limits.output_bytes}, body)
            if not running.cancelled:
                await _first(loop, connection.outcome, running, limits.wall.total_seconds())
            usage = Usage((time.monotonic() - began) * 1000)
            if connection.outcome.done() and (said := connection.outcome.result()) is not None:
                ended_well = True
                return outcome_of_message(*said, usage, limits)
            if running.cancelled:
                return Interrupted("shutdown" if self._stopping else "cancelled", usage)
            if not connection.outcome.done():
                text = f"The function ran longer than {limits.wall.total_seconds():g} seconds and was ended."
                return Failed(RunError("function_runtime_timed_out", text), usage)
            if connection.broken:
                text = "The function broke the protocol with its host and was ended."
                return Failed(RunError("function_runtime_other", text), usage)
            exit_ = await warm.zygote.ended(name, 2.0)
            return outcome_of_exit(exit_, usage, limits)
        finally:
            if not ended_well:
                warm.zygote.kill_run(name)
            await connection.finish()
            self._later(
                self._see_off(warm, name, spare=ended_well and running.spares, wanted=_limits(limits, warm.zygote))
            )

    async def _see_off(self, warm: Warm, name: str, *, spare: bool, wanted: Mapping[str, Any]) -> None:
        """Make sure the run's process ends; a zygote that cannot end it is ended itself. Fork the next one ahead."""
        zygote = warm.zygote
        if spare and zygote.alive and warm.spare is None and not warm.ended:
            with suppress(RunnerError):
                made, connection = self._fork_now(warm, wanted)
                warm.spare = Spare(made, connection, wanted)
        if await zygote.ended(name, self._settings.kill_seconds) is None and zygote.alive and zygote.is_running(name):
            zygote.kill_run(name)
            if (
                await zygote.ended(name, self._settings.kill_seconds) is None
                and zygote.alive
                and zygote.is_running(name)
            ):
                log.warning("zygote_would_not_end_a_run")
                await zygote.kill()
        zygote.forget(name)

    # ---- zygotes

    async def _zygote(self, bundle: BundleRef) -> Warm:
        if self._tier.tier is None or self._runtime is None:
            raise SandboxUnavailableError("Functions are refused: no sandbox is available here (see /ready).")
        place = bundle.environment_id, bundle.deployment_id
        warm = self._warm.get(place)
        if warm is not None and warm.zygote.alive:
            return warm
        starting = self._starting.get(place)
        if starting is None:
            starting = self._starting[place] = asyncio.get_running_loop().create_task(self._start(place, bundle))
            starting.add_done_callback(lambda _: self._starting.pop(place, None))
        return await asyncio.shield(starting)

    async def _start(self, place: Place, bundle: BundleRef) -> Warm:
        assert self._runtime is not None
        assert self._tier.tier is not None
        packages = await self._packages(bundle)
        await self._make_room()
        uid = tiers.uid_for(int(bundle.environment_id)) if self._tier.tier is not Tier.OFF else None
        folder = bundle.folder
        if uid is not None:  # a user of its own could not read what only we may
            copy = self._stage / "bundles" / f"{int(bundle.environment_id)}-{bundle.deployment_id}"
            folder = await asyncio.to_thread(runtime.copy_for, bundle.folder, copy, uid)
        mounts = tiers.Mounts(folder, packages)
        mode = "ahead" if self._tier.tier is Tier.CONTAINED or place in self._ahead else "fork"
        zygote = Zygote(self._tier.tier, mode, self._runtime, mounts, uid)
        await zygote.start()
        if mode == "fork" and zygote.threads > 1:
            # The project's imports start threads, which no fork would carry over.
            self._ahead.add(place)
            await zygote.kill()
            zygote = Zygote(self._tier.tier, "ahead", self._runtime, mounts, uid)
            await zygote.start()
        now = time.monotonic()
        warm = self._warm[place] = Warm(zygote, now, now)
        return warm

    async def _packages(self, bundle: BundleRef) -> Path | None:
        assert self._dependencies is not None
        return await self._dependencies.installed(bundle.folder)

    async def _make_room(self) -> None:
        deadline = time.monotonic() + self._settings.busy_seconds
        while len(self._warm) >= self._settings.max_zygotes:
            idle = [(warm.used, place) for place, warm in self._warm.items() if not self._busy(warm)]
            if idle:
                await self._end(min(idle)[1])
                continue
            self._freed.clear()
            left = deadline - time.monotonic()
            if left <= 0:
                raise RunnerBusyError(f"All {self._settings.max_zygotes} runners of this host are at work.")
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._freed.wait()

    def _busy(self, warm: Warm) -> bool:
        return warm.runs > 0

    async def _end(self, place: Place) -> None:
        warm = self._warm.pop(place, None)
        if warm is not None:
            warm.ended = True
            if warm.spare is not None:
                warm.spare.connection.close()
                warm.spare = None
            await warm.zygote.kill()

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- the machine

    def _prepare_machine(self) -> tuple[TierReport, runtime.Runtime | None, Path]:
        report = tiers.detect_tier(self._settings.sandbox)
        if report.tier is None:
            return report, None, self._settings.cache
        stage = self._settings.cache
        apart = report.tier is Tier.CONTAINED and os.geteuid() == 0
        stage.mkdir(parents=True, exist_ok=True)
        if apart:
            stage = tiers.shared_stage(stage)
        runtime.forget_old_copies(stage / "bundles")
        return report, runtime.stage(stage, for_other_users=apart), stage


async def _first(
    loop: asyncio.AbstractEventLoop, outcome: "asyncio.Future[Any]", running: Running, seconds: float
) -> None:
    """Wait for the outcome, the run's cancellation or its deadline."""
    happened: asyncio.Future[None] = loop.create_future()

    def wake(_: object = None) -> None:
        if not happened.done():
            happened.set_result(None)

    running.wake = wake
    outcome.add_done_callback(wake)
    deadline = loop.call_later(seconds, wake)
    try:
        await happened
    finally:
        deadline.cancel()
        running.wake = None


def _limits(limits: Limits, zygote: Zygote) -> dict[str, Any]:
    own_user = zygote.tier is Tier.SEALED or zygote.uid is not None
    return {
        "cpu_seconds": math.ceil(limits.cpu.total_seconds()),
        "memory_bytes": limits.memory_bytes,
        "file_bytes": limits.file_bytes if zygote.tier is not Tier.CONTAINED else 0,
        "open_files": limits.open_files,
        "threads": limits.threads if own_user else 0,
    }
