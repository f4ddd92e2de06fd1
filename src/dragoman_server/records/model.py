"""The nouns of the records part."""

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from uuid import UUID

from dragoman_server.kit.ids import ConnectionRowId, RunId

BASE_VARIANT = "base"


class Action(IntEnum):
    """What last happened to a record. Stored by number, sent by name."""

    ADDED = 1
    UPDATED = 2
    DELETED = 3


@dataclass(frozen=True, slots=True)
class Fence:
    """Who writes: an attempt of a run of an owner (a sync). Only the owner's current attempt may."""

    owner: UUID
    run_id: RunId
    attempt: int


@dataclass(frozen=True, slots=True)
class StreamKey:
    """Where records live. `connection_uuid` is what their payloads are sealed for."""

    connection_row_id: ConnectionRowId
    connection_uuid: UUID
    model: str
    variant: str = BASE_VARIANT

    @property
    def label(self) -> str:
        """The model as people see it: `Model`, or `Model::variant`."""
        return label_of(self.model, self.variant)


def label_of(model: str, variant: str) -> str:
    """Name a stream as people see it: `Model`, or `Model::variant`."""
    return model if variant == BASE_VARIANT else f"{model}::{variant}"


@dataclass(frozen=True, slots=True)
class Stream:
    """A resolved stream: `key` for ever, `stream_id` until its contents are swapped."""

    key: int
    stream_id: int
    connection_uuid: UUID
    last_seq: int
    live: int
    bytes: int
    last_modified_at: datetime


class MergingStrategy(StrEnum):
    OVERRIDE = "override"
    IGNORE_IF_MODIFIED_AFTER_CURSOR = "ignore_if_modified_after_cursor"


@dataclass(frozen=True, slots=True)
class Merging:
    """How a save treats records that others changed: `cursor` is where the stream stood when the run asked for it."""

    strategy: MergingStrategy = MergingStrategy.OVERRIDE
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Where an owner got to: its checkpoint (JSON) and the checkpoint's version (0: never saved)."""

    checkpoint: bytes | None
    version: int


@dataclass(frozen=True, slots=True)
class SaveResult:
    """What a save did. `ignored`: left alone by the merging strategy. `missing`: ids an update did not find."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    ignored: int = 0
    checkpoint_version: int | None = None
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DeleteResult:
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class Totals:
    """What a run changed in a model."""

    added: int = 0
    updated: int = 0
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class StreamSize:
    """The live records of a stream and the bytes of all its payloads before sealing."""

    model: str
    variant: str
    live: int
    bytes: int
    last_modified_at: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the feed as ready JSON: `body` is `{"records":[…],"next_cursor":…}`."""

    body: bytes
    count: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Closed:
    """The end of a generation. `refused_empty`: the run saw nothing at all, so nothing was deleted."""

    deleted: int = 0
    refused_empty: bool = False


@dataclass(frozen=True, slots=True)
class Pruned:
    """How many payloads were emptied, and whether more could be."""

    count: int
    has_more: bool
