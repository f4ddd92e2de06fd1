"""Flame graphs of the processes under test while they are measured: `make bench FLAME=1 P=p1` (py-spy)."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.process_tree import tree

FOLDER = Path(__file__).parent / "results"
SECONDS_TO_WRITE = 60


def wanted() -> bool:
    return os.environ.get("FLAME", "") not in ("", "0")


@contextmanager
def recording(pids: Sequence[int], label: str) -> Generator[None]:
    """Record every Python process of the trees `pids`; without FLAME nothing happens."""
    if not wanted():
        yield
        return
    tool = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if tool is None:
        print("FLAME=1 needs py-spy: run `make .venv/.dev`", file=sys.stderr, flush=True)
        yield
        return
    FOLDER.mkdir(exist_ok=True)
    running = [_start(tool, pid, _place(label, pid)) for top in pids for pid in tree(top) if _is_python(pid)]
    try:
        yield
    finally:
        for place, process in running:
            _finish(place, process)


def _place(label: str, pid: int) -> Path:
    name = re.sub(r"[^a-z0-9]+", "-", (label or "window").lower()).strip("-")
    return FOLDER / f"flame-{name}-{pid}.svg"


def _is_python(pid: int) -> bool:
    try:
        return "python" in Path(f"/proc/{pid}/exe").readlink().name
    except OSError:
        return False


def _start(tool: str, pid: int, place: Path) -> tuple[Path, "subprocess.Popen[str]"]:
    command = [tool, "record", "--nonblocking", "--pid", str(pid), "--output", str(place), "--rate", "200"]
    return place, subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def _finish(place: Path, process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        said = process.communicate(timeout=SECONDS_TO_WRITE)[1]
    except subprocess.TimeoutExpired:
        process.kill()
        said = process.communicate()[1]
    if place.exists():
        print(f"flame graph: {place.relative_to(FOLDER.parent.parent)}", file=sys.stderr, flush=True)
    elif re.search(r"permission|ptrace|not permitted", said, re.IGNORECASE):
        print(
            "py-spy may not look at the processes (ptrace is refused): run as root, or allow it with "
            "`sysctl kernel.yama.ptrace_scope=0` (in a container: `--cap-add SYS_PTRACE`)",
            file=sys.stderr,
            flush=True,
        )
    else:
        print(f"py-spy recorded nothing: {said.strip()[-300:]}", file=sys.stderr, flush=True)
