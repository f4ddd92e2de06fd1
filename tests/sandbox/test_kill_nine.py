"""kill -9 of the process that hosts runners: nothing it started goes on, whatever state it is in."""

import os
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman_server.runners.host import detect_tier
from dragoman_server.runners.port import Tier
from tests.support import processes

HOST = """
import asyncio, sys
from pathlib import Path
from uuid import uuid4
from dragoman_server.kit.ids import DeploymentId, EnvironmentId, RunId
from dragoman_server.runners.host import HostSettings, LocalRunnerHost
from dragoman_server.runners.host.nothing import NoCalls
from dragoman_server.runners.port import BundleRef, RunContext, RunSpec

async def main(folder):
    host = LocalRunnerHost(HostSettings(cache=folder / "cache", sandbox=sys.argv[2]))
    await host.open()
    async with asyncio.TaskGroup() as group:
        for number, name in enumerate(("running", "importing")):
            bundle = BundleRef(EnvironmentId(number + 1), DeploymentId(uuid4()), folder / name)
            context = RunContext("dev", "bench", "unauthenticated", "c1")
            spec = RunSpec(RunId(uuid4()), 1, "action", "spin", bundle, context)
            group.create_task(host.run(spec, NoCalls()))

asyncio.run(main(Path(sys.argv[1])))
"""
SPIN = """
from dragoman import action
import os, signal
for number in (1, 2, 3, 15):
    try:
        signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError):
        pass

def forever():
    os.close(os.open("/tmp", os.O_RDONLY))
    while True:
        pass

@action(integration="bench")
def spin(ctx) -> None:
    forever()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dgk-", dir="/tmp") as made:
        path = Path(made)
        path.chmod(0o755)
        for name, more in (("running", ""), ("importing", "\nforever()\n")):
            functions = path / name / "functions"
            functions.mkdir(parents=True)
            (functions / "__init__.py").write_text("")
            (functions / "bench.py").write_text(SPIN + more)
        yield path


def test_nothing_outlives_the_host_even_what_is_stopped_or_spins(folder: Path) -> None:
    tier = detect_tier("auto").tier
    assert tier is not None
    host = subprocess.Popen([sys.executable, "-c", HOST, str(folder), tier.value])
    try:
        guests = _when_all_are_there(host.pid, 3 if tier is not Tier.CONTAINED else 4)
        handles = [os.pidfd_open(one.pid) for one in guests]
        try:
            for one in processes.below(host.pid):  # the whole sandbox sleeps through the death of its host
                if one.pid != host.pid and "bwrap" not in one.command.split(" ")[0]:
                    one.kill(signal.SIGSTOP)
            host.kill()
            host.wait()
            for handle in handles:
                ended, _, _ = select.select([handle], [], [], 20)
                assert ended, [one for one in guests if one.alive]
        finally:
            for handle in handles:
                os.close(handle)
            for one in guests:
                one.kill()
    finally:
        host.kill()
        host.wait()


def _when_all_are_there(pid: int, wanted: int) -> list[processes.Found]:
    """Zygotes and run processes: the one that runs with its zygote, and the one whose import never ends."""
    found: list[processes.Found] = []
    for _ in range(600):
        found = [one for one in processes.below(pid) if "boot.py" in one.command and "bwrap" not in one.command]
        if len(found) >= wanted:
            return found
        select.select([], [], [], 0.05)
    raise AssertionError(found)
