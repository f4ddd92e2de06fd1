"""Find the platform's processes, as an operator with `ps` would."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Found:
    """A process as /proc shows it."""

    pid: int
    parent: int
    state: str
    command: str

    def kill(self, number: int = signal.SIGKILL) -> bool:
        """Signal it; False when it is gone."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)
            return True
        return False

    @property
    def alive(self) -> bool:
        found = _read(self.pid)
        return found is not None and found.state != "Z" and found.command == self.command


def _read(pid: int) -> Found | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    except OSError:
        return None
    return Found(pid, int(fields[1]), fields[0], command)


def below(pid: int) -> list[Found]:
    """Every living process below `pid`, parents before children."""
    found = [one for place in Path("/proc").glob("[0-9]*") if (one := _read(int(place.name))) is not None]
    children: dict[int, list[Found]] = {}
    for one in found:
        children.setdefault(one.parent, []).append(one)

    def walk(parent: int) -> Iterator[Found]:
        for one in children.get(parent, []):
            if one.state != "Z":
                yield one
            yield from walk(one.pid)

    return list(walk(pid))


def workers(supervisor: int) -> list[Found]:
    """The supervisor's worker processes."""
    return [one for one in below(supervisor) if one.parent == supervisor and "assembly.worker" in one.command]


def postgres(supervisor: int) -> list[Found]:
    """The embedded Postgres's own process."""
    return [one for one in below(supervisor) if one.parent == supervisor and "/bin/postgres" in one.command]


def zygotes(worker: int) -> list[Found]:
    """Processes with children of their own below a worker's sandbox: they fork the runs."""
    inside = below(worker)
    parents = {one.parent for one in inside}
    return [one for one in inside if one.pid in parents and "python" in one.command and "bwrap" not in one.command]


def runs(worker: int) -> list[Found]:
    """The processes in which functions run (or wait, forked ahead, to run)."""
    inside = below(worker)
    parents = {one.parent for one in inside}
    return [one for one in inside if one.pid not in parents and "python" in one.command and "bwrap" not in one.command]
