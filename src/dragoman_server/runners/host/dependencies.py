"""A deployment's packages: installed from its hash-pinned lock, wheels only, without rights, once per content.

The one place besides `egress` that talks to the outside: the operator's package index. Never under a run's deadline.
"""

import asyncio
import hashlib
import os
import re
import resource
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Mapping
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

from dragoman_server.kit.telemetry import get_logger
from dragoman_server.runners.errors import DependencyError
from dragoman_server.runners.guest import frames
from dragoman_server.runners.host import runtime, tiers

log = get_logger("runners")

LOCK = "requirements.lock"
LONGEST_LOCK = 1024 * 1024
INSTALL_SECONDS = 600.0
INSTALLER_UID = 65534
LOOK_SECONDS = 0.25
_QUIETLY = ("--quiet", "--disable-pip-version-check", "--no-cache-dir")
_ELSEWHERE = {"PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"}
_OURS = {"dragoman", "dragoman-server"}
_REQUIREMENT = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*==\s*([^\s;\\]+)(.*)$")
_PASSED = (
    "PIP_",
    "UV_",
    "SSL_CERT_",
    "REQUESTS_CA_BUNDLE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http",
    "https",
    "no_proxy",
)


class Settings(Protocol):
    @property
    def dependency_bytes(self) -> int: ...
    @property
    def dependency_cache_bytes(self) -> int: ...
    @property
    def installer_environment(self) -> Mapping[str, str]: ...


