"""The nouns of outbound webhooks."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NewType, TypeVar

from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId

T = TypeVar("T")

DeliveryId = NewType("DeliveryId", uuid.UUID)


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """A delivery to be made of a fact."""

    id: DeliveryId
    environment_id: EnvironmentId
    message_id: str
    url: str
    type: str
    integration: str | None
    connection: str | None
    connection_row_id: ConnectionRowId | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery this process may send now; `attempt` fences it."""

    id: DeliveryId
    environment_id: EnvironmentId
    message_id: str
    destination_id: int
    url: str
    type: str
    integration: str | None
    connection: str | None
    connection_row_id: ConnectionRowId | None
    attempt: int


@dataclass(frozen=True, slots=True)
class Result:
    """How one attempt went and what follows."""

    delivery: Claimed
    status: int | None
    duration_ms: int
    error: str | None
    excerpt: str | None
    state: str
    again_in: float | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as the customer sees it. `url` has no user info and no secret-looking parameters."""

    id: DeliveryId
    environment_id: EnvironmentId
    message_id: str
    url: str
    type: str
    integration: str | None
    connection: str | None
    connection_row_id: ConnectionRowId | None
    redelivery_of: DeliveryId | None
    state: str
    attempts: int
    created_at: datetime
    finished_at: datetime | None
    next_attempt_at: datetime | None
    last_status: int | None
    last_error: str | None
    paused: bool


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: the status or the error, and the first kilobyte of what was answered."""

    number: int
    at: datetime
    status: int | None
    duration_ms: int
    error: str | None
    excerpt: str | None


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """What a listing asks for; empty means any."""

    states: Sequence[str] = ()
    types: Sequence[str] = ()
    connections: Sequence[str] = ()
    integrations: Sequence[str] = ()
    message_id: str | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Newest first; `cursor` asks for the next page, None when there is none."""

    items: Sequence[T]
    cursor: str | None
