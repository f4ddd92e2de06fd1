"""Giving up rights, by system calls: uid, limits, Landlock, seccomp. Each step raises OSError when it cannot be done.

The seccomp programs come compiled from the host; nothing here is optional once the host asked for it.
"""

# ruff: noqa: PTH112, PTH123 - a fresh fork pays for every page pathlib touches

import contextlib
import ctypes
import os
import resource
import struct
from collections.abc import Mapping, Sequence
from typing import Any

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP = 1, 4, 24
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_CAP_AMBIENT = 38, 22, 47
SECCOMP_MODE_FILTER = 2
LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 444, 445, 446

READ_FILE, READ_DIR, EXECUTE = 1 << 2, 1 << 3, 1 << 0
READ = READ_FILE | READ_DIR | EXECUTE
WRITE = (1 << 1) | (1 << 4) | (1 << 5) | (1 << 7) | (1 << 8) | (1 << 12)
"""Write, remove a folder or file, make a folder, file or link."""
_FILE_ONLY = (1 << 0) | (1 << 1) | (1 << 2) | (1 << 14) | (1 << 15)


def _check(result: int, what: str) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def _prctl(option: int, *values: int) -> None:
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    _check(_libc.prctl(option, *padded), f"prctl {option}")


def no_new_privileges() -> None:
    _prctl(PR_SET_NO_NEW_PRIVS, 1)


def hide_memory() -> None:
    """No process of the same user may read or trace this one, nor those it forks."""
    _prctl(PR_SET_DUMPABLE, 0)


def die_with_parent(parent: int) -> None:
    _prctl(PR_SET_PDEATHSIG, 9)
    if os.getppid() != parent:
        os._exit(1)


def drop_to(uid: int) -> None:
    """Become `uid` for good: no groups, no capabilities, none to regain."""
    for capability in range(64):
        if _libc.prctl(PR_CAPBSET_DROP, ctypes.c_ulong(capability), 0, 0, 0) < 0:
            break
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    if os.getresuid() != (uid, uid, uid):
        raise OSError(1, "the user could not be dropped")


Ceilings = Mapping[int, int]


def ceilings() -> Ceilings:
    """The limits this process has; those of a run never exceed them."""
    return {kind: resource.getrlimit(kind)[1] for kind in _LIMITED}


_LIMITED = (
    resource.RLIMIT_CPU, resource.RLIMIT_AS, resource.RLIMIT_FSIZE, resource.RLIMIT_NOFILE, resource.RLIMIT_CORE,
    resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE, resource.RLIMIT_NPROC,
)  # fmt: skip


def set_limits(limits: Mapping[str, Any], mapped_bytes: int, most: Ceilings) -> None:
    """The kernel's limits of one run."""
    cpu = max(1, int(limits["cpu_seconds"]))
    _limit(most, resource.RLIMIT_CPU, cpu, cpu + 1)
    _limit(most, resource.RLIMIT_AS, mapped_bytes + int(limits["memory_bytes"]))
    _limit(most, resource.RLIMIT_FSIZE, int(limits["file_bytes"]))
    _limit(most, resource.RLIMIT_NOFILE, int(limits["open_files"]))
    _limit(most, resource.RLIMIT_CORE, 0)
    _limit(most, resource.RLIMIT_MEMLOCK, 0)
    _limit(most, resource.RLIMIT_MSGQUEUE, 0)
    if limits.get("threads"):
        _limit(most, resource.RLIMIT_NPROC, int(limits["threads"]))


def _limit(most: Ceilings, kind: int, soft: int, hard: int | None = None) -> None:
    ceiling = most[kind]
    wanted = soft if hard is None else hard
    if ceiling != resource.RLIM_INFINITY:
        soft, wanted = min(soft, ceiling), min(wanted, ceiling)
    resource.setrlimit(kind, (soft, wanted))


def mapped_bytes() -> int:
    """Address space this process has now."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[0]) * resource.getpagesize()


def landlock_abi() -> int:
    """The kernel's Landlock version; 0 where it has none."""
    return max(0, _libc.syscall(LANDLOCK_CREATE, None, ctypes.c_size_t(0), ctypes.c_uint(1)))


def landlock(readable: Sequence[str], writable: Sequence[str], *, devices: Sequence[str] = ()) -> int:
    """Allow these paths and nothing else, no TCP, no signal or abstract socket to the outside; returns the ABI used."""
    rules = opened(readable, devices=devices)
    try:
        restrict_to(ruleset(rules, (), writable=writable))
    finally:
        for descriptor, _ in rules:
            os.close(descriptor)
    return landlock_abi()


Rule = tuple[int, bytes]
"""A path that is open, and what the kernel takes to allow it."""


def opened(readable: Sequence[str], *, devices: Sequence[str] = ()) -> list[Rule]:
    """Open what rulesets will allow to read, once for many; paths that are not there are left out."""
    handled = _handled(landlock_abi())
    rules = [_rule(path, READ, handled) for path in readable]
    rules += [_rule(path, READ_FILE | 1 << 1 | 1 << 15, handled) for path in devices]
    return [rule for rule in rules if rule is not None]


def ruleset(rules: Sequence[Rule], own: Sequence[str], *, writable: Sequence[str] = ()) -> int:
    """Make a ruleset of `rules`, the paths `own` to read and `writable` to write; it binds nobody yet."""
    abi = landlock_abi()
    if abi < 1:
        raise OSError(38, "this kernel has no Landlock")
    handled = _handled(abi)
    fields = struct.pack("QQQ", handled, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    made = _check(_libc.syscall(LANDLOCK_CREATE, fields, ctypes.c_size_t(size), ctypes.c_uint(0)), "landlock")
    try:
        for _, packed in rules:
            _allow(made, packed)
        for paths, access in ((own, READ), (writable, READ | WRITE | 1 << 14)):
            for path in paths:
                rule = _rule(path, access, handled)
                if rule is not None:
                    _allow(made, rule[1])
                    os.close(rule[0])
    except BaseException:
        os.close(made)
        raise
    return made


def restrict_to(made: int) -> None:
    """Bind this process, and all it starts, to a ruleset, and close it."""
    try:
        no_new_privileges()
        _check(_libc.syscall(LANDLOCK_RESTRICT, ctypes.c_int(made), ctypes.c_uint(0)), "landlock")
    finally:
        os.close(made)


def _handled(abi: int) -> int:
    return (1 << (13 if abi < 2 else 14 if abi < 3 else 15 if abi < 5 else 16)) - 1


def _rule(path: str, access: int, handled: int) -> Rule | None:
    try:
        found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, PermissionError, NotADirectoryError):
        return None
    if not os.path.isdir(path):
        access &= _FILE_ONLY
    return found, struct.pack("=Qi", access & handled, found)


_add_rule = ctypes.CFUNCTYPE(
    ctypes.c_long, ctypes.c_long, ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint, use_errno=True
)(("syscall", _libc))


def _allow(made: int, packed: bytes) -> None:
    if _add_rule(LANDLOCK_ADD, made, 1, packed, 0) < 0:
        _check(-1, "landlock's rule")


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


def seccomp(program: bytes) -> None:
    """Install a compiled filter; it holds for everything started from here, for good."""
    no_new_privileges()
    loaded = _Program(len(program) // 8, program)
    _check(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(loaded), 0, 0), "seccomp")


def close_all_but(*keep: int) -> None:
    """Close every descriptor above 2 but these."""
    last = 2
    for descriptor in sorted(keep):
        os.closerange(last + 1, descriptor)
        last = max(last, descriptor)
    with contextlib.suppress(OSError):
        os.closerange(last + 1, 65536)
