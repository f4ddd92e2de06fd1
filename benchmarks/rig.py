"""What every benchmark shares: its size, its door (`benchmark(run)`), the platform under test, and the meter of CPU."""

import argparse
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import TypeVar

from benchmarks import flame
from benchmarks.process_tree import cpu_seconds
from benchmarks.result import Result, table
from tests.support.platform import RunningPlatform, make_data_dir, remove_data_dir, start_platform

T = TypeVar("T")


class Size(StrEnum):
    SMOKE = "smoke"
    """A few operations, in seconds: does the benchmark still run?"""
    USUAL = "usual"
    FULL = "full"
    """The long variants, too."""

    def pick(self, smoke: T, usual: T, full: T) -> T:
        return {Size.SMOKE: smoke, Size.USUAL: usual, Size.FULL: full}[self]


PROVIDERS = Path(__file__).parent / "providers"

Run = Callable[[Size], Iterator[Result]]


def benchmark(run: Run) -> None:
    """`python -m benchmarks.<name> [--smoke | --full] [--out FILE]`: run it, print a table, write the results."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--smoke", action="store_const", const=Size.SMOKE, dest="size", help="a few seconds")
    parser.add_argument("--full", action="store_const", const=Size.FULL, dest="size", help="the long variants, too")
    parser.add_argument("--out", type=Path, help="where the results go, as JSON")
    given = parser.parse_args()
    results: list[Result] = []
    signal.signal(signal.SIGTERM, _leave)
    try:
        results.extend(run(given.size or Size.USUAL))
    finally:
        print(table(results), flush=True)
        if given.out is not None:
            given.out.write_text(json.dumps([one.as_dict() for one in results]), "utf-8")


def _leave(_number: int, _frame: FrameType | None) -> None:
    sys.exit(143)  # what was started is taken down on the way out


@dataclass(slots=True)
class Spent:
    """What happened in a measured window; filled when it ends."""

    cpu: float = 0.0
    wall: float = 0.0
    load: float = field(default_factory=lambda: os.getloadavg()[0])

    @property
    def conditions(self) -> str:
        return f"load average {self.load:.1f}"


@contextmanager
def measured(*pids: int, label: str = "", less: Sequence[int] = ()) -> Generator[Spent]:
    """CPU and wall seconds of the process trees `pids`, but for the trees `less`; with FLAME set, flame graphs too."""
    spent = Spent()
    with flame.recording(pids, label):
        before, began = _cpu(pids, less), time.perf_counter()
        yield spent
        spent.wall = time.perf_counter() - began
        spent.cpu = _cpu(pids, less) - before


def _cpu(pids: Sequence[int], less: Sequence[int]) -> float:
    return sum(cpu_seconds(pid) for pid in pids) - sum(cpu_seconds(pid) for pid in less)


_lent: list[RunningPlatform] = []
_numbers = itertools.count(1)


def unique(name: str) -> str:
    """`name` with a number: benchmarks that share a platform do not share what they make."""
    return f"{name}-{os.getpid()}-{next(_numbers)}"


def is_lent() -> bool:
    """Whether somebody lends a platform, with settings of theirs."""
    return bool(_lent)


@contextmanager
def lend(platform: RunningPlatform) -> Generator[None]:
    """Benchmarks that need no settings of their own use `platform` meanwhile: the smoke test starts one for all."""
    _lent.append(platform)
    try:
        yield
    finally:
        _lent.pop()


@contextmanager
def running_platform(
    extra: Mapping[str, str] | None = None, arguments: Sequence[str] = (), *, own: bool = False
) -> Generator[RunningPlatform]:
    """`dragoman up` with its embedded Postgres on a scratch folder; what remains is removed."""
    if _lent and not extra and not arguments and not own:
        yield _lent[-1]
        return
    folder = make_data_dir()
    try:
        settings = {"DRAGOMAN_PROVIDERS_DIR": str(PROVIDERS), **(extra or {})}
        platform = start_platform(folder / "data", extra=settings, arguments=arguments)
        try:
            yield platform
        finally:
            platform.stop()
    finally:
        remove_data_dir(folder)


def supervisor(platform: RunningPlatform) -> int:
    """The process whose tree is the platform, Postgres included."""
    return platform.commands[0].popen.pid
