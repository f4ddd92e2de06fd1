"""What we tell a customer's server, exactly as the wire contract has it. Pure.

Old clients verify a signature over `JSON.stringify(JSON.parse(body))`, so `encode` writes what JavaScript would write.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, cast

_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_LAST_INDEX = 2**32 - 2
_SAFE_INTEGER = 2**53


@dataclass(frozen=True, slots=True)
class EndUserInfo:
    """Whom a connection belongs to, as far as the customer told us."""

    id: str
    email: str | None = None
    organization_id: str | None = None
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """What both sync messages say."""

    connection_id: str
    provider_config_key: str
    sync_name: str
    sync_variant: str
    model: str
    sync_type: str
    checkpoint_from: Any = None
    checkpoint_to: Any = None


def wire_time(at: datetime) -> str:
    """Return ISO-8601 in UTC with milliseconds and `Z`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def auth_payload(
    *,
    connection_id: str,
    provider_config_key: str,
    provider: str,
    auth_mode: str,
    environment: str,
    operation: str,
    success: bool,
    tags: Mapping[str, str] | None = None,
    end_user: EndUserInfo | None = None,
    error_type: str | None = None,
    error_description: str | None = None,
) -> dict[str, Any]:
    """A connection was made (operation creation), authorized again (override) or could not be refreshed (refresh)."""
    payload: dict[str, Any] = {
        "from": "nango",
        "type": "auth",
        "connectionId": connection_id,
        "providerConfigKey": provider_config_key,
        "provider": provider,
        "authMode": auth_mode,
        "environment": environment,
        "operation": operation,
        "success": success,
    }
    if tags is not None:
        payload["tags"] = dict(tags)
    if end_user is not None:
        payload["endUser"] = {
            "endUserId": end_user.id,
            "organizationId": end_user.organization_id,
            "endUserEmail": end_user.email,
            "tags": dict(end_user.tags or {}),
        }
    if not success:
        payload["error"] = {"type": error_type or "unknown", "description": error_description or ""}
    return payload


def _sync_base(outcome: SyncOutcome, *, success: bool) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "from": "nango",
        "type": "sync",
        "connectionId": outcome.connection_id,
        "providerConfigKey": outcome.provider_config_key,
        "syncName": outcome.sync_name,
        "syncVariant": outcome.sync_variant,
        "model": outcome.model,
        "syncType": outcome.sync_type,
        "success": success,
    }
    if outcome.checkpoint_from is not None or outcome.checkpoint_to is not None:
        payload["checkpoints"] = {"from": outcome.checkpoint_from, "to": outcome.checkpoint_to}
    return payload


def sync_success_payload(
    outcome: SyncOutcome, *, modified_after: datetime, query_time: datetime, added: int, updated: int, deleted: int
) -> dict[str, Any]:
    """A run saved this model; one message per model."""
    return {
        **_sync_base(outcome, success=True),
        "modifiedAfter": wire_time(modified_after),
        "queryTimeStamp": wire_time(query_time),
        "responseResults": {"added": added, "updated": updated, "deleted": deleted},
    }


def sync_error_payload(
    outcome: SyncOutcome,
    *,
    error_type: str,
    error_description: str,
    started_at: datetime,
    failed_at: datetime,
    status: int | None = None,
    additional_properties: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A run failed."""
    error: dict[str, Any] = {"type": error_type, "description": error_description}
    if status is not None:
        error["status"] = status
    if additional_properties is not None:
        error["additional_properties"] = dict(additional_properties)
    return {
        **_sync_base(outcome, success=False),
        "error": error,
        "startedAt": wire_time(started_at),
        "failedAt": wire_time(failed_at),
    }


def async_action_payload(
    *, connection_id: str, provider_config_key: str, action_id: str, status_url: str | None = None
) -> dict[str, Any]:
    """An action triggered asynchronously has ended; its result is at `statusUrl`."""
    return {
        "from": "nango",
        "type": "async_action",
        "connectionId": connection_id,
        "providerConfigKey": provider_config_key,
        "payload": {"id": action_id, "statusUrl": status_url or f"/action/{action_id}"},
    }


def forward_payload(
    *, provider: str, provider_config_key: str, connection_id: str | None, payload: Any
) -> dict[str, Any]:
    """A provider's webhook, passed on."""
    wrapped = {"from": provider, "type": "forward", "providerConfigKey": provider_config_key, "payload": payload}
    return {**wrapped, "connectionId": connection_id} if connection_id is not None else wrapped


def encode(payload: Mapping[str, Any]) -> bytes:
    """Return compact JSON with sorted keys such that `JSON.stringify(JSON.parse(body))` is the same bytes."""
    return _write(payload).encode("utf-8", "replace")


def _write(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _write_text(value)
        case int() | float():
            return _write_number(value)
        case Mapping():
            found = cast("Mapping[Any, Any]", value)
            pairs = sorted(((str(k).encode("utf-8", "replace").decode(), v) for k, v in found.items()), key=_js_order)
            return "{" + ",".join(f"{_write_text(k)}:{_write(v)}" for k, v in dict(pairs).items()) + "}"
        case list() | tuple():
            return "[" + ",".join(_write(v) for v in cast("Sequence[Any]", value)) + "]"
        case datetime():
            return _write_text(wire_time(value))
        case _:
            return _write_text(str(value))


def _write_text(text: str) -> str:
    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False)


def _js_order(pair: tuple[str, Any]) -> tuple[int, int, str]:
    """JavaScript lists keys that look like array indexes first, by value; the others keep the order they came in."""
    key = pair[0]
    if _INDEX.fullmatch(key) and int(key) <= _LAST_INDEX:
        return (0, int(key), "")
    return (1, 0, key)


def _write_number(value: float) -> str:
    """Write a number as JavaScript does (ECMA-262 Number::toString); NaN and infinities become null."""
    if isinstance(value, int) and -_SAFE_INTEGER <= value <= _SAFE_INTEGER:
        return str(value)
    try:
        number = float(value)
    except OverflowError:
        return "null"
    if not math.isfinite(number):
        return "null"
    if number == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(number)).as_tuple()  # repr gives the same shortest digits as JavaScript
    text = "".join(map(str, digits)).rstrip("0")
    point = len(digits) + cast("int", exponent)  # value = 0.text * 10 ** point
    return ("-" if sign else "") + _place(text, point)


def _place(digits: str, point: int) -> str:
    count = len(digits)
    if count <= point <= 21:
        return digits + "0" * (point - count)
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    power = f"{point - 1:+d}"
    return f"{digits}e{power}" if count == 1 else f"{digits[0]}.{digits[1:]}e{power}"
