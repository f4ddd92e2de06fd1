"""How a process keeps the memory it gave back: the C library's own rules suit one that allocates little."""

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_KEPT = 16 * 1024 * 1024
_OWN_MAPPING = 4 * 1024 * 1024
_mallopt = getattr(ctypes.CDLL(None), "mallopt", None)


def keep_freed() -> None:
    """Keep up to 16 MB that was freed, and make large buffers of it too.

    A sync's pages are half a megabyte each: glibc would map or grow memory for every one and give it back after, and
    the kernel would clear it anew, 500 page faults for a thousand records. Without glibc nothing changes.
    """
    if _mallopt is not None:
        _mallopt(_TRIM_THRESHOLD, _KEPT)
        _mallopt(_MMAP_THRESHOLD, _OWN_MAPPING)
