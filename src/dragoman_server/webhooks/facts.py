"""Stories say what happened as an outbox fact, in the transaction in which it happened; `Webhooks.handle` acts on it.

`event` names the happening (an operation or run id): the same event is sent once, however often it is reported.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.outbox import Fact
from dragoman_server.webhooks import payloads
from dragoman_server.webhooks.payloads import EndUserInfo, SyncOutcome

KIND = "webhook"
BODY_VERSION = 1


@dataclass(frozen=True, slots=True)
class ConnectionRef:
    """The connection a message is about."""

    environment_id: EnvironmentId
    row_id: ConnectionRowId
    connection_id: str
    integration: str
    provider: str
    webhook_url_override: str | None = None


def fact_for(
    environment_id: EnvironmentId,
    event: str,
    payload: Mapping[str, Any],
    *,
    connection_row_id: ConnectionRowId | None = None,
    override: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Fact:
    """Return the fact that sends `payload`; the other builders come down to it."""
    body: dict[str, Any] = {"v": BODY_VERSION, "payload": payload, "connection_row_id": connection_row_id}
    if override:
        body["override"] = override
    if headers:
        body["headers"] = dict(headers)
    return Fact(KIND, environment_id, event, _storable(body))


def _fact(connection: ConnectionRef, event: str, payload: Mapping[str, Any]) -> Fact:
    return fact_for(
        connection.environment_id,
        event,
        payload,
        connection_row_id=connection.row_id,
        override=connection.webhook_url_override,
    )


def fact_for_auth(
    connection: ConnectionRef,
    event: str,
    *,
    auth_mode: str,
    environment: str,
    operation: str,
    success: bool,
    tags: Mapping[str, str] | None = None,
    end_user: EndUserInfo | None = None,
    error_type: str | None = None,
    error_description: str | None = None,
) -> Fact:
    """A connection was created, overridden, or its refresh failed (`operation`: creation, override, refresh)."""
    payload = payloads.auth_payload(
        connection_id=connection.connection_id,
        provider_config_key=connection.integration,
        provider=connection.provider,
        auth_mode=auth_mode,
        environment=environment,
        operation=operation,
        success=success,
        tags=tags,
        end_user=end_user,
        error_type=error_type,
        error_description=error_description,
    )
    return _fact(connection, f"auth:{operation}:{event}", payload)


def fact_for_sync(
    connection: ConnectionRef,
    event: str,
    *,
    sync_name: str,
    sync_variant: str,
    model: str,
    sync_type: str,
    modified_after: datetime,
    query_time: datetime,
    added: int,
    updated: int,
    deleted: int,
    checkpoint_from: Any = None,
    checkpoint_to: Any = None,
) -> Fact:
    """A run saved this model; make one fact per model. `sync_type`: INITIAL, INCREMENTAL or WEBHOOK."""
    outcome = SyncOutcome(
        connection.connection_id,
        connection.integration,
        sync_name,
        sync_variant,
        model,
        sync_type,
        checkpoint_from,
        checkpoint_to,
    )
    payload = payloads.sync_success_payload(
        outcome, modified_after=modified_after, query_time=query_time, added=added, updated=updated, deleted=deleted
    )
    return _fact(connection, f"sync:{event}:{model}", payload)


def fact_for_sync_error(
    connection: ConnectionRef,
    event: str,
    *,
    sync_name: str,
    sync_variant: str,
    model: str,
    sync_type: str,
    error_type: str,
    error_description: str,
    started_at: datetime,
    failed_at: datetime,
    status: int | None = None,
    additional_properties: Mapping[str, Any] | None = None,
    checkpoint_from: Any = None,
    checkpoint_to: Any = None,
) -> Fact:
    """A run failed; make one fact per model."""
    outcome = SyncOutcome(
        connection.connection_id,
        connection.integration,
        sync_name,
        sync_variant,
        model,
        sync_type,
        checkpoint_from,
        checkpoint_to,
    )
    payload = payloads.sync_error_payload(
        outcome,
        error_type=error_type,
        error_description=error_description,
        started_at=started_at,
        failed_at=failed_at,
        status=status,
        additional_properties=additional_properties,
    )
    return _fact(connection, f"sync:{event}:{model}", payload)


def fact_for_async_action(connection: ConnectionRef, event: str, *, action_id: str) -> Fact:
    """An asynchronous action has ended, either way."""
    payload = payloads.async_action_payload(
        connection_id=connection.connection_id, provider_config_key=connection.integration, action_id=action_id
    )
    return _fact(connection, f"async_action:{event}", payload)


def _storable(value: Any) -> Any:
    """Postgres' jsonb takes neither NUL nor lone surrogates."""
    match value:
        case str():
            return value.replace("\0", "").encode("utf-8", "replace").decode()
        case Mapping():
            return {_storable(str(k)): _storable(v) for k, v in cast("Mapping[Any, Any]", value).items()}
        case list() | tuple():
            return [_storable(v) for v in cast("list[Any]", value)]
        case _:
            return value
