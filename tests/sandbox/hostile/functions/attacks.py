"""What a hostile author would try. Each attack returns what it reached; an empty list means it reached nothing."""

# ruff: noqa: A002, PTH102, PTH112, PTH115, PTH119, PTH123, PTH208, SIM115
# pyright: basic, reportAttributeAccessIssue=false

import ctypes
import fcntl
import os
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from dragoman import ActionContext, action

libc = ctypes.CDLL(None, use_errno=True)
MARK = "POISON-4711"


def tried(*attempts: Callable[[], Any]) -> list[str]:
    reached: list[str] = []
    for number, attempt in enumerate(attempts):
        try:
            found = attempt()
        except Exception:
            continue
        if found not in (None, False, b"", "", [], -1):
            reached.append(f"{number}: {found!r:.200}")
    return reached


def syscall(number: int, *args: Any) -> Any:
    result = libc.syscall(ctypes.c_long(number), *args)
    return None if result < 0 else f"syscall {number} -> {result}"


def listing(path: str) -> list[str]:
    return os.listdir(path)


def other_pids() -> Iterable[int]:
    try:
        names = os.listdir("/proc")
    except OSError:
        names = [str(number) for number in [*range(1, 400), os.getppid(), *range(os.getpid() - 50, os.getpid() + 50)]]
    return [int(name) for name in names if name.isdigit() and int(name) not in (os.getpid(), 0)]


@action(integration="x")
def nothing(ctx: ActionContext) -> str:
    return "fine"


@action(integration="x")
def read_files(ctx: ActionContext, input: dict[str, Any]) -> list[str]:
    """The key file and its folder, the data folder, other deployments, the password file, the server's source."""
    reached: list[str] = []
    for path in input["paths"]:
        for prefix in (
            "",
            "/proc/self/root",
            "/proc/1/root",
            "/proc/self/cwd/../../../../../..",
            f"/proc/{os.getppid()}/root",
        ):
            full = prefix + path
            reached += tried(
                lambda full=full: (full, Path(full).read_bytes()[:50]),
                lambda full=full: (full, listing(full)),
                lambda full=full: (full, os.read(os.open(full, os.O_RDONLY | os.O_NOFOLLOW), 50)),
                lambda full=full: (full, os.open(full, os.O_WRONLY | os.O_CREAT | os.O_APPEND)),
            )
    return reached


@action(integration="x")
def connect_out(ctx: ActionContext, input: dict[str, Any]) -> list[str]:
    """TCP, UDP, IPv6, path and abstract sockets, by Python and by bare system calls."""

    def dial(family: int, kind: int, address: Any) -> Callable[[], Any]:
        def attempt() -> str:
            made = socket.socket(family, kind)
            made.settimeout(1)
            made.connect(address)
            return f"connected to {address}"

        return attempt

    port = input["port"]
    return tried(
        dial(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", port)),
        dial(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", port)),
        dial(socket.AF_INET6, socket.SOCK_STREAM, ("::1", port)),
        dial(socket.AF_UNIX, socket.SOCK_STREAM, input["socket"]),
        dial(socket.AF_UNIX, socket.SOCK_STREAM, "\0" + input["abstract"]),
        lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1),
        lambda: socket.socket(16, socket.SOCK_RAW, 0),
        lambda: socket.socketpair(socket.AF_INET),
        lambda: syscall(41, 2, 1, 0),
        lambda: syscall(41, 1, 1, 0),
        lambda: syscall(425, 8, ctypes.create_string_buffer(200)),
        lambda: socket.socketpair()[0].connect("\0" + input["abstract"]) or "connected by a pair",
        lambda: socket.socketpair()[0].bind("\0mine") or "bound a name",
        lambda: (
            socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b"x", input["datagram"])
            and "sent a datagram"
        ),
        lambda: (
            socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)[0].sendto(b"x", "\0" + input["abstract_datagram"])
            and "sent an abstract datagram"
        ),
    )


