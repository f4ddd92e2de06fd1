"""For whom and what a connection is made: the integration, its client, the config, the id. Shared by every way in."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID, uuid4

from dragoman_server.connect.errors import IntegrationNotAllowedError
from dragoman_server.connect.grants.authorization_code import split_scopes
from dragoman_server.connect.grants.model import Client
from dragoman_server.connect.model import ConnectSession
from dragoman_server.control.model import Connection, EndUser, Integration, Organization
from dragoman_server.kit.errors import InvalidInputError, Issue
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.providers.model import Field, Provider

LONGEST_VALUE = 8192
_FREE_KEYS = frozenset({"oauth_scopes", "oauth_scopes_override"})
"""Config keys every provider of an OAuth mode understands."""
_FORMATS: Mapping[str, re.Pattern[str]] = {
    "hostname": re.compile(r"^(?=.{1,253}$)([a-zA-Z0-9_][a-zA-Z0-9_-]{0,62}\.)*[a-zA-Z0-9-]{1,63}(:\d{1,5})?$"),
    "uuid": re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"),
    "email": re.compile(r"^[^@\s]{1,64}@[^@\s]{1,255}$"),
    "uri": re.compile(r"^https?://[^\s/?#]+[^\s]*$"),
}


@dataclass(frozen=True, slots=True)
class Owner:
    """To whom a connection belongs and how it is labelled; None leaves what an existing connection has."""

    tags: Mapping[str, str] | None = None
    end_user: EndUser | None = None
    webhook_url_override: str | None = None
    metadata: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Target:
    environment_id: EnvironmentId
    integration: Integration
    provider: Provider
    credentials: Mapping[str, Any] = field(repr=False)
    connection_id: str
    connection_config: Mapping[str, Any]
    owner: Owner
    reconnect: ConnectionRowId | None = None
    session_id: UUID | None = None

    def client(self, override: Mapping[str, str] | None = None) -> Client:
        return client_of(self.integration, self.credentials, override)

    @property
    def scope(self) -> dict[str, Any]:
        """The integration as templates see it."""
        return integration_scope(self.integration, self.credentials)


def client_of(
    integration: Integration, credentials: Mapping[str, Any], override: Mapping[str, str] | None = None
) -> Client:
    """Return the developer app, or the one the connection brought itself."""
    own = override or {}
    return Client(
        client_id=str(own.get("client_id") or credentials.get("client_id") or ""),
        client_secret=str(own.get("client_secret") or credentials.get("client_secret") or ""),
        scopes=split_scopes(str(credentials.get("scopes") or "")),
        custom=integration.custom,
        integration_config=integration.config,
        app_id=str(credentials.get("app_id") or ""),
        app_link=str(credentials.get("app_link") or ""),
        private_key=str(credentials.get("private_key") or ""),
    )


def integration_scope(integration: Integration, credentials: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "client_id": credentials.get("client_id"),
        "client_secret": credentials.get("client_secret"),
        "custom": integration.custom,
        "integration_config": integration.config,
    }


def of_session(
    session: ConnectSession,
    integration: Integration,
    provider: Provider,
    credentials: Mapping[str, Any],
    given: Mapping[str, str],
    existing: Connection | None,
) -> Target:
    """Return the target of a connect session; the session's presets win over what the browser sends."""
    unique_key = integration.unique_key
    if not session.allows(unique_key) or (existing is not None and existing.integration_key != unique_key):
        raise IntegrationNotAllowedError(unique_key)
    preset = cast("Mapping[str, Any]", session.defaults(unique_key).get("connection_config") or {})
    known: Mapping[str, Any] = existing.connection_config if existing is not None else {}
    _refuse_automated(provider.connection_config, given, preset)
    config = check_config(provider.connection_config, {**known, **given, **preset}, trusted={*preset, *known})
    options = session.options
    end_user = end_user_of(options.end_user, options.organization)
    return Target(
        environment_id=session.environment_id,
        integration=integration,
        provider=provider,
        credentials=credentials,
        connection_id=existing.connection_id if existing is not None else str(uuid4()),
        connection_config=config,
        owner=Owner(
            tags=options.tags if options.tags or existing is None else None,
            end_user=end_user,
            webhook_url_override=options.webhook_url_override,
        ),
        reconnect=existing.id if existing is not None else None,
        session_id=session.id,
    )


