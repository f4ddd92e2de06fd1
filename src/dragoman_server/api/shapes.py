"""What parts' nouns look like on the wire. Pure."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from dragoman_server.control.frequency import describe_interval
from dragoman_server.control.model import Connection, FunctionVersion, Integration
from dragoman_server.providers import Provider
from dragoman_server.providers.dpop import thumbprint
from dragoman_server.providers.model import Credential


def wire_time(at: datetime | None) -> str | None:
    """ISO-8601 in UTC with milliseconds and `Z`."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def integration_shape(integration: Integration, provider: Provider | None) -> dict[str, Any]:
    return {
        "unique_key": integration.unique_key,
        "display_name": integration.display_name or (provider.display_name if provider else integration.provider),
        "provider": integration.provider,
        "logo": provider.logo_url if provider else "",
        "created_at": wire_time(integration.created_at),
        "updated_at": wire_time(integration.updated_at),
        "forward_webhooks": integration.forward_webhooks,
    }


def connection_summary(connection: Connection) -> dict[str, Any]:
    return {
        "id": connection.id,
        "connection_id": connection.connection_id,
        "provider_config_key": connection.integration_key,
        "provider": connection.provider,
        "created": wire_time(connection.created_at),
        "metadata": dict(connection.metadata) if connection.metadata is not None else None,
        "tags": dict(connection.tags),
        "errors": errors_of(connection),
        "end_user": connection.end_user.public() if connection.end_user else None,
    }


def connection_full(connection: Connection, credentials: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": connection.id,
        "connection_id": connection.connection_id,
        "provider_config_key": connection.integration_key,
        "provider": connection.provider,
        "errors": errors_of(connection),
        "end_user": connection.end_user.public() if connection.end_user else None,
        "metadata": dict(connection.metadata) if connection.metadata is not None else None,
        "connection_config": dict(connection.connection_config),
        "webhook_url_override": connection.webhook_url_override,
        "tags": dict(connection.tags),
        "created_at": wire_time(connection.created_at),
        "updated_at": wire_time(connection.updated_at),
        "last_fetched_at": wire_time(connection.last_fetched_at),
        "credentials": dict(credentials),
    }


def errors_of(connection: Connection) -> list[dict[str, str]]:
    return [{"type": e["type"], "log_id": e["log_id"]} for e in connection.errors]


def credential_shape(credential: Credential, *, refresh_token: bool) -> dict[str, Any]:
    """A credential as its owner reads it; the refresh token only when asked for, in `raw` neither."""
    shape: dict[str, Any] = {"type": credential.type.value, **credential.values}
    if credential.type.value == "NONE":
        return {}
    if credential.expires_at is not None:
        shape["expires_at"] = wire_time(credential.expires_at)
    key = shape.pop("dpop_key", None)  # never shown, not even to its owner: who needs a proof calls the proxy
    if key:
        shape["dpop_jkt"] = thumbprint(str(key))
    if not refresh_token:
        shape.pop("refresh_token", None)
        for part in ("raw", "user"):
            inner: Any = shape.get(part)
            if isinstance(inner, Mapping):
                pairs = cast("Mapping[str, Any]", inner).items()
                shape[part] = {k: v for k, v in pairs if k != "refresh_token"}
    return shape


def function_shape(function: FunctionVersion) -> dict[str, Any]:
    manifest = function.manifest
    shape: dict[str, Any] = {
        "id": function.id,
        "name": function.name,
        "type": function.type,
        "description": manifest.get("description"),
        "scopes": list(manifest.get("scopes") or ()),
        "enabled": function.enabled,
        "last_deployed": wire_time(function.last_deployed),
        "source": "repo",
        "returns": returns_of(function),
        "json_schema": json_schema_of(function),
    }
    if function.type == "sync":
        shape |= {
            "runs": runs_of(function),
            "auto_start": manifest.get("auto_start") is not False,
            "track_deletes": bool(manifest.get("track_deletes")),
        }
    return shape


def runs_of(function: FunctionVersion) -> str | None:
    """How often, in the words that the frequency of one connection takes: `every 5 minutes`."""
    seconds: Any = function.manifest.get("interval_seconds")
    own = describe_interval(timedelta(seconds=seconds)) if isinstance(seconds, int) else None
    return function.frequency_override or own


def returns_of(function: FunctionVersion) -> list[str]:
    if function.type == "sync":
        return sorted(function.manifest.get("models") or {})
    output: Any = function.manifest.get("output")
    return [output["title"]] if isinstance(output, dict) and "title" in output else []


def json_schema_of(function: FunctionVersion) -> dict[str, Any] | None:
    """All models of a function under `definitions`, by name."""
    definitions: dict[str, Any] = dict(function.manifest.get("models") or {})
    for name in ("input", "output"):
        schema: Any = function.manifest.get(name)
        if isinstance(schema, dict):
            found = cast("dict[str, Any]", schema)
            definitions[str(found.get("title") or f"{function.name}_{name}")] = found
    return {"definitions": definitions} if definitions else None


def tools_of(functions: Sequence[FunctionVersion]) -> list[dict[str, Any]]:
    """Actions as tools for language models."""
    return [
        {
            "type": "function",
            "name": f.name,
            "description": f.manifest.get("description") or "",
            "parameters": f.manifest.get("input") or {"type": "object", "properties": {}},
        }
        for f in functions
        if f.type == "action" and f.enabled
    ]


def scripts_config(
    functions: Sequence[FunctionVersion], integrations: Mapping[str, Integration]
) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for f in functions:
        integration = integrations.get(f.integration_key)
        entry = found.setdefault(
            f.integration_key,
            {
                "providerConfigKey": f.integration_key,
                "provider": integration.provider if integration else None,
                "syncs": [],
                "actions": [],
                "on-events": [],
            },
        )
        kind = {"sync": "syncs", "action": "actions"}.get(f.type, "on-events")
        entry[kind].append(_script(f))
    return list(found.values())


def _script(f: FunctionVersion) -> dict[str, Any]:
    manifest = f.manifest
    return {
        "id": f.id,
        "name": f.name,
        "type": f.type,
        "description": manifest.get("description"),
        "scopes": list(manifest.get("scopes") or ()),
        "runs": runs_of(f),
        "auto_start": manifest.get("auto_start") is not False,
        "track_deletes": bool(manifest.get("track_deletes")),
        "returns": returns_of(f),
        "input": manifest.get("input"),
        "endpoints": [],
        "version": str(manifest.get("version") or f.version),
        "last_deployed": wire_time(f.last_deployed),
        "enabled": f.enabled,
        "json_schema": json_schema_of(f),
        "webhookSubscriptions": [],
        "source": "repo",
        "sdk_version": None,
        "features": [],
        "attributes": {},
        "is_public": False,
        "pre_built": False,
    }
