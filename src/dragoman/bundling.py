"""Pack a project into the archive that is deployed, and describe its functions.

The archive is the same bytes for the same files, so its sha256 is the deployment's id.
"""

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman.authoring.errors import DefinitionError

LOCK_NAME = "requirements.lock"
LARGEST_ARCHIVE = 20 * 1024 * 1024
LARGEST_UNPACKED = 100 * 1024 * 1024
_SKIP_FOLDERS = {"__pycache__", "node_modules", "venv", "env", "dist", "build", "tests", "test"}
_SKIP_ENDINGS = (".pyc", ".pyo", ".so.tmp", ".swp", ".key", ".pem", ".p12")
_SKIP_FILES = {"credentials.json", "requirements.in"}


@dataclass(frozen=True, slots=True)
class Bundle:
    """A project ready to deploy: `archive` is a tar.gz, `id` its sha256, `manifest` what its functions are."""

    archive: bytes
    manifest: dict[str, Any]
    id: str


def bundle_project(folder: str | os.PathLike[str]) -> Bundle:
    """Pack the project in `folder` and describe it; raises DefinitionError when it cannot be deployed.

    Hidden files, tests, virtual environments and key files stay out.
    """
    root = Path(folder).resolve()
    if not root.is_dir():
        raise DefinitionError(f"`{root}` is no folder.")
    manifest = manifest_of(root)
    if not manifest["functions"]:
        raise DefinitionError(f"No function found in `{root}`: decorate one with @sync or @action under `functions/`.")
    archive = pack(root)
    return Bundle(archive, manifest, hashlib.sha256(archive).hexdigest())


def pack(root: Path) -> bytes:
    """The project's files as tar.gz: sorted, without times, owners or modes of this machine."""
    raw = io.BytesIO()
    total = 0
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in files_of(root):
            data = path.read_bytes()
            total += len(data)
            if total > LARGEST_UNPACKED:
                raise DefinitionError(
                    f"The project holds more than {LARGEST_UNPACKED // 2**20} MB; is data among the code?"
                )
            entry = tarfile.TarInfo(path.relative_to(root).as_posix())
            entry.size, entry.mode, entry.mtime = len(data), 0o644, 0
            tar.addfile(entry, io.BytesIO(data))
    packed = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=packed, mode="wb", compresslevel=6, mtime=0) as out:
        out.write(raw.getvalue())
    archive = packed.getvalue()
    if len(archive) > LARGEST_ARCHIVE:
        raise DefinitionError(f"The packed project is larger than {LARGEST_ARCHIVE // 2**20} MB.")
    return archive


def unpack(archive: bytes, folder: Path) -> None:
    """Write an archive's files under `folder`; raises DefinitionError for anything but plain files inside it."""
    total = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
            for entry in tar:
                parts = entry.name.split("/")
                if entry.isdir():
                    continue
                if (
                    not entry.isreg()
                    or entry.name.startswith("/")
                    or ".." in parts
                    or "" in parts
                    or "\\" in entry.name
                ):
                    raise DefinitionError(
                        f"The archive holds `{entry.name}`, which is no plain file inside the project."
                    )
                total += entry.size
                if total > LARGEST_UNPACKED:
                    raise DefinitionError(f"The archive unpacks to more than {LARGEST_UNPACKED // 2**20} MB.")
                source = tar.extractfile(entry)
                assert source is not None
                target = folder.joinpath(*parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(source.read())
    except (tarfile.TarError, EOFError, OSError, UnicodeError, ValueError) as error:
        raise DefinitionError(f"The archive is no tar.gz of a project: {error}") from error


def files_of(root: Path) -> Iterator[Path]:
    """The project's files in a fixed order; links are not followed."""
    found: list[Path] = []
    for here, folders, names in os.walk(root):
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".")
            and name not in _SKIP_FOLDERS
            and not (Path(here) / name / "pyvenv.cfg").exists()
            and not name.endswith(".egg-info")
        )
        for name in names:
            path = Path(here) / name
            if name.startswith(".") or name in _SKIP_FILES or name.endswith(_SKIP_ENDINGS) or path.is_symlink():
                continue
            if path.is_file():
                found.append(path)
    yield from sorted(found, key=lambda path: path.relative_to(root).as_posix())


def manifest_of(root: Path, *, timeout: float = 120) -> dict[str, Any]:
    """Import the project in a process of its own and describe it; a DefinitionError has the author's traceback."""
    ran = subprocess.run(
        [sys.executable, "-P", "-B", "-m", "dragoman.bundling", str(root)],
        capture_output=True,
        timeout=timeout,
        check=False,
        cwd=root,
    )
    try:
        answer: dict[str, Any] = json.loads(ran.stdout.rpartition(b"\n")[2])
    except ValueError:
        detail = ran.stderr.decode("utf-8", "replace").strip()[-2000:]
        raise DefinitionError(f"The project could not be read (exit {ran.returncode}):\n{detail}") from None
    if "error" in answer:
        raise DefinitionError(str(answer["error"]))
    return answer["manifest"]


def differences(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """What two manifests disagree about, one line a place; empty when they say the same."""
    if ours.get("v") != theirs.get("v"):
        return [f"manifest version {ours.get('v')} against {theirs.get('v')}"]
    mine, other = _by_name(ours), _by_name(theirs)
    found = [f"{_label(key)} is only in the manifest sent" for key in sorted(mine.keys() - other.keys())]
    found += [f"{_label(key)} is missing in the manifest sent" for key in sorted(other.keys() - mine.keys())]
    for key in sorted(mine.keys() & other.keys()):
        names = sorted(mine[key].keys() | other[key].keys())
        found += [f"{_label(key)}: `{name}` differs" for name in names if mine[key].get(name) != other[key].get(name)]
    return found


def _by_name(manifest: dict[str, Any]) -> dict[tuple[str, str, str], dict[str, Any]]:
    return {(entry["integration"], entry["type"], entry["name"]): entry for entry in manifest.get("functions", [])}


def _label(key: tuple[str, str, str]) -> str:
    return f"{key[1]} `{key[2]}` of `{key[0]}`"


def _main() -> None:
    import contextlib

    from dragoman.authoring.discovery import add_to_path, describe_project

    root = Path(sys.argv[1])
    add_to_path(root)
    out = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer: dict[str, Any] = {"manifest": describe_project(root)}
        except DefinitionError as error:
            answer = {"error": str(error)}
    out.write("\n" + json.dumps(answer))


if __name__ == "__main__":
    _main()
