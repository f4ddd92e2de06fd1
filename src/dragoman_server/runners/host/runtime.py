"""What every runner process needs to read: the interpreter, the SDK with the guest, and the base packages.

The SDK and the packages are staged as one folder per version; the interpreter is used where it is, or copied when the
runner's user could not reach it (a Python under a 0700 home).
"""

import hashlib
import os
import shutil
import stat
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import dragoman
import dragoman_server

BASE_PACKAGES = (
    "pydantic", "pydantic_core", "annotated_types", "typing_extensions", "typing_inspection", "msgspec",
)  # fmt: skip
SYSTEM_LIBRARIES = ("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/share/zoneinfo")
SYSTEM_FILES = ("/etc/ld.so.cache", "/etc/localtime")
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")

COPY_SECONDS = 7 * 86400


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python: its executable, and the folders it reads."""

    executable: Path
    folders: tuple[Path, ...]
    hidden: tuple[Path, ...]
    """Folders inside those that a runner has no business with."""
    library_path: str | None = None


@dataclass(frozen=True, slots=True)
class Runtime:
    """The staged folder: `sdk` holds dragoman and the guest, `base` pydantic and msgspec."""

    folder: Path
    interpreter: Interpreter

    @property
    def sdk(self) -> Path:
        return self.folder / "sdk"

    @property
    def base(self) -> Path:
        return self.folder / "base"


def boot_script(sdk: Path) -> Path:
    return sdk / "dragoman_server" / "runners" / "guest" / "boot.py"


def stage(cache: Path, *, for_other_users: bool) -> Runtime:
    """Make, or find, the staged runtime of this version; blocking (a second or two the first time)."""
    sources = dict(_sources())
    folder = cache / f"runtime-{_fingerprint(sources)}"
    if not folder.is_dir():
        making = cache / f".runtime-{os.getpid()}"
        shutil.rmtree(making, ignore_errors=True)
        for relative, source in sources.items():
            target = making / relative
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
        _compile(making)
        _open_to_all(making)
        _put(making, folder)
    interpreter = this_interpreter()
    return Runtime(folder, for_any_user(cache, interpreter) if for_other_users else interpreter)


def for_any_user(cache: Path, found: Interpreter) -> Interpreter:
    """`found` where every user can reach it, else a copy in `cache`."""
    if all(reachable(path) for path in (found.executable, *found.folders)):
        return found
    return _stage_interpreter(cache, found)


def packages_for_any_user(cache: Path, package: Path) -> Path:
    """A package's folder where every user can reach it, else a copy in `cache`."""
    if reachable(package):
        return package
    key = hashlib.sha256(f"{package}\0{package.stat().st_mtime_ns}".encode()).hexdigest()[:20]
    folder = cache / f"package-{key}"
    if not folder.is_dir():
        making = cache / f".package-{os.getpid()}"
        shutil.rmtree(making, ignore_errors=True)
        shutil.copytree(package, making / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        _open_to_all(making)
        _put(making, folder)
    return folder / package.name


def this_interpreter() -> Interpreter:
    executable = Path(os.path.realpath(getattr(sys, "_base_executable", sys.executable)))
    prefix = Path(sys.base_prefix).resolve()
    standard = Path(sysconfig.get_path("stdlib", vars={"base": str(prefix), "installed_base": str(prefix)})).resolve()
    if str(prefix) in {"/", "/usr"}:
        return Interpreter(executable, (standard,), (standard / "site-packages",))
    folders = [path for path in (prefix / "lib", prefix / "lib64") if path.is_dir() and not path.is_symlink()]
    if not any(standard.is_relative_to(folder) for folder in folders):
        folders.append(standard)
    return Interpreter(executable, tuple(folders), (standard / "site-packages",))


def reachable(path: Path) -> bool:
    """May any user of this machine read `path`?"""
    path = path.resolve()
    try:
        wanted = stat.S_IROTH | (stat.S_IXOTH if path.is_dir() else 0)
        if path.stat().st_mode & wanted != wanted:
            return False
        return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.parents)
    except OSError:
        return False


