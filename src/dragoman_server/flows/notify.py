"""What the customer is told, built from what happened. Pure: each function returns outbox facts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dragoman_server.control.model import Connection, EndUser, Sync
from dragoman_server.kit.ids import RunId
from dragoman_server.outbox import Fact
from dragoman_server.records.model import Totals
from dragoman_server.webhooks.facts import (
    ConnectionRef,
    fact_for_async_action,
    fact_for_auth,
    fact_for_sync,
    fact_for_sync_error,
)
from dragoman_server.webhooks.payloads import EndUserInfo


def reference(connection: Connection) -> ConnectionRef:
    return ConnectionRef(
        environment_id=connection.environment_id,
        row_id=connection.id,
        connection_id=connection.connection_id,
        integration=connection.integration_key,
        provider=connection.provider,
        webhook_url_override=connection.webhook_url_override,
    )


def sync_facts(
    *,
    connection: Connection,
    sync: Sync,
    run_id: RunId,
    totals: Mapping[str, Totals],
    models: Sequence[str],
    initial: bool,
    started_at: datetime,
    ended_at: datetime,
    checkpoint_from: Any,
    checkpoint_to: Any,
    error: Mapping[str, Any] | None,
) -> Sequence[Fact]:
    """One message a model: how many records changed, or how it failed."""
    told = reference(connection)
    common: dict[str, Any] = {
        "sync_name": sync.function_name,
        "sync_variant": sync.variant,
        "sync_type": "INITIAL" if initial else "INCREMENTAL",
        "checkpoint_from": checkpoint_from,
        "checkpoint_to": checkpoint_to,
    }
    if error is not None:
        upstream: Mapping[str, Any] = error.get("upstream") or {}
        return [
            fact_for_sync_error(
                told,
                str(run_id),
                model=model,
                error_type=str(error.get("code")),
                error_description=str(error.get("message")),
                started_at=started_at,
                failed_at=ended_at,
                status=upstream.get("status"),
                **common,
            )
            for model in models
        ]
    facts: list[Fact] = []
    for model in models:
        label = model if sync.variant == "base" else f"{model}::{sync.variant}"
        counted = totals.get(label) or totals.get(model) or Totals()
        facts.append(
            fact_for_sync(
                told,
                str(run_id),
                model=model,
                modified_after=started_at,
                query_time=started_at,
                added=counted.added,
                updated=counted.updated,
                deleted=counted.deleted,
                **common,
            )
        )
    return facts


def action_fact(connection: Connection, action_id: str) -> Fact:
    """An asynchronous action has ended."""
    return fact_for_async_action(reference(connection), action_id, action_id=action_id)


def auth_fact(
    connection: Connection,
    *,
    event: str,
    auth_mode: str,
    environment: str,
    operation: str,
    success: bool,
    error_type: str | None = None,
    error_description: str | None = None,
) -> Fact:
    """A connection was made, authorized again, or could not be refreshed."""
    return fact_for_auth(
        reference(connection),
        event,
        auth_mode=auth_mode,
        environment=environment,
        operation=operation,
        success=success,
        tags=connection.tags,
        end_user=_end_user(connection.end_user),
        error_type=error_type,
        error_description=error_description,
    )


def _end_user(end_user: EndUser | None) -> EndUserInfo | None:
    if end_user is None:
        return None
    organization = end_user.organization
    return EndUserInfo(
        id=end_user.id,
        email=end_user.email,
        organization_id=organization.id if organization else None,
        tags=end_user.tags,
    )
