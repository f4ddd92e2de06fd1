"""The key file: one base64 KEK a line, the current one first, readable by its owner only."""

import base64
import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from dragoman_server.vault.errors import KeyFileError
from dragoman_server.vault.keyring import KeyRing

HEADER = "# Dragoman's encryption keys, the current one first. Without them nothing stored can be read: back them up.\n"


def read_key_file(path: Path) -> KeyRing:
    """Return the ring in `path`; raise `KeyFileError` when it is missing, malformed or readable by others."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError as error:
        raise KeyFileError(f"There is no key file at {path}.") from error
    except OSError as error:
        raise KeyFileError(f"The key file {path} cannot be opened ({error.strerror}).") from error
    with os.fdopen(descriptor, encoding="ascii", errors="replace") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise KeyFileError(f"The key file {path} is not a regular file.")
        if status.st_mode & 0o077:
            raise KeyFileError(f"The key file {path} can be read by others: run `chmod 600 {path}`.")
        if status.st_uid not in {os.geteuid(), 0}:
            raise KeyFileError(f"The key file {path} belongs to another user.")
        lines = file.read(65_536).splitlines()
    return KeyRing.parse(" ".join(line for line in lines if not line.startswith("#")))


def write_key_file(path: Path, ring: KeyRing | None = None) -> KeyRing:
    """Write `ring` (a new one by default) to `path` with mode 0600 and return it.

    The file is replaced at once and synced, so a crash leaves the old one or the new one. Without `ring` an existing
    file is never overwritten: `KeyFileError`.
    """
    fresh = ring is None
    ring = ring or KeyRing.generate()
    text = HEADER + "".join(base64.b64encode(key).decode() + "\n" for key in (ring.current, *ring.previous))
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if fresh:
            try:
                os.link(name, path)  # fails where rename would overwrite
            except FileExistsError as error:
                raise KeyFileError(f"There is a key file at {path} already.") from error
        else:
            os.replace(name, path)  # noqa: PTH105 (the pair of os.link above)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)  # noqa: PTH108
    _sync_folder(path.parent)
    return ring


def ensure_key_file(path: Path) -> KeyRing:
    """Return the ring in `path`, made now when the file is missing; safe with several processes at once."""
    if not path.exists():
        with suppress(KeyFileError):
            return write_key_file(path)
    return read_key_file(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
