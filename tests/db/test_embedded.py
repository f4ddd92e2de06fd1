"""An embedded Postgres starts over whatever a killed one left behind."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dragoman_server.db import Database
from dragoman_server.db.embedded import EmbeddedPostgres
from tests.support import processes
from tests.support.platform import poll_until


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


async def test_connections_to_a_server_that_was_killed_this_moment_are_closed_without_an_error(folder: Path) -> None:
    server = EmbeddedPostgres(folder / "pg")
    server.start()
    database = Database(server.url("postgres"), min_size=2)
    try:
        await database.open()
        async with database.connection():
            pass
        assert server.pid is not None
        everything = [found for found in processes.below(os.getpid()) if "postgres" in found.command]

        os.kill(server.pid, signal.SIGKILL)
        for found in everything:
            found.kill()
        # Without an await: the event loop has not heard of it yet.
        poll_until(lambda: not [one for one in everything if one.alive], "all its processes are gone")
        await database.close()
    finally:
        server.stop()