class Dependencies:
    """Installs into, and finds in, `folder`."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self._folder = folder
        self._settings = settings
        self._under_way: dict[str, asyncio.Task[Path]] = {}

    async def installed(self, bundle: Path) -> Path | None:
        """The packages of this project, installed now if they are not; None without a lock. Raises DependencyError."""
        lock = bundle / LOCK
        if not lock.is_file():
            return None
        text = await asyncio.to_thread(_read, lock)
        requirements = parse_lock(text)
        if not requirements:
            return None
        key = cache_key(text)
        target = self._folder / key
        if (target / ".complete").exists():
            with suppress(OSError):
                os.utime(target)
            return target / "site"
        task = self._under_way.get(key)
        if task is None:
            task = self._under_way[key] = asyncio.get_running_loop().create_task(self._install(requirements, target))
            task.add_done_callback(lambda _: self._under_way.pop(key, None))
        return await asyncio.shield(task)

    async def _install(self, requirements: list[str], target: Path) -> Path:
        began = time.monotonic()
        await asyncio.to_thread(self._install_now, requirements, target)
        log.info("dependencies_installed", packages=len(requirements), took_ms=round((time.monotonic() - began) * 1000))
        return target / "site"

    def _install_now(self, requirements: list[str], target: Path) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._folder.chmod(0o755)
        making = Path(tempfile.mkdtemp(prefix="dragoman-install-"))
        making.chmod(0o755)
        try:
            site, home, lock = making / "site", making / "home", making / "lock.txt"
            site.mkdir()
            home.mkdir()
            lock.write_text("\n".join(requirements) + "\n")
            lock.chmod(0o644)
            self._run_installer(lock, site, home)
            self._check(site)
            shutil.rmtree(home, ignore_errors=True)
            _tidy(site)
            _give_back(making)
            arriving = target.with_name(f".{target.name}-{os.getpid()}")
            shutil.rmtree(arriving, ignore_errors=True)
            shutil.move(making, arriving)
            (arriving / ".complete").touch()
            with suppress(OSError):
                arriving.rename(target)
            shutil.rmtree(arriving, ignore_errors=True)  # still there only if another process was quicker
            if not (target / ".complete").exists():
                raise DependencyError("The project's packages could not be put in place.")
        finally:
            shutil.rmtree(making, ignore_errors=True)
        self._shrink(keep=target)

    def _check(self, site: Path) -> None:
        self._refuse_beyond(_size(site))
        for name in ("dragoman", "dragoman_server"):
            if (site / name).exists():
                raise DependencyError(f"The project's lock installs `{name}`, which the platform itself provides.")

    def _refuse_beyond(self, size: int) -> None:
        if size > self._settings.dependency_bytes:
            limit = self._settings.dependency_bytes // 2**20
            raise DependencyError(
                f"The project's packages take more than the {limit} MB allowed ({size // 2**20} MB or more)."
            )

    def _run_installer(self, lock: Path, site: Path, home: Path) -> None:
        """With pip, fetch the wheels, add up what they say they unpack to, and only then unpack them."""
        environment = {name: value for name, value in os.environ.items() if name.startswith(_PASSED)}
        environment |= self._settings.installer_environment
        environment |= {"HOME": str(home), "PATH": "/usr/bin:/bin", "TMPDIR": str(home)}
        user = INSTALLER_UID if os.geteuid() == 0 else None
        pip = self._pip(for_other_users=user is not None)
        wheels = home / "wheels"
        wheels.mkdir()
        if user is not None:
            for path in (site, home, wheels):
                os.chown(path, user, user)
        wanted = ["--require-hashes", "--only-binary", ":all:", "--no-deps", "-r", str(lock)]
        grows = {site: self._settings.dependency_bytes, home: 2 * self._settings.dependency_bytes}
        if pip is None:
            command = [*self._uv(for_other_users=user is not None), *wanted, "--target", str(site)]
            self._run(command, environment, home, user, grows)
            return
        start, more = pip
        environment |= more
        self._run([*start, "download", *_QUIETLY, *wanted, "--dest", str(wheels)], environment, home, user, grows)
        self._refuse_beyond(sum(map(_unpacked_size, wheels.iterdir())))
        here = {name: value for name, value in environment.items() if name not in _ELSEWHERE}
        here |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
        command = [*start, "install", *_QUIETLY, "--no-compile", "--no-warn-script-location", *wanted]
        self._run([*command, "--target", str(site)], here, home, user, grows)

    def _run(
        self,
        command: list[str],
        environment: Mapping[str, str],
        home: Path,
        user: int | None,
        grows: Mapping[Path, int],
    ) -> None:
        """Run the installer to its end, or to the size a folder may grow to."""
        deadline = time.monotonic() + INSTALL_SECONDS
        with (
            (home / ".stderr").open("w+b") as complaint,
            subprocess.Popen(
                command,
                env=dict(environment),
                cwd=home,
                user=user,
                group=user,
                extra_groups=[] if user is not None else None,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=complaint,
            ) as process,
        ):
            try:
                largest = self._settings.dependency_bytes
                with suppress(OSError):
                    resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (largest, largest))
                while True:
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(LOOK_SECONDS)
                        break
                    for folder, most in grows.items():
                        self._refuse_beyond(_size(folder) if _size(folder) > most else 0)
                    if time.monotonic() > deadline:
                        raise DependencyError(
                            f"The project's packages were not installed within {INSTALL_SECONDS:.0f} seconds."
                        )
            finally:
                process.kill()
            if process.returncode:
                complaint.seek(0)
                raise DependencyError(f"The project's packages cannot be installed: {_last_words(complaint.read())}")

    def _pip(self, *, for_other_users: bool) -> tuple[list[str], dict[str, str]] | None:
        """How to start pip, and its environment. Root hands it to a user who may not reach our Python."""
        pip = find_spec("pip")
        if pip is None or pip.origin is None:
            return None
        folder = Path(pip.origin).parent
        python, environment = runtime.this_interpreter(), dict[str, str]()
        if for_other_users:
            stage = tiers.shared_stage(self._folder)
            python = runtime.for_any_user(stage, python)
            folder = runtime.packages_for_any_user(stage, folder)
        if python.library_path is not None:
            environment["LD_LIBRARY_PATH"] = python.library_path
        environment["PYTHONPATH"] = str(folder.parent)
        return [str(python.executable), "-S", "-B", "-P", "-m", "pip"], environment

    def _uv(self, *, for_other_users: bool) -> list[str]:
        uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
        if uv is None or (for_other_users and not runtime.reachable(Path(uv))):
            raise DependencyError("This server has neither pip nor uv to install a project's packages with.")
        python = str(runtime.this_interpreter().executable)
        return [uv, "pip", "install", "--quiet", "--no-cache", "--python", python]

    def _shrink(self, *, keep: Path) -> None:
        """Forget what was used longest ago until the cache fits."""
        found = sorted(
            (path for path in self._folder.iterdir() if (path / ".complete").exists()), key=lambda p: p.stat().st_mtime
        )
        sizes = {path: sum(file.lstat().st_size for file in path.rglob("*")) for path in found}
        total = sum(sizes.values())
        for path in found:
            if total <= self._settings.dependency_cache_bytes or path == keep:
                continue
            total -= sizes[path]
            shutil.rmtree(path, ignore_errors=True)


def cache_key(lock: str) -> str:
    """Lock, ABI, platform and protocol: whatever could make other files of it."""
    parts = (lock, sys.version, sysconfig.get_platform(), str(frames.VERSION), "1")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]


def parse_lock(text: str) -> list[str]:
    """The lock's requirements, without the platform's own; raises DependencyError naming the line.

    Only `name==version --hash=...` lines are taken: no URL, no path, no option that leads elsewhere.
    """
    requirements: list[str] = []
    joined = re.sub(r"\\\r?\n\s*", " ", text)
    for number, raw in enumerate(joined.splitlines(), 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if not line:
            continue
        match = _REQUIREMENT.match(line)
        if match is None:
            raise DependencyError(f"{LOCK} entry {number}: `{line[:80]}` is not `name==version --hash=sha256:...`.")
        rest = match.group(3)
        hashes = re.findall(r"--hash=sha(?:256|384|512):[0-9a-f]+", rest)
        marker = re.sub(r"--hash=\S+", "", rest).strip().removeprefix(";").strip()
        if not hashes:
            raise DependencyError(f"{LOCK} entry {number}: `{match.group(1)}` has no hash.")
        if "--" in marker or "@" in marker or "://" in marker:
            raise DependencyError(f"{LOCK} entry {number}: `{marker[:80]}` is not allowed here.")
        if re.sub(r"[-_.]+", "-", match.group(1)).lower() in _OURS:
            continue
        requirements.append(f"{match.group(1)}=={match.group(2)}{f' ; {marker}' if marker else ''} {' '.join(hashes)}")
    return requirements


def _size(folder: Path) -> int:
    """Bytes below `folder`, which somebody may be changing."""
    size = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                size += os.lstat(f"{place}/{name}").st_size
    return size


def _unpacked_size(wheel: Path) -> int:
    try:
        with zipfile.ZipFile(wheel) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (OSError, zipfile.BadZipFile) as error:
        raise DependencyError(f"`{wheel.name}` is no wheel.") from error


def _read(lock: Path) -> str:
    if lock.stat().st_size > LONGEST_LOCK:
        raise DependencyError(f"{LOCK} is longer than {LONGEST_LOCK} bytes.")
    try:
        return lock.read_text("utf-8")
    except UnicodeDecodeError:
        raise DependencyError(f"{LOCK} is no UTF-8 text.") from None


def _tidy(site: Path) -> None:
    for path in list(site.rglob("*")):
        if path.is_symlink():
            path.unlink()
    shutil.rmtree(site / "bin", ignore_errors=True)
    subprocess.run(
        [sys.executable, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(site)],
        check=False, capture_output=True, timeout=300, env={},
    )  # fmt: skip


def _give_back(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if os.geteuid() == 0:
            os.chown(path, 0, 0)
        path.chmod(0o755 if path.is_dir() else 0o644)


def _last_words(stderr: bytes) -> str:
    """The installer's complaint, without addresses (an index's may carry a password)."""
    text = re.sub(r"\w+://\S+", "<address>", stderr.decode("utf-8", "replace"))
    lines = [line.strip() for line in text.splitlines() if line.strip() and "WARNING" not in line]
    return " ".join(lines[-4:])[:500] or "the installer said nothing"