def end_user_of(raw: Mapping[str, Any] | None, organization: Mapping[str, Any] | None) -> EndUser | None:
    if raw is None:
        return None
    own = organization or cast("Mapping[str, Any] | None", raw.get("organization"))
    return EndUser(
        id=str(raw["id"]),
        email=raw.get("email"),
        display_name=raw.get("display_name"),
        tags=dict(raw.get("tags") or {}),
        organization=None if not own else Organization(str(own["id"]), own.get("display_name")),
    )


def _refuse_automated(fields: Mapping[str, Field], given: Mapping[str, str], preset: Mapping[str, Any]) -> None:
    """Raise when a browser chooses what only the platform or the backend may: also where it is stored already."""
    _raise(
        Issue("custom", "is filled in by the platform", ("params", name))
        for name in given
        if name in fields and fields[name].automated and name not in preset
    )


def _raise(issues: Iterable[Issue]) -> None:
    found = list(issues)
    if found:
        where = ".".join(str(p) for p in found[0].path)
        raise InvalidInputError(f"{where}: {found[0].message}", public_code="invalid_query_params", issues=found)


def check_config(
    fields: Mapping[str, Field], given: Mapping[str, Any], *, trusted: set[str] | frozenset[str] = frozenset()
) -> dict[str, Any]:
    """Return a connection's config from what was typed in; raise InvalidInputError naming every field that is wrong.

    Prefixes and suffixes a person pasted along are cut off. Keys that are `trusted` (presets, what is stored already)
    need not be fields.
    """
    issues: list[Issue] = []
    config: dict[str, Any] = {}
    for key, value in given.items():
        spec = fields.get(key)
        if key in trusted and not isinstance(value, str):
            config[key] = value
        elif not isinstance(value, str):
            issues.append(Issue("invalid_type", "must be text", ("params", key)))
        elif spec is None and key not in _FREE_KEYS and key not in trusted:
            issues.append(Issue("unrecognized_keys", f"Unrecognized key: {key[:100]!r}", ("params",)))
        elif spec is not None and spec.automated and key not in trusted:
            issues.append(Issue("custom", "is filled in by the platform", ("params", key)))
        elif spec is None:
            config[key] = value
        elif text := _trimmed(spec, value):
            config[key] = text
            issues += _check_value(spec, text)
    for name, spec in fields.items():
        if name in config or spec.automated:
            continue
        if spec.default_value is not None:
            config[name] = spec.default_value
        elif not spec.optional and _visible(spec, config):
            issues.append(Issue("invalid_type", f"{spec.title} is required", ("params", name)))
    _raise(issues)
    return config


def _trimmed(spec: Field, value: str) -> str:
    text = value.strip()
    if spec.prefix and text.startswith(spec.prefix):
        text = text.removeprefix(spec.prefix)
    if spec.suffix and text.endswith(spec.suffix):
        text = text.removesuffix(spec.suffix)
    return text


def _visible(spec: Field, config: Mapping[str, Any]) -> bool:
    rule = spec.visible_when
    if not rule:
        return True
    wanted = rule.get("equals")
    allowed: Sequence[Any] = cast("Sequence[Any]", wanted) if isinstance(wanted, list) else [wanted]
    return config.get(str(rule.get("field"))) in allowed


def _check_value(spec: Field, text: str) -> list[Issue]:
    path = ("params", spec.name)
    if len(text) > LONGEST_VALUE:
        return [Issue("too_big", f"has more than {LONGEST_VALUE} characters", path)]
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        return [Issue("invalid_format", "contains control characters", path)]
    if spec.enum and text not in spec.enum:
        return [Issue("custom", f"must be one of {', '.join(spec.enum)}", path)]
    if spec.pattern and re.search(spec.pattern, text) is None:
        example = f", e.g. {spec.example}" if spec.example else ""
        return [Issue("invalid_format", f"does not look like a {spec.title}{example}", path)]
    known = _FORMATS.get(spec.format or "")
    if known is not None and known.fullmatch(text) is None:
        return [Issue("invalid_format", f"is not a valid {spec.format}", path)]
    return []
