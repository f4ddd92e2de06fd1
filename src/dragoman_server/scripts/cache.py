"""Unpacked bundles on this machine: complete or absent, read-only, the least recently used leave first.

Blocking; call it in a thread. Many processes may share a folder: an entry appears by one rename.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from dragoman_server.scripts.archive import Limits, unpack

LEFTOVER_SECONDS = 3600.0
_SIZE = ".size"


class UnpackedCache:
    """Folders `<root>/<environment>/<deployment>`, with their size and last use beside them."""

    def __init__(
        self,
        root: Path,
        *,
        limits: Limits,
        max_bytes: int,
        idle_seconds: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._root = root
        self._limits = limits
        self._max_bytes = max_bytes
        self._idle = idle_seconds
        self._clock = clock

    def find(self, name: str) -> Path | None:
        """Return the folder and mark it used, or None."""
        path = self._root / name
        if not path.is_dir():
            return None
        try:
            os.utime(self._size_file(path), (self._clock(), self._clock()))
        except FileNotFoundError:
            return None
        return path

    def add(self, name: str, archive: bytes) -> Path:
        """Unpack, make it appear, then evict; raises InvalidArchiveError and leaves nothing behind."""
        path = self._root / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o755)
        staging = Path(tempfile.mkdtemp(prefix=".new-", dir=self._root))
        try:
            staging.chmod(0o755)
            content = staging / "content"
            content.mkdir(mode=0o755)
            size = unpack(archive, content, self._limits)
            marker = self._size_file(path)
            marker.write_text(str(size))
            os.utime(marker, (self._clock(), self._clock()))
            content.chmod(0o755)  # renaming a folder writes its `..`
            try:
                content.rename(path)
            except OSError:
                if not path.is_dir():
                    raise
            path.chmod(0o555)
        finally:
            _remove(staging)
        return path

    def evict(self, pinned: Collection[str] = ()) -> int:
        """Remove idle entries, the longest unused first, until the rest fits; return how many. Pinned ones stay."""
        now = self._clock()
        entries: list[tuple[float, int, Path]] = []
        folders = [folder for folder in self._root.iterdir() if folder.name.isdigit()]
        for marker in [m for folder in folders for m in folder.iterdir() if m.name.endswith(_SIZE)]:
            try:
                entries.append((marker.stat().st_mtime, int(marker.read_text() or 0), marker))
            except (FileNotFoundError, ValueError):
                continue
        total = sum(size for _, size, _ in entries)
        removed = 0
        for used_at, size, marker in sorted(entries):
            if total <= self._max_bytes:
                break
            folder = marker.with_name(marker.name.removesuffix(_SIZE))
            if f"{folder.parent.name}/{folder.name}" in pinned or now - used_at < self._idle:
                continue
            self.remove(f"{folder.parent.name}/{folder.name}")
            total -= size
            removed += 1
        for leftover in self._root.glob(".new-*"):
            with suppress(FileNotFoundError):  # its owner has just finished
                if now - leftover.stat().st_mtime > LEFTOVER_SECONDS:
                    _remove(leftover)
        return removed

    def remove(self, name: str) -> None:
        """Remove an entry; it disappears in one step."""
        path = self._root / name
        self._size_file(path).unlink(missing_ok=True)
        if not path.is_dir():
            return
        gone = Path(tempfile.mkdtemp(prefix=".new-", dir=self._root)) / "gone"
        try:
            path.chmod(0o755)
            path.rename(gone)
        except FileNotFoundError:  # another process was faster
            pass
        _remove(gone.parent)

    @staticmethod
    def _size_file(path: Path) -> Path:
        return path.with_name(path.name + _SIZE)


def _remove(folder: Path) -> None:
    for path, _, _ in os.walk(folder):
        Path(path).chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)