@action(integration="x")
def look_at_others(ctx: ActionContext) -> list[str]:
    """Memory, environment, descriptors and links of any other process, and the tracing calls."""
    reached: list[str] = []
    buffer = ctypes.create_string_buffer(64)
    for pid in other_pids():
        for name in ("environ", "mem", "maps", "auxv", "stack"):
            reached += tried(lambda pid=pid, name=name: (pid, name, open(f"/proc/{pid}/{name}", "rb").read(1)))
        reached += tried(
            lambda pid=pid: listing(f"/proc/{pid}/fd"),
            lambda pid=pid: os.readlink(f"/proc/{pid}/exe"),
            lambda pid=pid: syscall(101, 16, pid, 0, 0),
            lambda pid=pid: syscall(101, 0x4206, pid, 0, 0),
            lambda pid=pid: syscall(310, pid, ctypes.byref(buffer), 1, ctypes.byref(buffer), 1, 0),
            lambda pid=pid: syscall(434, pid, 0),
            lambda pid=pid: syscall(312, os.getpid(), pid, 0, 0, 0),
            lambda pid=pid: syscall(302, pid, 7, ctypes.create_string_buffer(16), None),
            lambda pid=pid: os.sched_setaffinity(pid, {0}) or "set an affinity",
        )
    return reached


@action(integration="x")
def find_secrets(ctx: ActionContext, input: dict[str, Any]) -> list[str]:
    """A secret of the server's environment or command line, wherever text can be read."""
    needle = input["needle"]
    places = ["/proc/self/environ", "/proc/1/environ", "/proc/self/cmdline", "/proc/1/cmdline"]
    for pid in other_pids():
        places += [f"/proc/{pid}/environ", f"/proc/{pid}/cmdline"]
    reached = [f"environment {name}" for name, value in os.environ.items() if needle in value or "DRAGOMAN" in name]
    for place in places:
        try:
            text = Path(place).read_bytes()
        except OSError:
            continue
        if needle.encode() in text:
            reached.append(place)
    return reached


@action(integration="x")
def change_the_kernel(ctx: ActionContext) -> list[str]:
    """/proc/sys and /sys, mounts, namespaces, roots, modules, keys, clocks."""
    paths = [
        "/proc/sys/kernel/hostname",
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/vm/drop_caches",
        "/proc/sysrq-trigger",
    ]
    text = ctypes.create_string_buffer(b"tmpfs")
    place = ctypes.create_string_buffer(b"/tmp")
    return tried(
        *[lambda path=path: os.open(path, os.O_WRONLY) for path in paths],
        lambda: syscall(165, text, place, text, 0, 0),
        lambda: syscall(165, None, ctypes.create_string_buffer(b"/"), None, 32 | 4096, None),
        lambda: syscall(165, None, ctypes.create_string_buffer(b"/proc"), None, 32, None),
        lambda: syscall(166, ctypes.create_string_buffer(b"/proc"), 2),
        lambda: syscall(272, 0x10000000),
        lambda: syscall(272, 0x00020000),
        lambda: syscall(308, 0, 0),
        lambda: syscall(161, place),
        lambda: syscall(155, place, place),
        lambda: syscall(428, -100, place, 0),
        lambda: syscall(430, text, 0),
        lambda: syscall(442, -100, place, 0, ctypes.create_string_buffer(64), 32),
        lambda: syscall(467, -100, place, 0),
        lambda: syscall(321, 0, ctypes.create_string_buffer(64), 64),
        lambda: syscall(248, text, text, text, 1, -3),
        lambda: syscall(250, 0, -3, 1),
        lambda: syscall(323, 1),
        lambda: syscall(298, ctypes.create_string_buffer(128), 0, -1, -1, 0),
        lambda: syscall(56, 0x10000000 | 17, 0, 0, 0, 0),
        lambda: syscall(435, ctypes.create_string_buffer(88), 88),
        lambda: os.setuid(0) or "became root",
        lambda: os.setgroups([0]) or "joined root's group",
        lambda: libc.prctl(4, 1, 0, 0, 0) == 0 and "became readable",
        lambda: libc.prctl(1, 0, 0, 0, 0) == 0 and "outlives its parent",
    )


