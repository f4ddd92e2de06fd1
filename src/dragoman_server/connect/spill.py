"""Answers in hand that the database could not take: sealed files in the data folder, replayed at start.

A file holds what transaction B writes, the credential sealed under its connection's key, so it is as safe as the table.
"""

import base64
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from dragoman_server.connect.model import CredentialKey, Renewal, Times
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.kit.telemetry import get_logger

log = get_logger("connect")
_VERSION = 1


class Spill:
    """One file per answer, written atomically with mode 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, renewal: Renewal) -> None:
        """Write it durably; a second write of the same answer changes nothing."""
        path = self._path(renewal)
        if path.exists():
            return
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        scratch = path.with_suffix(f".{os.getpid()}.tmp")
        descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.json.encode(_encode(renewal)))
            file.flush()
            os.fsync(file.fileno())
        scratch.rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, renewal: Renewal) -> None:
        self._path(renewal).unlink(missing_ok=True)

    def waiting(self) -> list[Renewal]:
        """Return what waits; a file that cannot be read is reported and left alone."""
        found: list[Renewal] = []
        if not self._folder.is_dir():
            return found
        for path in sorted(self._folder.glob("*.answer")):
            try:
                found.append(_decode(msgspec.json.decode(path.read_bytes())))
            except (OSError, ValueError, KeyError, TypeError) as error:
                log.warning("spilled_answer_unreadable", file=path.name, error=type(error).__name__)
        return found

    def _path(self, renewal: Renewal) -> Path:
        return self._folder / f"{renewal.holder}.answer"


def _encode(renewal: Renewal) -> dict[str, Any]:
    return {
        "v": _VERSION,
        "environment_id": renewal.key.environment_id,
        "connection": renewal.key.connection,
        "holder": str(renewal.holder),
        "used": base64.b64encode(renewal.used).decode(),
        "sealed": base64.b64encode(renewal.sealed).decode(),
        "grant": None if renewal.grant is None else base64.b64encode(renewal.grant).decode(),
        "issued_at": renewal.issued_at.isoformat(),
        "expires_at": _iso(renewal.expires_at),
        "stale_at": _iso(renewal.times.stale_at),
        "due_at": _iso(renewal.times.due_at),
        "learned_life": None if renewal.learned_life is None else renewal.learned_life.total_seconds(),
        "config": dict(renewal.config),
    }


def _decode(raw: dict[str, Any]) -> Renewal:
    if raw["v"] != _VERSION:
        raise ValueError("written by another version")
    learned = raw["learned_life"]
    return Renewal(
        key=CredentialKey(EnvironmentId(raw["environment_id"]), ConnectionRowId(raw["connection"])),
        holder=UUID(raw["holder"]),
        used=base64.b64decode(raw["used"]),
        sealed=base64.b64decode(raw["sealed"]),
        grant=None if raw["grant"] is None else base64.b64decode(raw["grant"]),
        issued_at=datetime.fromisoformat(raw["issued_at"]).astimezone(UTC),
        expires_at=_moment(raw["expires_at"]),
        times=Times(_moment(raw["stale_at"]), _moment(raw["due_at"])),
        learned_life=None if learned is None else timedelta(seconds=learned),
        config=raw["config"],
    )


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)
