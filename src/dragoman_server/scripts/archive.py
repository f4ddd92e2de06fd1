"""Unpacking what a stranger packed: files and folders only, inside the target only, within limits, read-only.

Blocking; call it in a thread. The limits count what comes out of the decompressor, so a bomb ends at the limit.
"""

import gzip
import io
import os
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from dragoman_server.scripts.errors import InvalidArchiveError

_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one bundle may be."""

    archive_bytes: int = 64_000_000
    unpacked_bytes: int = 256_000_000
    file_bytes: int = 64_000_000
    entries: int = 10_000
    depth: int = 32
    name_bytes: int = 1000


class _Bounded(io.RawIOBase):
    """Counts what the decompressor gives and stops it at the limit."""

    def __init__(self, inner: IO[bytes], limit: int) -> None:
        self._inner = inner
        self._left = limit

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        data = self._inner.read(_CHUNK if size < 0 else min(size, _CHUNK))
        self._left -= len(data)
        if self._left < 0:
            raise InvalidArchiveError("it is too large when unpacked")
        return data


def unpack(archive: bytes, target: Path, limits: Limits) -> int:
    """Unpack a tar.gz into `target`, an empty folder of ours; return its size. Raises InvalidArchiveError.

    On an error the target holds part of it: remove it.
    """
    if len(archive) > limits.archive_bytes:
        raise InvalidArchiveError(f"it is larger than {limits.archive_bytes} bytes")
    seen: dict[tuple[str, ...], bool] = {}
    total = 0
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(archive)) as plain:
            # The headers of small files outweigh them; they are bounded with the entries.
            source = _Bounded(cast("IO[bytes]", plain), limits.unpacked_bytes + limits.entries * 2048)
            with tarfile.open(fileobj=cast("IO[bytes]", source), mode="r|", errorlevel=2) as tar:
                for member in tar:
                    if len(seen) >= limits.entries:
                        raise InvalidArchiveError(f"it holds more than {limits.entries} entries")
                    total += _place(tar, member, target, seen, limits)
                    if total > limits.unpacked_bytes:
                        raise InvalidArchiveError("it is too large when unpacked")
            while source.read():  # what follows the end mark is part of the bomb, too
                pass
    except (
        tarfile.TarError,
        zlib.error,
        EOFError,
        ValueError,
        OverflowError,
        RecursionError,
        gzip.BadGzipFile,
    ) as error:
        raise InvalidArchiveError("it is not a sound tar.gz") from error
    if not seen:
        raise InvalidArchiveError("it is empty")
    _seal(target)
    return total


def _place(
    tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path, seen: dict[tuple[str, ...], bool], limits: Limits
) -> int:
    parts = _safe_parts(member.name, limits)
    is_folder = member.isdir()
    if not is_folder and (not member.isreg() or member.issparse()):
        raise InvalidArchiveError("it holds something that is neither a file nor a folder")
    if not parts:
        if is_folder:  # `./`, as most tools write first
            return 0
        raise InvalidArchiveError("a file in it has no name")
    for depth in range(1, len(parts)):
        if not seen.setdefault(parts[:depth], True):
            raise InvalidArchiveError("a file in it is also a folder")
    if parts in seen and not (is_folder and seen[parts]):
        raise InvalidArchiveError("a name occurs twice in it")
    seen[parts] = is_folder
    path = target.joinpath(*parts)
    if is_folder:
        path.mkdir(parents=True, exist_ok=True)
        return 0
    if member.size > limits.file_bytes:
        raise InvalidArchiveError(f"a file in it is larger than {limits.file_bytes} bytes")
    path.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    if content is None:
        raise InvalidArchiveError("a file in it cannot be read")
    size = 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    with os.fdopen(handle, "wb") as out:
        while chunk := content.read(_CHUNK):
            size += len(chunk)
            out.write(chunk)
    if size != member.size:
        raise InvalidArchiveError("a file in it is cut short")
    return size


def _safe_parts(name: str, limits: Limits) -> tuple[str, ...]:
    try:
        raw = name.encode("utf-8")
    except UnicodeEncodeError:
        raise InvalidArchiveError("a name in it is not UTF-8") from None
    if len(raw) > limits.name_bytes:
        raise InvalidArchiveError("a name in it is too long")
    if name.startswith("/") or "\\" in name or ":" in name or any(ord(c) < 32 or ord(c) == 127 for c in name):
        raise InvalidArchiveError("a name in it is absolute or holds characters that no bundle may use")
    parts = tuple(p for p in name.split("/") if p not in {"", "."})
    if ".." in parts:
        raise InvalidArchiveError("a name in it leads outside")
    if len(parts) > limits.depth or any(len(p.encode()) > 255 for p in parts):
        raise InvalidArchiveError("a name in it is too long")
    return parts


def _seal(folder: Path) -> None:
    """Make everything readable by all (functions run as other users) and writable by nobody."""
    for path, _, names in os.walk(folder, topdown=False):
        for name in names:
            Path(path, name).chmod(0o444)
        Path(path).chmod(0o555)
