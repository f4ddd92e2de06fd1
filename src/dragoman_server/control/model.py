"""The nouns of the control plane."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from dragoman_server.control.frequency import describe_interval
from dragoman_server.kit.ids import (
    AccountId,
    ConnectionRowId,
    DeploymentId,
    EnvironmentId,
    IntegrationId,
    OperationId,
    RunId,
    SyncId,
)

BASE_VARIANT = "base"

FunctionType = Literal["sync", "action", "on-event"]
KeyKind = Literal["environment", "account"]
RunState = Literal["running", "success", "failed", "cancelled", "interrupted"]
ErrorType = Literal["auth", "sync"]


@dataclass(frozen=True, slots=True)
class Account:
    id: AccountId
    uuid: UUID
    name: str


@dataclass(frozen=True, slots=True)
class WebhookSettings:
    """Where an environment's webhooks go and which of them are sent."""

    primary_url: str | None = None
    secondary_url: str | None = None
    on_auth_creation: bool = True
    on_auth_refresh_error: bool = True
    on_sync_completion_always: bool = False
    on_sync_error: bool = True
    on_async_action_completion: bool = True


@dataclass(frozen=True, slots=True)
class Environment:
    id: EnvironmentId
    uuid: UUID
    account_id: AccountId
    name: str
    is_production: bool
    webhooks: WebhookSettings = WebhookSettings()
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What else the dashboard stores: callback URL, Connect UI theme and the like. No secrets."""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    id: int
    kind: KeyKind
    account_id: AccountId
    environment_id: EnvironmentId | None
    display_name: str
    scopes: frozenset[str]
    last_used_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Integration:
    """A provider set up in an environment; its developer app's secrets come from `Integrations.credentials`."""

    id: IntegrationId
    uuid: UUID
    environment_id: EnvironmentId
    unique_key: str
    provider: str
    display_name: str | None
    created_at: datetime
    updated_at: datetime
    forward_webhooks: bool
    config: Mapping[str, str]
    custom: Mapping[str, str] = field(repr=False)
    allowed_origins: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Organization:
    id: str
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class EndUser:
    """The customer's user a connection belongs to."""

    id: str
    email: str | None = None
    display_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    organization: Organization | None = None

    def public(self) -> dict[str, Any]:
        """The shape of the wire."""
        organization = self.organization
        return {
            "id": self.id,
            "email": self.email,
            "display_name": self.display_name,
            "tags": dict(self.tags) or None,
            "organization": None
            if organization is None
            else {"id": organization.id, "display_name": organization.display_name},
        }


@dataclass(frozen=True, slots=True)
class Connection:
    """A customer's user's link to a provider. Its credentials live in `connect`."""

    id: ConnectionRowId
    uuid: UUID
    environment_id: EnvironmentId
    integration_id: IntegrationId
    integration_key: str
    provider: str
    connection_id: str
    connection_config: Mapping[str, Any]
    metadata: Mapping[str, Any] | None
    tags: Mapping[str, str]
    end_user: EndUser | None
    webhook_url_override: str | None
    errors: Sequence[Mapping[str, str]]
    created_at: datetime
    updated_at: datetime
    last_fetched_at: datetime | None
    pending: bool = False
    """It waits for its installation: there is no credential yet."""


@dataclass(frozen=True, slots=True)
class ConnectionFilter:
    """What GET /connections may ask; everything given must hold."""

    connection_id: str | None = None
    search: str | None = None
    integration_keys: Sequence[str] = ()
    end_user_id: str | None = None
    end_user_organization_id: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    with_errors: bool = False
    limit: int = 10_000
    page: int = 0


@dataclass(frozen=True, slots=True)
class Deployment:
    id: DeploymentId
    environment_id: EnvironmentId
    created_at: datetime
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """SDK version, source, who: whatever the deploying side says about itself."""


@dataclass(frozen=True, slots=True)
class FunctionSpec:
    """A function as a deployment declares it. `manifest` is the SDK's, recomputed in the sandbox."""

    integration_key: str
    name: str
    type: FunctionType
    manifest: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class FunctionVersion:
    """A function's active version. `id`, `enabled` and `frequency_override` survive redeployments."""

    id: int
    environment_id: EnvironmentId
    integration_key: str
    name: str
    type: FunctionType
    deployment_id: DeploymentId
    manifest: Mapping[str, Any]
    enabled: bool
    last_deployed: datetime
    frequency_override: str | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Difference:
    """What a deployment changes."""

    new: Sequence[FunctionSpec] = ()
    updated: Sequence[FunctionVersion] = ()
    """As they were before."""
    unchanged: Sequence[FunctionVersion] = ()
    deleted: Sequence[FunctionVersion] = ()
    deleted_models: Sequence[str] = ()
    deleted_syncs: Sequence[SyncId] = ()
    """Syncs that went with their function; only known once deployed."""


@dataclass(frozen=True, slots=True)
class Sync:
    """One sync function of one connection in one variant. `paused` is what the user wants; `enabled` the function's."""

    id: SyncId
    environment_id: EnvironmentId
    connection_row_id: ConnectionRowId
    connection_id: str
    integration_key: str
    function_id: int
    function_name: str
    variant: str
    paused: bool
    frequency_override: str | None
    created_at: datetime
    function: FunctionVersion

    @property
    def frequency(self) -> str | None:
        """The frequency that counts: the connection's, else the function's override, else the code's; None: by hand."""
        return self.frequency_override or self.function.frequency_override or declared_frequency(self.function.manifest)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a function; its id is the orchestrator's task id."""

    id: RunId
    environment_id: EnvironmentId
    sync_id: SyncId | None
    connection_row_id: ConnectionRowId | None
    function_name: str
    kind: str
    attempt: int
    state: RunState
    started_at: datetime
    finished_at: datetime | None
    result: Mapping[str, Any]
    checkpoint_from: Any
    checkpoint_to: Any
    error: Mapping[str, Any] | None
    operation_id: OperationId | None


@dataclass(frozen=True, slots=True)
class RunStart:
    """An attempt that begins."""

    id: RunId
    environment_id: EnvironmentId
    function_name: str
    kind: str
    attempt: int = 1
    sync_id: SyncId | None = None
    connection_row_id: ConnectionRowId | None = None
    checkpoint_from: Any = None
    operation_id: OperationId | None = None


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How an attempt ended."""

    id: RunId
    environment_id: EnvironmentId
    attempt: int
    state: RunState
    result: Mapping[str, Any] = field(default_factory=dict[str, Any])
    checkpoint_to: Any = None
    error: Mapping[str, Any] | None = None


def declared_frequency(manifest: Mapping[str, Any]) -> str | None:
    """The frequency in a sync's manifest; None when it only runs on demand."""
    seconds = manifest.get("interval_seconds")
    if isinstance(seconds, int | float) and seconds >= 1:
        return describe_interval(timedelta(seconds=int(seconds)))
    found = manifest.get("frequency") or manifest.get("runs")
    return found if isinstance(found, str) else None


def declared_auto_start(manifest: Mapping[str, Any]) -> bool:
    """Whether a sync starts by itself once its connection exists."""
    return manifest.get("auto_start") is not False


def declared_models(manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """The models a sync saves; none for an action."""
    return tuple(manifest.get("models") or ())
