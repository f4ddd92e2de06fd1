"""Integrations: a provider set up in an environment, with the customer's developer app."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID, uuid4

import msgspec

from dragoman_server.control import rules
from dragoman_server.control._store import integrations as _store
from dragoman_server.control._store import syncs as _syncs
from dragoman_server.control._store.integrations import StoredIntegration
from dragoman_server.control.errors import IntegrationInUseError, IntegrationKeyTakenError, UnknownIntegrationError
from dragoman_server.control.model import Integration
from dragoman_server.control.transactions import joined, lent
from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.db.cache import announce
from dragoman_server.db.driver import UniqueViolationError
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, IntegrationId, SyncId
from dragoman_server.vault import Vault

TOPIC = "control.integrations"
PURPOSE = "integration"


@dataclass(frozen=True, slots=True)
class DeletedIntegration:
    """What went with an integration."""

    integration: Integration
    connections: Sequence[tuple[ConnectionRowId, UUID, str]]
    syncs: Sequence[SyncId]


@dataclass(frozen=True, slots=True)
class _Opened:
    integration: Integration
    credentials: Mapping[str, Any] = field(repr=False)


class Integrations:
    """The verbs on integrations. `get` and `credentials` are cached; what is opened stays in memory only."""

    def __init__(self, *, database: Database, vault: Vault, invalidations: Invalidations) -> None:
        self._database = database
        self._vault = vault
        self._cache = invalidations.cache(TOPIC)

    async def create(
        self,
        environment_id: EnvironmentId,
        unique_key: str,
        provider: str,
        *,
        display_name: str | None = None,
        credentials: Mapping[str, Any] | None = None,
        forward_webhooks: bool = True,
        config: Mapping[str, str] | None = None,
        custom: Mapping[str, str] | None = None,
        allowed_origins: Sequence[str] = (),
        conn: Conn | None = None,
    ) -> Integration:
        """Make an integration; raise `IntegrationKeyTakenError`, `InvalidValueError`.

        `credentials` are those of the wire (`type` and its fields); whether the type fits the provider is the door's
        to check.
        """
        _check(unique_key, display_name, credentials, config, custom, allowed_origins)
        uuid = uuid4()
        async with joined(self._database, conn) as own:
            stored = await _store.insert_integration(
                own,
                environment_id,
                uuid,
                unique_key=unique_key,
                provider=provider,
                display_name=display_name,
                forward_webhooks=forward_webhooks,
                config=dict(config or {}),
                allowed_origins=allowed_origins,
                sealed=await self._seal(own, environment_id, uuid, credentials or {}, custom or {}),
            )
            if stored is None:
                raise IntegrationKeyTakenError(unique_key)
        return _integration(stored, custom or {})

    async def get(
        self, environment_id: EnvironmentId, unique_key: str, *, conn: Conn | None = None
    ) -> Integration | None:
        found = await self._opened(environment_id, unique_key, conn)
        return None if found is None else found.integration

    async def require(self, environment_id: EnvironmentId, unique_key: str, *, conn: Conn | None = None) -> Integration:
        """Return it; raise `UnknownIntegrationError`."""
        found = await self.get(environment_id, unique_key, conn=conn)
        if found is None:
            raise UnknownIntegrationError(unique_key)
        return found

    async def credentials(self, integration: Integration) -> Mapping[str, Any]:
        """Return the developer app's fields with their `type`, empty when there is none. Never log them."""
        found = await self._opened(integration.environment_id, integration.unique_key, None)
        if found is None or found.integration.id != integration.id:
            raise UnknownIntegrationError(integration.unique_key)
        return found.credentials

    async def even_deleted(
        self, environment_id: EnvironmentId, integration_id: IntegrationId
    ) -> tuple[Integration, Mapping[str, Any]] | None:
        """Return an integration, living or deleted, and its unsealed credentials, for what it still owes a provider."""
        async with self._database.connection() as conn:
            stored = await _store.even_deleted(conn, environment_id, integration_id)
        if stored is None:
            return None
        opened = await self._open(stored, None)
        return opened.integration, opened.credentials

    async def list(self, environment_id: EnvironmentId, *, conn: Conn | None = None) -> list[Integration]:
        async with lent(self._database, conn) as own:
            rows = await _store.integrations(own, environment_id)
        if not rows:
            return []
        items = [(row.sealed, row.uuid.bytes) for row in rows]
        opened = await self._vault.open_all(environment_id, PURPOSE, None, items, conn=conn)
        return [_integration(row, msgspec.json.decode(text)["custom"]) for row, text in zip(rows, opened, strict=True)]

    async def update(
        self,
        environment_id: EnvironmentId,
        unique_key: str,
        *,
        new_key: str | None = None,
        display_name: str | None = None,
        credentials: Mapping[str, Any] | None = None,
        forward_webhooks: bool | None = None,
        config: Mapping[str, str] | None = None,
        custom: Mapping[str, str] | None = None,
        allowed_origins: Sequence[str] | None = None,
        conn: Conn | None = None,
    ) -> Integration:
        """Change what is given; maps and credentials are replaced whole. A rename needs that nothing is connected."""
        _check(new_key or unique_key, display_name, credentials, config, custom, allowed_origins or ())
        async with joined(self._database, conn) as own:
            stored = await _store.integration(own, environment_id, unique_key, lock=True)
            if stored is None:
                raise UnknownIntegrationError(unique_key)
            if new_key is not None and new_key != unique_key:
                if await _store.has_connections(own, environment_id, stored.id):
                    raise IntegrationInUseError
                if await _store.key_taken(own, environment_id, new_key):
                    raise IntegrationKeyTakenError(new_key)
            opened = await self._open(stored, own)
            changed = replace(
                stored,
                unique_key=new_key or unique_key,
                display_name=stored.display_name if display_name is None else display_name,
                forward_webhooks=stored.forward_webhooks if forward_webhooks is None else forward_webhooks,
                config=stored.config if config is None else dict(config),
                allowed_origins=stored.allowed_origins if allowed_origins is None else allowed_origins,
                sealed=await self._seal(
                    own,
                    environment_id,
                    stored.uuid,
                    opened.credentials if credentials is None else credentials,
                    opened.integration.custom if custom is None else custom,
                ),
            )
            try:
                async with own.savepoint():
                    stored = await _store.update_integration(own, changed)
            except UniqueViolationError as error:
                raise IntegrationKeyTakenError(changed.unique_key) from error
            for key in {unique_key, changed.unique_key}:
                await announce(own, TOPIC, _key(environment_id, key))
            if changed.unique_key != unique_key:
                await announce(own, "control.functions")
        return _integration(stored, opened.integration.custom if custom is None else custom)

    async def delete(
        self, environment_id: EnvironmentId, unique_key: str, *, conn: Conn | None = None
    ) -> DeletedIntegration:
        """Delete it with its functions, connections and their syncs; its key is free at once.

        The caller puts the facts that end schedules, credentials and records of what is returned.
        """
        async with joined(self._database, conn) as own:
            stored = await _store.integration(own, environment_id, unique_key, lock=True)
            if stored is None:
                raise UnknownIntegrationError(unique_key)
            connections = await _store.delete_integration(own, environment_id, stored.id)
            syncs = await _syncs.delete_of_connections(own, environment_id, [row[0] for row in connections])
            await announce(own, TOPIC, _key(environment_id, unique_key))
            await announce(own, "control.functions")
            await announce(own, "control.connections")
        return DeletedIntegration(_integration(stored, {}), connections, syncs)

    async def _opened(self, environment_id: EnvironmentId, unique_key: str, conn: Conn | None) -> _Opened | None:
        async def load() -> _Opened | None:
            async with lent(self._database, conn) as own:
                stored = await _store.integration(own, environment_id, unique_key)
            return None if stored is None else await self._open(stored, conn)

        return await load() if conn is not None else await self._cache.get(_key(environment_id, unique_key), load)

    async def _open(self, stored: StoredIntegration, conn: Conn | None) -> _Opened:
        items = [(stored.sealed, stored.uuid.bytes)]
        [text] = await self._vault.open_all(stored.environment_id, PURPOSE, None, items, conn=conn)
        secrets = msgspec.json.decode(text)
        return _Opened(_integration(stored, secrets["custom"]), secrets["credentials"])

    async def _seal(
        self,
        conn: Conn,
        environment_id: EnvironmentId,
        uuid: UUID,
        credentials: Mapping[str, Any],
        custom: Mapping[str, str],
    ) -> bytes:
        sealer = await self._vault.sealer(environment_id, PURPOSE, conn=conn)
        return sealer.seal(msgspec.json.encode({"v": 1, "credentials": credentials, "custom": custom}), uuid.bytes)


def _check(
    unique_key: str,
    display_name: str | None,
    credentials: Mapping[str, Any] | None,
    config: Mapping[str, str] | None,
    custom: Mapping[str, str] | None,
    allowed_origins: Sequence[str],
) -> None:
    issues = rules.check_integration_key(unique_key)
    issues += rules.check_plain(display_name or "", ("display_name",))
    issues += rules.check_integration_credentials(credentials) if credentials else []
    issues += rules.check_string_map(config or {}, ("integration_config",))
    issues += rules.check_string_map(custom or {}, ("custom",))
    for number, origin in enumerate(allowed_origins):
        issues += rules.check_origin(origin, ("allowed_origins", number))
    rules.require(issues)


def _integration(stored: StoredIntegration, custom: Mapping[str, str]) -> Integration:
    return Integration(
        stored.id, stored.uuid, stored.environment_id, stored.unique_key, stored.provider, stored.display_name,
        stored.created_at, stored.updated_at, stored.forward_webhooks, stored.config, custom,
        tuple(stored.allowed_origins),
    )  # fmt: skip


def _key(environment_id: EnvironmentId, unique_key: str) -> str:
    return f"{environment_id}/{unique_key}"
