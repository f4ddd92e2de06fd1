"""An embedded Postgres starts over whatever a killed one left behind."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman_server.db.embedded import EmbeddedPostgres


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="dge-", dir="/tmp"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def test_locks_that_name_a_living_process_of_another_kind_do_not_keep_it_from_starting(folder: Path) -> None:
    first = EmbeddedPostgres(folder / "pg")
    first.start()
    assert first.pid is not None
    os.kill(first.pid, signal.SIGKILL)
    first.stop()
    owner = (folder / "pg/data").stat().st_uid
    identity = {"user": owner} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "100"], cwd="/", **identity) as stranger:  # type: ignore[call-overload]  # user=
        second = EmbeddedPostgres(folder / "pg")
        try:
            leave_locks(folder, stranger.pid)
            second.start()

            assert second.alive()
            assert stranger.poll() is None, "nobody else's process is ended for it"
        finally:
            stranger.kill()
            second.stop()


def leave_locks(folder: Path, pid: int) -> None:
    for left in (folder / "pg/data/postmaster.pid", folder / "pg/socket/.s.PGSQL.5432.lock"):
        lines = left.read_text().split("\n")
        left.write_text("\n".join([str(pid), *lines[1:]]))


def test_where_the_server_listens_is_replaced_and_never_rewritten_under_a_reader(folder: Path) -> None:
    named = folder / "pg/socket.path"
    server = EmbeddedPostgres(folder / "pg")
    try:
        server.start()
        with named.open() as reader:  # another process, that asks while the server is started again
            server.stop()
            server.start()

            assert os.fstat(reader.fileno()).st_ino != named.stat().st_ino
            assert named.read_text().strip() == str(folder / "pg/socket")
    finally:
        server.stop()