def copy_for(folder: Path, target: Path, owner: int | None) -> Path:
    """A copy of `folder` that only root and group `owner` may read; for a runner that has a user of its own."""
    if not target.is_dir():
        making = target.with_name(f".{target.name}-{os.getpid()}")
        shutil.rmtree(making, ignore_errors=True)
        making.mkdir(parents=True)
        for source in sorted(folder.rglob("*")):
            if source.is_symlink() or not source.is_file() or source.suffix == ".pyc":
                continue
            there = making / source.relative_to(folder)
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, there)
        for path in (making, *making.rglob("*")):
            path.chmod(0o750 if path.is_dir() else 0o640)
            if owner is not None:
                os.chown(path, 0, owner)
        _put(making, target)
    with suppress(OSError):
        os.utime(target)
    return target


def forget_old_copies(folder: Path) -> None:
    """Remove the copies nobody started a runner from for a week."""
    with suppress(OSError):
        for path in folder.iterdir():
            if time.time() - path.stat().st_mtime > COPY_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def _sources() -> Iterator[tuple[str, Path]]:
    sdk = Path(dragoman.__file__).parent
    server = Path(dragoman_server.__file__).parent
    for path in sorted(sdk.rglob("*.py")):
        relative = path.relative_to(sdk)
        if relative.parts[0] not in {"scaffold", "cli"}:
            yield f"sdk/dragoman/{relative}", path
    for name in ("__init__.py", "runners/__init__.py"):
        yield f"sdk/dragoman_server/{name}", server / name
    for path in sorted((server / "runners" / "guest").glob("*.py")):
        yield f"sdk/dragoman_server/runners/guest/{path.name}", path
    for name in BASE_PACKAGES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        origin = Path(spec.origin)
        if origin.name != "__init__.py":
            yield f"base/{origin.name}", origin
            continue
        for path in sorted(origin.parent.rglob("*")):
            if path.suffix in {".py", ".so", ".pyd"} and "mypy" not in path.name:
                yield f"base/{name}/{path.relative_to(origin.parent)}", path


def _fingerprint(sources: dict[str, Path]) -> str:
    digest = hashlib.sha256(f"{sys.version}".encode())
    for relative, source in sources.items():
        found = source.stat()
        digest.update(f"{relative}\0{source}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:20]


def _compile(folder: Path) -> None:
    subprocess.run(
        [sys.executable, "-I", "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", str(folder)],
        check=False,
        capture_output=True,
        timeout=120,
        env={},
    )


def _open_to_all(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)


def _put(making: Path, folder: Path) -> None:
    try:
        making.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
        shutil.rmtree(making, ignore_errors=True)  # another process was quicker


def _stage_interpreter(cache: Path, found: Interpreter) -> Interpreter:
    key = hashlib.sha256(
        f"{sys.version}\0{found.executable}\0{found.executable.stat().st_mtime_ns}".encode()
    ).hexdigest()[:20]
    folder = cache / f"python-{key}"
    if not folder.is_dir():
        making = cache / f".python-{os.getpid()}"
        shutil.rmtree(making, ignore_errors=True)
        (making / "bin").mkdir(parents=True)
        shutil.copy2(found.executable, making / "bin" / found.executable.name)
        for source in found.folders:
            shutil.copytree(source, making / source.name, ignore=_skip, symlinks=True, dirs_exist_ok=True)
        _open_links(making)
        _put(making, folder)
    return Interpreter(folder / "bin" / found.executable.name, (folder,), (), str(folder / "lib"))


def _skip(_: str, names: list[str]) -> set[str]:
    never = {"site-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip", "lib2to3", "pkgconfig"}
    return {name for name in names if name in never or name.endswith(".a") or name.startswith("config-")}


def _open_links(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & stat.S_IXUSR else 0o644)
