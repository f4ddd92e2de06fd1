"""The nouns of the logs: states, levels, kinds with their lifetimes, and what searches return."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, OperationId

T = TypeVar("T")


class State(StrEnum):
    """Where an operation stands; the last four are final."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCESS = "success"
    FAILED = "failed"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"


OPEN_STATES = frozenset({State.WAITING, State.RUNNING})


class Level(StrEnum):
    """How serious a message is."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


_HOUR = timedelta(hours=1)

LIFETIMES: Mapping[str, timedelta] = MappingProxyType(
    {
        "sync:run": 26 * _HOUR,
        "sync:init": _HOUR,
        "sync:pause": _HOUR,
        "sync:unpause": _HOUR,
        "sync:request_run": _HOUR,
        "sync:request_run_full": _HOUR,
        "sync:cancel": _HOUR,
        "sync:create_variant": _HOUR,
        "sync:delete_variant": _HOUR,
        "proxy:call": _HOUR,
        "action:run": 26 * _HOUR,
        "events:post_connection_creation": _HOUR,
        "events:pre_connection_deletion": _HOUR,
        "events:validate_connection": _HOUR,
        "auth:create_connection": _HOUR,
        "auth:refresh_token": _HOUR,
        "auth:revoke_token": _HOUR,
        "auth:post_connection": _HOUR,
        "auth:connection_test": _HOUR,
        "webhook:incoming": 2 * _HOUR,
        "webhook:forward": 48 * _HOUR,
        "webhook:sync": 48 * _HOUR,
        "webhook:async_action": 48 * _HOUR,
        "webhook:connection_create": 48 * _HOUR,
        "webhook:connection_refresh": 48 * _HOUR,
        "deploy:prebuilt": _HOUR,
        "deploy:custom": _HOUR,
        "admin:impersonation": _HOUR,
        "function:invoke": 26 * _HOUR,
    }
)
"""Every kind of operation, and how long one may stay open before it is timed out."""

DEFAULT_LIFETIME = 26 * _HOUR


@dataclass(frozen=True, slots=True)
class OperationView:
    """An operation as stored."""

    id: OperationId
    environment_id: EnvironmentId
    kind: str
    state: State
    level: Level
    at: datetime
    finished_at: datetime | None
    integration: str | None
    connection: str | None
    connection_row_id: ConnectionRowId | None
    sync: str | None
    function: str | None
    meta: Mapping[str, Any]
    error: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Message:
    """A line inside an operation: `type` is log or http, `source` internal or user."""

    id: str
    operation_id: OperationId
    at: datetime
    type: str
    level: Level
    source: str
    message: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OperationFilter:
    """What a search asks for; empty means any. `kinds` may hold a whole family (`sync`) or a kind (`sync:run`)."""

    text: str | None = None
    states: Sequence[State] = ()
    kinds: Sequence[str] = ()
    levels: Sequence[Level] = ()
    integrations: Sequence[str] = ()
    connections: Sequence[str] = ()
    syncs: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page, newest first; `cursor` asks for the next one, None when there is none."""

    items: Sequence[T]
    cursor: str | None
