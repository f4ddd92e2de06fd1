"""Start the demo's processes, read the line in which each says where it listens, stop them again."""

import os
import queue
import re
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path


class Process:
    """A child whose output goes to `log`; `wait_for` reads lines as they come."""

    def __init__(self, name: str, command: Sequence[str], *, log: Path, env: dict[str, str], cwd: Path) -> None:
        self.name = name
        self.log = log
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._popen = subprocess.Popen(
            list(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=os.environ | env,
            cwd=cwd,
            text=True,
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        with self.log.open("a", encoding="utf-8") as file:
            for line in self._popen.stdout:
                file.write(line)
                file.flush()
                self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, pattern: str, *, seconds: float) -> re.Match[str]:
        """The first line that matches; raise RuntimeError when the process ends or the time is up."""
        while True:
            try:
                line = self._lines.get(timeout=seconds)
            except queue.Empty:
                raise RuntimeError(f"{self.name} said nothing for {seconds:.0f} s; see {self.log}") from None
            if line is None:
                raise RuntimeError(f"{self.name} ended with {self._popen.wait()}; see {self.log}")
            match = re.search(pattern, line)
            if match is not None:
                return match

    def alive(self) -> bool:
        return self._popen.poll() is None

    def stop(self) -> None:
        if not self.alive():
            return
        self._popen.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self._popen.wait(40)
        if self.alive():
            self._popen.kill()
            self._popen.wait()
