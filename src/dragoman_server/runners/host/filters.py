"""The seccomp programs, compiled here and installed by whoever they bind.

`base` binds a zygote and all it starts, `child` each run on top, `guard` a sealed zygote that runs an author's
imports. Refused calls answer EPERM; calls newer than this list answer ENOSYS, as on an older kernel.
"""

import errno
import tempfile
from dataclasses import dataclass
from functools import cache

_NETWORK = ("connect", "bind", "listen", "accept", "accept4", "socketcall")
_OTHERS = (
    "ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "process_mrelease", "pidfd_getfd", "kcmp",
    "perf_event_open", "userfaultfd", "move_pages", "migrate_pages", "lookup_dcookie",
)  # fmt: skip
_MOUNTS = (
    "mount", "umount", "umount2", "pivot_root", "chroot", "move_mount", "open_tree", "fsopen", "fsconfig", "fsmount",
    "fspick", "mount_setattr", "name_to_handle_at", "open_by_handle_at", "fanotify_init", "quotactl", "quotactl_fd",
    "swapon", "swapoff",
)  # fmt: skip
_KERNEL = (
    "unshare", "setns", "bpf", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key",
    "request_key", "init_module", "finit_module", "delete_module", "kexec_load", "kexec_file_load", "reboot", "syslog",
    "acct", "settimeofday", "clock_settime", "clock_adjtime", "adjtimex", "sethostname", "setdomainname",
    "iopl", "ioperm", "modify_ldt", "vm86", "vm86old", "personality",
    "uselib", "ustat", "sysfs", "_sysctl", "nfsservctl", "vhangup",
    "memfd_secret",
)  # fmt: skip
_SHARED = (
    "shmget", "shmat", "shmctl", "shmdt", "msgget", "msgsnd", "msgrcv", "msgctl", "semget", "semop", "semctl",
    "semtimedop", "mq_open", "mq_unlink",
)  # fmt: skip
_SCHEDULING = (
    "setpriority", "ioprio_set", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_setaffinity", "nice",
)  # fmt: skip
_SIGNALS = ("kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal", "pidfd_open")
_PROCESSES = ("fork", "vfork", "execve", "execveat")
NEWEST_KNOWN = 450
"""Higher numbers did not exist when this list was made."""
_HARMLESS_NEW = {452, 454, 455, 456, 462}
"""fchmodat2, futex_wake, futex_wait, futex_requeue, mseal."""
_NAMESPACES = (0x00000080, 0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)
_CLONE_THREAD = 0x00010000
_AF_UNIX = 1
_DATAGRAMS = (2, 3)
"""SOCK_DGRAM, and SOCK_RAW, which is the same among Unix sockets."""
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_OWNERS, _OWNER_REQUESTS = (8, 10, 15), (0x8901, 0x8902)
"""F_SETOWN, F_SETSIG, F_SETOWN_EX; FIOSETOWN, SIOCSPGRP: a descriptor's owner is signalled without any kill."""
_PDEATHSIG, _DUMPABLE, _PTRACER = 1, 4, 0x59616D61


@dataclass(frozen=True, slots=True)
class Filters:
    """Compiled programs, as the kernel takes them."""

    base: bytes
    child: bytes
    guard: bytes


@cache
def compile_filters() -> Filters:
    """Compile all; raises OSError or ImportError where libseccomp is missing."""
    return Filters(_base(), _child(), _guard())


def _base() -> bytes:
    import pyseccomp as sc

    made = sc.SyscallFilter(sc.ALLOW)
    refuse, unknown = sc.ERRNO(errno.EPERM), sc.ERRNO(errno.ENOSYS)
    for name in (*_NETWORK, *_OTHERS, *_MOUNTS, *_KERNEL, *_SHARED, *_SCHEDULING):
        _add(made, refuse, name)
    _add(made, refuse, "socket")
    _add(made, refuse, "socketpair", sc.Arg(0, sc.NE, _AF_UNIX))
    for kind in _DATAGRAMS:  # an end of a datagram pair can send to any path or abstract name
        _add(made, refuse, "socketpair", sc.Arg(1, sc.MASKED_EQ, 0xF, kind))
    for flag in _NAMESPACES:
        _add(made, refuse, "clone", sc.Arg(0, sc.MASKED_EQ, flag, flag))
    _add(made, unknown, "clone3")
    for request in (_TIOCSTI, _TIOCLINUX):
        _add(made, refuse, "ioctl", sc.Arg(1, sc.MASKED_EQ, 0xFFFFFFFF, request))
    _add(made, refuse, "prlimit64", sc.Arg(0, sc.NE, 0))
    for number in range(NEWEST_KNOWN, 700):
        if number not in _HARMLESS_NEW:
            _add(made, unknown, number)
    return _export(made)


def _child() -> bytes:
    """A run starts threads but no processes, signals nobody, outlives nobody, and cannot loosen its own ties."""
    import pyseccomp as sc

    made = sc.SyscallFilter(sc.ALLOW)
    refuse = sc.ERRNO(errno.EPERM)
    for name in (*_SIGNALS, *_PROCESSES):
        _add(made, refuse, name)
    _add(made, refuse, "clone", sc.Arg(0, sc.MASKED_EQ, _CLONE_THREAD, 0))
    for option in (_PDEATHSIG, _DUMPABLE, _PTRACER):
        _add(made, refuse, "prctl", sc.Arg(0, sc.EQ, option))
    for command in _OWNERS:
        _add(made, refuse, "fcntl", sc.Arg(1, sc.EQ, command))
    for request in _OWNER_REQUESTS:
        _add(made, refuse, "ioctl", sc.Arg(1, sc.MASKED_EQ, 0xFFFFFFFF, request))
    return _export(made)


def _guard() -> bytes:
    import pyseccomp as sc

    made = sc.SyscallFilter(sc.ALLOW)
    for option in (_PDEATHSIG, _PTRACER):
        _add(made, sc.ERRNO(errno.EPERM), "prctl", sc.Arg(0, sc.EQ, option))
    for name in ("execve", "execveat"):
        _add(made, sc.ERRNO(errno.EPERM), name)
    return _export(made)


def _add(made: "object", action: int, syscall: str | int, *args: object) -> None:
    try:
        made.add_rule(action, syscall, *args)  # type: ignore[attr-defined]
    except OSError:
        if not isinstance(syscall, str):
            raise
        # libseccomp of this machine does not know the call: by number it is refused above NEWEST_KNOWN
    except ValueError:
        return


def _export(made: "object") -> bytes:
    with tempfile.TemporaryFile() as file:
        made.export_bpf(file)  # type: ignore[attr-defined]
        file.seek(0)
        return file.read()
