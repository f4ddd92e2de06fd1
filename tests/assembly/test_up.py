"""`dragoman up` as processes: what dies is started again, a folder is held once, keys rotate while everything reads."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from dragoman_server.vault.keyfile import read_key_file
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

pytestmark = pytest.mark.xdist_group("up")  # one platform or project for all of them
LIMIT = 400


@pytest.fixture(scope="module")
def small() -> Iterator[RunningPlatform]:
    """A platform with a low rate limit, for the tests of this file, in any order."""
    folder = make_data_dir()
    running = start_platform(folder / "data", extra={"DRAGOMAN_RATE_LIMIT_PER_MINUTE": str(LIMIT)})
    try:
        yield running
    finally:
        running.stop()
        remove_data_dir(folder)


def workers(platform: RunningPlatform) -> list[int]:
    """The supervisor's children that are workers."""
    found: list[int] = []
    parent = platform.commands[0].popen.pid
    for entry in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes()
            if int(fields[1]) == parent and b"assembly.worker" in command:
                found.append(int(entry.name))
    return found


def dragoman(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "dragoman.cli", *arguments],
        env=clean_environment(LOOPBACK),
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def test_a_killed_worker_is_started_again(small: RunningPlatform) -> None:
    [before] = poll_until(lambda: workers(small), "a worker")

    os.kill(before, signal.SIGKILL)

    [after] = poll_until(lambda: [w for w in workers(small) if w != before], "another worker", seconds=20)
    assert after != before
    wait_ready(small.url)
    assert "starting it again" in small.output()


def test_a_second_up_on_the_folder_is_refused(small: RunningPlatform) -> None:
    done = dragoman("up", "--data-dir", str(small.data_dir), "--port", "0")

    assert done.returncode != 0
    assert "Another `dragoman up` runs" in done.stderr
    assert "Traceback" not in done.stderr
    wait_ready(small.url)


def test_a_taken_port_is_named(small: RunningPlatform, tmp_path: Path) -> None:
    port = small.url.rpartition(":")[2]
    done = dragoman("up", "--data-dir", str(tmp_path / "other"), "--port", port)

    assert done.returncode != 0
    assert port in done.stderr
    assert "--port" in done.stderr


def test_a_bad_setting_ends_the_command_by_name(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "dragoman.cli", "up", "--data-dir", str(tmp_path / "d")],
        env=clean_environment({"DRAGOMAN_SYNC_SLOTS": "none", "DRAGOMAN_PUBLIC_URLS": "x"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode != 0
    assert "DRAGOMAN_SYNC_SLOTS" in done.stderr
    assert "did you mean DRAGOMAN_PUBLIC_URL?" in done.stderr
    assert not (tmp_path / "d").exists(), "nothing half made"


def test_keys_rotate_while_everything_reads(small: RunningPlatform) -> None:
    key = {"Authorization": f"Bearer {small.environment()['api_key']}"}
    with httpx.Client(base_url=small.url, headers=key, timeout=20) as http:
        variable = http.put("/environment-variables/SEALED", json={"value": "sealed-value"})
        assert variable.status_code == 200
        before = read_key_file(small.data_dir / "encryption.key")
        read: list[int] = []
        done = threading.Event()

        def keep_reading() -> None:
            while not done.wait(0.05):
                answer = http.get("/environment-variables")
                read.append(answer.status_code if answer.json() == [{"name": "SEALED", "value": "sealed-value"}] else 0)

        reader = threading.Thread(target=keep_reading)
        reader.start()
        try:
            first = dragoman("keys", "rotate", "--data-dir", str(small.data_dir))
            again = dragoman("keys", "rotate", "--data-dir", str(small.data_dir))
        finally:
            done.set()
            reader.join()

    assert (first.returncode, again.returncode) == (0, 0), first.stderr + again.stderr
    after = read_key_file(small.data_dir / "encryption.key")
    assert after.current != before.current
    assert read
    assert set(read) == {200}, "every read in between found the value"
    assert "sealed-value" not in first.stdout + again.stdout


def test_too_many_calls_are_told_when_to_come_back(small: RunningPlatform) -> None:
    key = {"Authorization": f"Bearer {small.environment('prod')['api_key']}"}
    with httpx.Client(base_url=small.url, headers=key, timeout=20) as http:
        answer = http.get("/records")
        assert answer.status_code == 400
        for _ in range(2 * LIMIT + 2):  # a new minute may begin in between
            answer = http.get("/integrations")
            if answer.status_code == 429:
                break
        elsewhere = http.get("/proxy/x")
    error = answer.json()["error"]

    assert answer.status_code == 429
    assert (error["code"], error["method"], error["path"]) == ("too_many_request", "GET", "/integrations")
    assert error["message"]
    assert 0 < int(answer.headers["Retry-After"]) <= 61
    assert answer.headers["X-RateLimit-Remaining"] == "0"
    assert elsewhere.status_code == 429
    dev = httpx.get(f"{small.url}/integrations", headers={"Authorization": f"Bearer {small.environment()['api_key']}"})
    assert dev.status_code == 200, "another key has points of its own"