@action(integration="x")
def start_processes(ctx: ActionContext) -> list[str]:
    import subprocess

    def forked() -> str:
        pid = os.fork()
        if pid == 0:
            os._exit(0)
        return f"forked {pid}"

    return tried(
        forked,
        lambda: subprocess.run([sys.executable, "-c", "pass"], check=False).returncode == 0 and "started python",
        lambda: os.posix_spawn("/bin/true", ["true"], {}),
        lambda: syscall(57),
        lambda: syscall(56, 17, 0, 0, 0, 0),
    )


@action(integration="x")
def replace_itself(ctx: ActionContext) -> list[str]:
    return tried(
        lambda: os.execv(sys.executable, [sys.executable, "-c", "pass"]),
        lambda: os.execv("/bin/true", ["true"]),
        lambda: syscall(322, os.open(sys.executable, os.O_RDONLY), b"", None, None, 0x1000),
    )


@action(integration="x")
def start_threads(ctx: ActionContext) -> int:
    """As many threads as the limits allow; the machine must survive it."""
    count = 0
    stop = threading.Event()
    try:
        for _ in range(20000):
            threading.Thread(target=stop.wait, daemon=True).start()
            count += 1
    except (RuntimeError, MemoryError):
        pass
    stop.set()
    return count


@action(integration="x")
def signal_others(ctx: ActionContext) -> list[str]:
    reached: list[str] = []
    for pid in [*other_pids(), os.getppid(), 1, -1, 0]:
        reached += tried(
            lambda pid=pid: os.kill(pid, 0) or f"signalled {pid}",
            lambda pid=pid: os.kill(pid, signal.SIGKILL) or f"killed {pid}",
            lambda pid=pid: syscall(200, pid, 9),
            lambda pid=pid: syscall(129, pid, 9, ctypes.create_string_buffer(128)),
        )
    mine, _ = socket.socketpair()
    for pid in {*other_pids(), os.getppid(), 1} - {0}:
        reached += tried(
            lambda pid=pid: f"owner of a descriptor: {pid} {fcntl.fcntl(mine, 8, pid)}",
            lambda pid=pid: f"owner of a descriptor: {pid} {fcntl.fcntl(mine, 15, struct.pack('ii', 1, pid))}",
            lambda pid=pid: f"owner of a descriptor: {pid} {fcntl.ioctl(mine, 0x8901, struct.pack('i', pid))}",
            lambda pid=pid: f"owner of a descriptor: {pid} {fcntl.ioctl(mine, 0x8902, struct.pack('i', pid))}",
        )
    return [*reached, *tried(lambda: f"signal of a descriptor: {fcntl.fcntl(mine, 10, 9)}")]


@action(integration="x")
def leave_traces(ctx: ActionContext, input: dict[str, Any]) -> list[str]:
    """Whatever the next run of this deployment could meet."""
    import builtins
    import json

    builtins.poisoned = MARK
    json.loads = lambda *_: MARK
    sys.modules["poison"] = sys
    os.environ["POISON"] = MARK
    os.umask(0)
    folders = ["/tmp", "/dev/shm", "/var/tmp", "/dragoman/bundle", "/dragoman/sdk", "/", "/dev", *input["folders"]]
    shared = [lambda folder=folder: open(f"{folder}/poison", "w").write(MARK) for folder in folders]
    return tried(
        *shared,
        lambda: syscall(29, 4711, 4096, 0o1666),
        lambda: syscall(68, 4711, 0o1666),
        lambda: syscall(64, 4711, 1, 0o1666),
        lambda: syscall(240, ctypes.create_string_buffer(b"poison"), 0o102, 0o666, None),
        lambda: os.mkfifo("/tmp/poison-fifo") or "made a pipe",
        lambda: os.link("/tmp/x", "/tmp/y"),
    )


