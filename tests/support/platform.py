"""The platform as real processes on loopback, in one process tree or apart, with a client for each key."""

import json
import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from dragoman import AsyncClient, Client

LOOPBACK = {"DRAGOMAN_EGRESS_ALLOW": "127.0.0.0/8"}


def poll_until(done: Callable[[], Any], what: str, *, seconds: float = 60.0, every: float = 0.05) -> Any:
    """Ask until the answer is true and return it; fail naming `what`. For what only another process can tell."""
    deadline = time.monotonic() + seconds
    while True:
        found = done()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:.0f} s: {what}")
        time.sleep(every)


@dataclass
class Command:
    """One `dragoman …` process; its output is kept in `log`."""

    name: str
    popen: "subprocess.Popen[bytes]"
    log: Path

    def text(self) -> str:
        return self.log.read_text("utf-8", "replace")

    def kill(self) -> None:
        """kill -9, at once."""
        with suppress(ProcessLookupError):
            self.popen.send_signal(signal.SIGKILL)
        self.popen.wait(10)

    def stop(self, patience: float = 40.0) -> int:
        """SIGTERM and wait."""
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGTERM)
            try:
                self.popen.wait(patience)
            except subprocess.TimeoutExpired:
                self.popen.kill()
                self.popen.wait(10)
        return self.popen.returncode


@dataclass
class RunningPlatform:
    """A running server: its URL, its keys, its data folder, its processes."""

    url: str
    data_dir: Path
    commands: list[Command] = field(default_factory=list[Command])

    @property
    def credentials(self) -> dict[str, Any]:
        return json.loads((self.data_dir / "credentials.json").read_text("utf-8"))

    def environment(self, name: str = "dev") -> dict[str, Any]:
        """`{id, api_key, webhook_signing_key}`."""
        return self.credentials["environments"][name]

    def client(self, name: str = "dev") -> Client:
        return Client(url=self.url, api_key=self.environment(name)["api_key"])

    def async_client(self, name: str = "dev") -> AsyncClient:
        return AsyncClient(url=self.url, api_key=self.environment(name)["api_key"])

    def account(self) -> Client:
        return Client(url=self.url, api_key=self.credentials["account_key"])

    def deploy(self, project: Path, environment: str = "dev", *, key: str | None = None) -> str:
        """`dragoman deploy`, as a user would, with the API key `key` (else the environment's own); return its output."""
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "dragoman.cli",
                "deploy",
                environment,
                "--project",
                str(project),
                "-y",
                "--allow-destructive",
            ],
            env=clean_environment(
                {"DRAGOMAN_URL": self.url, "DRAGOMAN_API_KEY": key or self.environment(environment)["api_key"]}
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"deploy failed:\n{done.stdout}{done.stderr}"
        return done.stdout

    def output(self) -> str:
        """All output of all processes: for finding out, and for proving that no secret is in it."""
        return "\n".join(c.text() for c in self.commands)

    def stop(self) -> None:
        for command in reversed(self.commands):
            command.stop()


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without any DRAGOMAN_* setting, with `extra`."""
    return {k: v for k, v in os.environ.items() if not k.startswith("DRAGOMAN_")} | dict(extra)


def start_command(
    name: str, arguments: Sequence[str], *, folder: Path, extra: Mapping[str, str], says: str, patience: float = 60.0
) -> tuple[Command, re.Match[str] | None]:
    """Start `dragoman …` and wait until a line of its output matches `says` (empty: do not wait)."""
    log = folder / f"{name}-{time.monotonic_ns()}.log"
    with log.open("wb") as output:
        popen = subprocess.Popen(
            [sys.executable, "-m", "dragoman.cli", *arguments],
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=clean_environment(extra),
            start_new_session=True,
        )
    command = Command(name, popen, log)
    if not says:
        return command, None
    deadline = time.monotonic() + patience
    while True:
        match = re.search(says, command.text())
        if match is not None:
            return command, match
        if popen.poll() is not None or time.monotonic() > deadline:
            text = command.text()
            command.kill() if popen.poll() is None else None
            raise AssertionError(f"{name} did not start (exit {popen.returncode}):\n{text[-4000:]}")
        time.sleep(0.02)


def wait_ready(url: str, *, seconds: float = 60.0) -> dict[str, Any]:
    """Wait until /ready says so; return what it says."""

    def ready() -> dict[str, Any] | None:
        with suppress(httpx.TransportError):
            answer = httpx.get(f"{url}/ready", timeout=5)
            return answer.json() if answer.status_code == 200 else None
        return None

    return poll_until(ready, f"{url}/ready", seconds=seconds)


def start_platform(
    data_dir: Path, *, port: int = 0, extra: Mapping[str, str] | None = None, arguments: Sequence[str] = ()
) -> RunningPlatform:
    """`dragoman up` with its embedded Postgres; returns when it is ready."""
    data_dir.mkdir(parents=True, exist_ok=True)
    settings = LOOPBACK | {"DRAGOMAN_DRAIN_SECONDS": "5"} | dict(extra or {})
    command, match = start_command(
        "up",
        ["up", "--data-dir", str(data_dir), "--port", str(port), *arguments],
        folder=data_dir,
        extra=settings,
        says=r"listens on (http://\S+)",
    )
    assert match is not None
    platform = RunningPlatform(match[1], data_dir, [command])
    wait_ready(platform.url)
    return platform


def make_data_dir() -> Path:
    """A short path below /tmp that other users may pass through, as the sandbox's users must."""
    folder = Path(tempfile.mkdtemp(prefix="dgp-", dir="/tmp"))
    folder.chmod(0o755)
    return folder


def remove_data_dir(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)


def lines_of(process: "subprocess.Popen[bytes]", patience: float) -> str:
    """The next line of a child's output; raises AssertionError when none comes in time."""
    assert process.stdout is not None
    selector = selectors.DefaultSelector()
    selector.register(process.stdout, selectors.EVENT_READ)
    if not selector.select(patience):
        raise AssertionError("the process said nothing in time")
    return process.stdout.readline().decode()
