"""Replace a platform's worker processes, and wait until it is done."""

import os
import signal

from benchmarks.rig import supervisor
from tests.support import processes
from tests.support.platform import RunningPlatform, poll_until


def roll(platform: RunningPlatform) -> None:
    """SIGHUP, and wait until none of the worker processes of before is left."""
    pid = supervisor(platform)
    before = {one.pid for one in processes.workers(pid)}
    os.kill(pid, signal.SIGHUP)
    poll_until(
        lambda: (now := {one.pid for one in processes.workers(pid)}) and not now & before,
        "new worker processes",
        seconds=120,
        every=0.1,
    )
