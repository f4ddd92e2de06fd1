"""What travels in a task that runs a function, from whoever submits it (`flows`) to whoever runs it (`jobs`).

Versioned, so that the previous release's tasks still run; a newer version is refused.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import msgspec

from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.ids import EnvironmentId

VERSION = 1
SYNC_QUEUE = "sync"
ACTION_QUEUE = "action"


class UnknownPayloadError(DragomanError):
    """A task of a release newer than this process."""

    code = "script_internal_error"

    def __init__(self, version: object) -> None:
        super().__init__(f"A task of payload version {version!r}; this release knows up to {VERSION}.")


class SyncPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Run a sync. `cause`: schedule, trigger or start."""

    v: int = VERSION
    environment_id: int
    sync_id: UUID
    cause: str = "schedule"


class ActionPayload(msgspec.Struct, frozen=True, kw_only=True):
    """Run an action. `input` is JSON text; `reported`: an `async_action` webhook follows.
    `depth`: how many actions called each other to get here.
    """

    v: int = VERSION
    environment_id: int
    integration: str
    connection_row_id: int
    action: str
    operation_id: UUID
    input: str | None = None
    reported: bool = False
    max_attempts: int = 1
    depth: int = 0
    idempotent: bool = False


def as_payload(payload: SyncPayload | ActionPayload) -> dict[str, Any]:
    """The JSON object of a payload."""
    return msgspec.to_builtins(payload)


def read_sync(payload: Mapping[str, Any]) -> SyncPayload:
    return _read(payload, SyncPayload)


def read_action(payload: Mapping[str, Any]) -> ActionPayload:
    return _read(payload, ActionPayload)


def _read(payload: Mapping[str, Any], kind: type[Any]) -> Any:
    if payload.get("v") != VERSION:
        raise UnknownPayloadError(payload.get("v"))
    return msgspec.convert(payload, kind)


def environment_of(payload: SyncPayload | ActionPayload) -> EnvironmentId:
    return EnvironmentId(payload.environment_id)
