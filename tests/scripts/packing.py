"""Archives of any kind, also of those no honest tool makes."""

import io
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass

from dragoman_server.kit.ids import DeploymentId
from dragoman_server.scripts import deployment_id_of


@dataclass(frozen=True)
class Entry:
    name: str
    data: bytes = b""
    type: bytes = tarfile.REGTYPE
    link: str = ""


def pack(entries: Sequence[Entry]) -> bytes:
    """Return a tar.gz with exactly these entries."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        for entry in entries:
            info = tarfile.TarInfo(entry.name)
            info.type = entry.type
            info.linkname = entry.link
            info.size = len(entry.data)
            tar.addfile(info, io.BytesIO(entry.data))
    return out.getvalue()


def bundle(text: str, size: int = 10) -> tuple[DeploymentId, bytes]:
    """Return a small bundle and its id."""
    archive = pack([Entry("main.py", text.encode()), Entry("filler", b"x" * size)])
    return deployment_id_of(archive), archive