@action(integration="x")
def find_traces(ctx: ActionContext, input: dict[str, Any]) -> list[str]:
    import builtins
    import json

    folders = ["/tmp", "/dev/shm", "/var/tmp", "/dragoman/bundle", *input["folders"]]
    reached = tried(
        lambda: builtins.poisoned,
        lambda: sys.modules["poison"] and "module",
        lambda: os.environ["POISON"],
        *[lambda folder=folder: open(f"{folder}/poison").read() for folder in folders],
    )
    return reached + (["json"] if json.loads("1") != 1 else [])


@action(integration="x")
def read_descriptors(ctx: ActionContext) -> list[str]:
    """Descriptors above the standard ones other than the run's own socket and the loop's pollers."""
    reached: list[str] = []
    sockets = 0
    for number in range(3, 1024):
        try:
            found = os.fstat(number)
        except OSError:
            continue
        if found.st_mode & 0o170000 == 0o140000:
            sockets += 1
        else:
            reached.append(f"{number}: mode {found.st_mode:o}")
    return reached + ([f"{sockets} sockets"] if sockets != 1 else [])


@action(integration="x")
def hold_a_secret(ctx: ActionContext) -> str:
    """A sibling with something worth stealing in its scratch folder, its memory and its environment."""
    home = os.environ.get("TMPDIR", "/nowhere")
    if os.path.isdir(home):
        Path(home, "secret").write_text("SIBLING-SECRET")
    os.environ["SIBLING"] = "SIBLING-SECRET"
    time.sleep(3)
    return home


@action(integration="x")
def steal_from_siblings(ctx: ActionContext) -> list[str]:
    reached: list[str] = []
    for number in range(1, 400):
        if f"/tmp/run-{number}" != os.environ.get("TMPDIR"):
            reached += tried(
                lambda number=number: listing(f"/tmp/run-{number}"),
                lambda number=number: open(f"/tmp/run-{number}/secret").read(),
            )
    return reached + tried(lambda: [name for name in listing("/tmp") if name != os.path.basename(os.environ["TMPDIR"])])


@action(integration="x")
def spin(ctx: ActionContext) -> None:
    for number in range(1, 65):
        try:
            signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError):
            continue
    while True:
        pass


@action(integration="x")
def sleep_on(ctx: ActionContext) -> None:
    while True:
        time.sleep(60)


@action(integration="x")
def eat_memory(ctx: ActionContext) -> int:
    eaten = []
    while True:
        eaten.append(bytearray(16 * 1024 * 1024))


@action(integration="x")
def long_answer(ctx: ActionContext) -> str:
    return "x" * (3 * 1024 * 1024)


@action(integration="x")
def flood_the_log(ctx: ActionContext) -> str:
    for _ in range(2000):
        ctx.log("x" * 10_000)
    return "done"


@action(integration="x")
def write_files(ctx: ActionContext) -> dict[str, int]:
    """One file without end, then files without end, then open ones without end."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    wrote = {"one": 0, "all": 0, "open": 0}
    home = os.environ.get("TMPDIR", "/tmp")
    try:
        with open(f"{home}/one", "wb") as file:
            for _ in range(1000):
                wrote["one"] += file.write(b"x" * 1024 * 1024)
                file.flush()
    except OSError:
        pass
    try:
        for number in range(1000):
            with open(f"{home}/{number}", "wb") as file:
                wrote["all"] += file.write(b"x" * 1024 * 1024)
    except OSError:
        pass
    held = []
    try:
        for _ in range(5000):
            held.append(open("/dev/null"))
    except OSError:
        pass
    wrote["open"] = len(held)
    return wrote


@action(integration="x")
def crash(ctx: ActionContext) -> None:
    ctypes.string_at(0)


@action(integration="x")
def talk_nonsense(ctx: ActionContext) -> None:
    """Bytes on the run's socket that are no frame."""
    for number in range(3, 64):
        try:
            os.write(number, b"\xff" * 4096)
        except OSError:
            continue
    time.sleep(60)
