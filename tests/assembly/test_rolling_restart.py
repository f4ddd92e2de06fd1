"""SIGHUP to `dragoman up`: the worker processes are replaced one after the other, and no caller notices."""

import os
import pty
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator

import httpx
import pytest

from tests.support import processes
from tests.support.platform import (
    LOOPBACK,
    RunningPlatform,
    clean_environment,
    make_data_dir,
    poll_until,
    remove_data_dir,
    start_platform,
    wait_ready,
)

pytestmark = pytest.mark.xdist_group("rolling")


@pytest.fixture(scope="module")
def two() -> Generator[RunningPlatform]:
    """A platform with two worker processes."""
    folder = make_data_dir()
    running = start_platform(folder / "data", arguments=["--api-workers", "1"])
    try:
        yield running
    finally:
        running.stop()
        remove_data_dir(folder)


def supervisor(platform: RunningPlatform) -> int:
    return platform.commands[0].popen.pid


def pids(platform: RunningPlatform) -> set[int]:
    return {one.pid for one in processes.workers(supervisor(platform))}


def replaced(platform: RunningPlatform, before: set[int]) -> bool:
    now = pids(platform)
    return len(now) == len(before) and not now & before


def told_to_close(kept: socket.socket) -> bytes:
    """Ask until an answer says that the connection closes; return what comes after that answer."""
    answer = b""
    while b"connection: close" not in answer.lower():
        kept.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = kept.recv(65536)
        assert answer.startswith(b"HTTP/1.1 200"), answer
    return kept.recv(65536)


class Caller(threading.Thread):
    """Calls over one kept connection, one after the other, until told to stop; what fails is kept."""

    def __init__(self, platform: RunningPlatform) -> None:
        super().__init__()
        self.url = f"{platform.url}/integrations"
        self.key = platform.environment()["api_key"]
        self.done = threading.Event()
        self.answers = 0
        self.failures: list[str] = []

    def run(self) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {self.key}"}) as http:
            while not self.done.is_set():
                try:
                    status = http.get(self.url, timeout=20).status_code
                except httpx.TransportError as error:
                    self.failures.append(repr(error))
                else:
                    self.answers += 1
                    if status != 200:
                        self.failures.append(str(status))


def test_a_hangup_replaces_every_worker_and_no_caller_sees_an_error(two: RunningPlatform) -> None:
    before = poll_until(lambda: found if len(found := pids(two)) == 2 else None, "two workers")
    callers = [Caller(two) for _ in range(4)]
    for one in callers:
        one.start()

    try:
        os.kill(supervisor(two), signal.SIGHUP)
        with socket.create_connection(("127.0.0.1", httpx.URL(two.url).port or 0), timeout=60) as kept:
            last = told_to_close(kept)
        poll_until(lambda: replaced(two, before), "two other workers", seconds=90)
    finally:
        for one in callers:
            one.done.set()
        for one in callers:
            one.join()

    assert last == b""
    assert [one.failures for one in callers] == [[], [], [], []]
    assert all(one.answers > 10 for one in callers)
    assert "the worker processes are replaced" in two.output()
    assert "service_cancelled" not in two.output()


def test_a_worker_that_cannot_start_leaves_the_old_ones_in_place(two: RunningPlatform) -> None:
    before = poll_until(lambda: found if len(found := pids(two)) == 2 else None, "two workers")
    key = two.data_dir / "encryption.key"
    aside = key.rename(key.with_suffix(".aside"))
    try:
        os.kill(supervisor(two), signal.SIGHUP)
        poll_until(lambda: "the old worker processes stay" in two.output(), "it gave up", seconds=90)
    finally:
        aside.rename(key)

    assert pids(two) == before
    wait_ready(two.url)


def test_closing_the_terminal_it_runs_in_stops_it() -> None:
    folder = make_data_dir()
    parent, child = pty.openpty()
    program = (
        "import os, fcntl, termios, sys; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
        "os.execv(sys.executable, [sys.executable, '-m', 'dragoman.cli', *sys.argv[1:]])"
    )
    try:
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", program, "up", "--data-dir", str(folder / "data"), "--port", "0"],
                stdin=child,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=clean_environment(LOOPBACK),
            )
        os.close(child)
        poll_until(lambda: processes.workers(process.pid), "a worker", seconds=60)

        os.close(parent)

        assert process.wait(90) == 0
    finally:
        remove_data_dir(folder)
