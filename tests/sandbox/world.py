"""Runs hostile functions in one tier as one user and prints, as JSON, how each ended. Started by `test_hostile.py`.

Usage: python world.py TIER FOLDER PROJECTS
"""

# ruff: noqa: A002, PT018, PTH208

import asyncio
import json
import os
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from dragoman_server.kit.ids import DeploymentId, EnvironmentId, RunId
from dragoman_server.runners.host import HostSettings, LocalRunnerHost
from dragoman_server.runners.port import (
    BundleRef,
    Failed,
    Interrupted,
    Limits,
    LogLine,
    ProxyAnswer,
    ProxyCall,
    RunContext,
    RunSpec,
    SaveBatch,
    SaveCounts,
    Succeeded,
)

HARMLESS = {"read_files", "connect_out", "find_secrets", "start_processes"}
"""What may be tried without a sandbox, to see that the attacks are real."""
NEEDLE = "SECRET-OF-THE-SERVER-4711"


LIMITS = Limits(wall=timedelta(seconds=40), cpu=timedelta(seconds=20))


class Calls:
    """Only logs are taken."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []

    def proxy(self, call: ProxyCall) -> AbstractAsyncContextManager[ProxyAnswer]:
        raise NotImplementedError

    async def save(self, batch: SaveBatch) -> SaveCounts:
        raise NotImplementedError

    async def delete(self, batch: int, model: str, ids: Sequence[str]) -> int:
        raise NotImplementedError

    async def open_tracking(self, batch: int, model: str) -> None:
        raise NotImplementedError

    async def close_tracking(self, batch: int, model: str, *, allow_empty: bool) -> int:
        raise NotImplementedError

    async def records(self, model: str, ids: Sequence[str]) -> Sequence[tuple[str, bytes]]:
        raise NotImplementedError

    async def save_checkpoint(self, batch: int, checkpoint: bytes | None) -> None:
        raise NotImplementedError

    async def metadata(self) -> bytes:
        raise NotImplementedError

    async def write_metadata(self, value: bytes, *, merge: bool) -> None:
        raise NotImplementedError

    async def connection(self) -> Mapping[str, Any]:
        raise NotImplementedError

    async def variables(self) -> Mapping[str, str]:
        raise NotImplementedError

    async def trigger_action(self, name: str, input: bytes | None) -> bytes | None:
        raise NotImplementedError

    def log(self, lines: Sequence[LogLine]) -> None:
        self.lines += lines


class World:
    def __init__(self, host: LocalRunnerHost, projects: Path) -> None:
        self.host = host
        self.projects = projects

    def bundle(self, name: str, environment: int = 7) -> BundleRef:
        return BundleRef(EnvironmentId(environment), DeploymentId(f"{name}-{environment}"), self.projects / name)

    async def attack(
        self, function: str, value: Any = None, *, project: str = "hostile", environment: int = 7, **limits: Any
    ) -> dict[str, Any]:
        calls = Calls()
        spec = RunSpec(
            run_id=RunId(uuid4()),
            attempt=1,
            kind="action",
            function=function,
            bundle=self.bundle(project, environment),
            context=RunContext("dev", "x", "x", "c"),
            input=None if value is None else json.dumps(value).encode(),
            limits=replace(LIMITS, **limits),
        )
        outcome = await self.host.run(spec, calls)
        logged = sum(len(line.message) for line in calls.lines)
        match outcome:
            case Succeeded(output=output):
                return {"end": "succeeded", "value": json.loads(output or b"null"), "logged": logged}
            case Failed(error=error):
                return {"end": "failed", "code": error.code, "message": error.message, "logged": logged}
            case Interrupted(reason=reason):
                return {"end": "interrupted", "reason": reason}


Process = tuple[int, str]


def descendants() -> set[Process]:
    """Every process under this one, by number and start time; those in other pid namespaces too."""
    parents: dict[int, tuple[int, str]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(name)] = int(fields[1]), fields[19]
    found = {os.getpid()}
    while more := {pid for pid, (parent, _) in parents.items() if parent in found} - found:
        found |= more
    return {(pid, parents[pid][1]) for pid in found - {os.getpid()}}


async def until_gone(before: set[Process], deadline: float = 8.0) -> list[Process]:
    end = time.monotonic() + deadline
    while (left := [process for process in before if alive(process)]) and time.monotonic() < end:
        await asyncio.sleep(0.05)
    return left


def alive(process: Process) -> bool:
    try:
        fields = Path(f"/proc/{process[0]}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return fields[19] == process[1] and fields[0] != "Z"


async def main(tier: str, folder: Path, projects: Path) -> dict[str, Any]:
    key = folder / "data" / "kek.key"
    key.parent.mkdir(mode=0o700)
    key.write_text("THE-KEY")
    key.chmod(0o600)
    database = folder / "data" / "database.sock"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(database))
    listening.listen()
    datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    datagram.bind(str(folder / "data" / "datagram.sock"))
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind("\0" + (abstract_name := f"world-{os.getpid()}"))
    abstract.listen()
    abstract_datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    abstract_datagram.bind("\0" + (datagram_name := f"world-d-{os.getpid()}"))
    tcp = socket.create_server(("127.0.0.1", 0))
    leaked = os.open(str(key), os.O_RDONLY)
    os.set_inheritable(leaked, True)

    host = LocalRunnerHost(HostSettings(cache=folder / "cache", sandbox=tier, kill_seconds=1.0))
    await host.open()
    world = World(host, projects)
    results: dict[str, Any] = {"tier": host.tier.as_dict()}
    await world.attack("nothing", project="other", environment=8)
    await world.attack("nothing", project="other", environment=7)
    stage = host.stage
    others = [str(path) for path in stage.glob("bundles/*") if "hostile" not in path.name]
    paths = [
        str(key), str(key.parent), str(folder), str(folder / "cache"), str(stage), str(stage / "bundles"), *others,
        *[f"{path}/functions/attacks.py" for path in others], str(projects), str(projects / "other/functions/attacks.py"),
        "/etc/passwd", "/etc/shadow", "/root", "/home", "/var", "/run", "/proc/kcore", "/dev/mem", "/dev/sda",
        "/sys/kernel", __file__,
    ]  # fmt: skip
    addresses = {
        "port": tcp.getsockname()[1],
        "socket": str(database),
        "abstract": abstract_name,
        "datagram": str(folder / "data" / "datagram.sock"),
        "abstract_datagram": datagram_name,
    }
    holding = asyncio.create_task(world.attack("hold_a_secret"))
    await asyncio.sleep(0.3)
    folders = [str(folder), str(stage), str(projects / "hostile")]
    reaching: dict[str, Any] = {
        "read_files": {"paths": paths},
        "connect_out": addresses,
        "look_at_others": None,
        "find_secrets": {"needle": NEEDLE},
        "change_the_kernel": None,
        "start_processes": None,
        "replace_itself": None,
        "signal_others": None,
        "read_descriptors": None,
        "steal_from_siblings": None,
        "leave_traces": {"folders": folders},
    }
    for name, value in reaching.items():
        if tier != "off" or name in HARMLESS:
            results[name] = await world.attack(name, value)
    if tier == "off":
        await holding
        await host.close()
        return results
    results["find_traces"] = await world.attack("find_traces", {"folders": folders})
    results["hold_a_secret"] = await holding

    kib = 1024
    limited = {
        "spin": world.attack("spin", cpu=timedelta(seconds=1)),
        "sleep_on": world.attack("sleep_on", wall=timedelta(seconds=1)),
        "eat_memory": world.attack("eat_memory", memory_bytes=128 * kib * kib),
        "long_answer": world.attack("long_answer", output_bytes=1024 * kib),
        "flood_the_log": world.attack("flood_the_log", log_bytes=1024 * kib),
        "write_files": world.attack("write_files"),
        "start_threads": world.attack("start_threads", memory_bytes=256 * kib * kib),
        "crash": world.attack("crash"),
        "talk_nonsense": world.attack("talk_nonsense", wall=timedelta(seconds=10)),
        "sibling": world.attack("hold_a_secret"),
    }
    for name, result in zip(limited, await asyncio.gather(*limited.values()), strict=True):
        results[name] = result
    results["after"] = await world.attack("nothing")

    cancelled = RunId(uuid4())
    spec = RunSpec(cancelled, 1, "action", "sleep_on", world.bundle("hostile"), RunContext("dev", "x", "x", "c"))
    running = asyncio.create_task(host.run(spec, Calls()))
    await asyncio.sleep(0.2)
    assert host.cancel(cancelled)
    outcome = await running
    results["cancelled"] = outcome.reason if isinstance(outcome, Interrupted) else repr(outcome)

    for name in ("exits_at_import", "raises_at_import", "threads_at_import", "daemon_at_import", "kills_at_import"):
        results[name] = await world.attack("nothing", project=name)
    results["after_imports"] = await world.attack("nothing")
    before = descendants()
    results["before"] = len(before)
    await host.close()
    results["left"] = await until_gone(before)
    results["key"] = key.read_text()
    results["hostname"] = socket.gethostname() != "tmpfs"
    return results


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))))
