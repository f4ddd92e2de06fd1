"""The shapes of answers, as plain dictionaries with known keys. A newer server may add keys."""

from typing import Any, Literal, NotRequired, TypedDict

JSON = Any
"""Anything JSON can say."""


class Organization(TypedDict):
    id: str
    display_name: str | None


class EndUser(TypedDict):
    id: str
    email: str | None
    display_name: str | None
    tags: dict[str, str] | None
    organization: Organization | None


class ActiveError(TypedDict):
    type: Literal["auth", "sync"]
    log_id: str


class ConnectionSummary(TypedDict):
    id: int
    connection_id: str
    provider_config_key: str
    provider: str
    created: str
    metadata: dict[str, JSON] | None
    tags: dict[str, str]
    errors: list[ActiveError]
    end_user: EndUser | None


class Connection(TypedDict):
    id: int
    connection_id: str
    provider_config_key: str
    provider: str
    errors: list[ActiveError]
    end_user: EndUser | None
    metadata: dict[str, JSON] | None
    connection_config: dict[str, JSON]
    webhook_url_override: str | None
    tags: dict[str, str]
    created_at: str
    updated_at: str
    last_fetched_at: str | None
    credentials: dict[str, JSON]


class Integration(TypedDict):
    unique_key: str
    display_name: str
    provider: str
    logo: str
    created_at: str
    updated_at: str
    forward_webhooks: bool
    webhook_url: NotRequired[str | None]
    credentials: NotRequired[dict[str, JSON] | None]


class Provider(TypedDict):
    name: str
    display_name: str
    auth_mode: str
    logo_url: NotRequired[str]
    categories: NotRequired[list[str]]
    docs: NotRequired[str]


class ConnectSession(TypedDict):
    token: str
    connect_link: str
    expires_at: str


class RecordMetadata(TypedDict):
    first_seen_at: str
    last_modified_at: str
    last_action: Literal["ADDED", "UPDATED", "DELETED"]
    deleted_at: str | None
    pruned_at: str | None
    cursor: str


class RecordsPage(TypedDict):
    records: list[dict[str, JSON]]
    next_cursor: str | None


class PruneResult(TypedDict):
    count: int
    has_more: bool


class SyncStatus(TypedDict):
    id: str
    connection_id: str
    name: str
    variant: str
    type: str
    status: Literal["RUNNING", "PAUSED", "STOPPED", "SUCCESS", "ERROR"]
    finishedAt: NotRequired[str | None]
    nextScheduledSyncAt: str | None
    frequency: str | None
    latestResult: NotRequired[dict[str, dict[str, int]] | None]
    latestExecutionStatus: str | None
    recordCount: dict[str, int]
    checkpoint: dict[str, JSON] | None


class SyncOutcome(TypedDict):
    sync: str
    variant: str
    connection_id: str
    outcome: str


class SyncAnswer(TypedDict):
    success: bool
    results: list[SyncOutcome]


class AsyncAction(TypedDict):
    id: str
    statusUrl: str


class Variable(TypedDict):
    name: str
    value: str


class WebhookSettings(TypedDict):
    primary_url: str | None
    secondary_url: str | None
    on_auth_creation: bool
    on_auth_refresh_error: bool
    on_sync_completion_always: bool
    on_sync_error: bool
    on_async_action_completion: bool


class ConnectUiColours(TypedDict):
    primary: str


class ConnectUiTheme(TypedDict):
    light: ConnectUiColours
    dark: ConnectUiColours


class ConnectUiSettings(TypedDict):
    theme: ConnectUiTheme
    defaultTheme: Literal["light", "dark", "system"]
    showWatermark: bool
    allowed_embedding_origins: list[str]


class Environment(TypedDict):
    id: int
    name: str
    is_production: NotRequired[bool]


class ApiKey(TypedDict):
    id: int
    display_name: str
    scopes: list[str]
    secret: str
    created_at: str


class Function(TypedDict):
    id: int
    name: str
    type: Literal["sync", "action"]
    enabled: bool
    last_deployed: str
    description: NotRequired[str | None]
    json_schema: NotRequired[dict[str, JSON] | None]
    returns: NotRequired[list[str]]
    runs: NotRequired[str | None]


class LogKind(TypedDict):
    type: str
    action: str


class LogOperation(TypedDict):
    id: str
    operation: LogKind
    state: Literal["waiting", "running", "success", "failed", "timeout", "cancelled"]
    level: str
    created_at: str
    ended_at: str | None
    duration_ms: int | None
    provider_config_key: str | None
    connection_id: str | None
    sync_name: str | None
    function_name: str | None
    meta: dict[str, JSON]
    error: dict[str, JSON] | None


class LogMessage(TypedDict):
    id: str
    type: Literal["log", "http"]
    level: str
    source: Literal["internal", "user"]
    created_at: str
    message: str
    meta: dict[str, JSON]


class Cursor(TypedDict):
    cursor: str | None


class LogPage(TypedDict):
    data: list[LogOperation]
    pagination: Cursor


class MessagePage(TypedDict):
    data: list[LogMessage]
    pagination: Cursor


class DeliveryAttempt(TypedDict):
    number: int
    at: str
    status: int | None
    duration_ms: int
    error: str | None
    response_excerpt: str | None


class WebhookDelivery(TypedDict):
    id: str
    webhook_id: str
    type: str
    state: Literal["pending", "success", "failed"]
    url: str
    provider_config_key: str | None
    connection_id: str | None
    attempts: int
    last_status: int | None
    last_error: str | None
    destination_paused: bool
    redelivery_of: str | None
    created_at: str
    ended_at: str | None
    next_attempt_at: str | None
    body: NotRequired[str]
    history: NotRequired[list[DeliveryAttempt]]


class DeliveryPage(TypedDict):
    data: list[WebhookDelivery]
    pagination: Cursor


class TargetEnvironment(TypedDict):
    name: str
    is_production: bool


class DeploymentDifference(TypedDict):
    """What a deployment would change; each entry names the integration and the function."""

    newSyncs: list[dict[str, JSON]]
    updatedSyncs: list[dict[str, JSON]]
    deletedSyncs: list[dict[str, JSON]]
    newActions: list[dict[str, JSON]]
    updatedActions: list[dict[str, JSON]]
    deletedActions: list[dict[str, JSON]]
    newOnEventScripts: NotRequired[list[dict[str, JSON]]]
    updatedOnEventScripts: NotRequired[list[dict[str, JSON]]]
    deletedOnEventScripts: NotRequired[list[dict[str, JSON]]]
    deletedModels: list[str]
    environment: NotRequired[TargetEnvironment]
