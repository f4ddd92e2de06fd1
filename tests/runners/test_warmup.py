"""The zygote's rehearsal."""

import threading
from pathlib import Path

from dragoman_server.runners.guest import warmup


def test_a_rehearsal_runs_both_kinds_of_function_and_leaves_nothing_behind() -> None:
    open_before, threads_before = len(list(Path("/proc/self/fd").iterdir())), threading.active_count()
    ends = warmup.rehearse()
    assert len(ends) == 2 * warmup.TIMES
    assert all(end["ok"] and end["has_output"] for end in ends), ends
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before
    assert threading.active_count() == threads_before
