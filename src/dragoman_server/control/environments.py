"""Environments: walls between an account's stages and customers; each with keys, settings and secrets of its own."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from dragoman_server.control import rules
from dragoman_server.control._store import environments as _store
from dragoman_server.control.connect_ui import ConnectUi, normalized
from dragoman_server.control.errors import EnvironmentExistsError, ProductionEnvironmentError, UnknownEnvironmentError
from dragoman_server.control.model import Environment, WebhookSettings
from dragoman_server.control.transactions import joined, lent
from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.db.cache import announce
from dragoman_server.db.driver import UniqueViolationError
from dragoman_server.kit.ids import AccountId, EnvironmentId, random_token
from dragoman_server.kit.secret import Secret
from dragoman_server.vault import Vault

TOPIC = "control.environments"
PURPOSE = "webhook_signing_key"


class Environments:
    """The verbs on environments. Reads by id and uuid are cached."""

    def __init__(self, *, database: Database, vault: Vault, invalidations: Invalidations) -> None:
        self._database = database
        self._vault = vault
        self._cache = invalidations.cache(TOPIC)
        self._by_uuid = invalidations.cache(f"{TOPIC}.uuid")
        self._signing_keys = invalidations.cache(TOPIC)

    async def create(
        self,
        account_id: AccountId,
        name: str,
        *,
        is_production: bool = False,
        settings: Mapping[str, Any] | None = None,
        conn: Conn | None = None,
    ) -> Environment:
        """Make an environment with its own keys; raise `EnvironmentExistsError`, `InvalidValueError`."""
        rules.require(rules.check_environment_name(name) + rules.check_json(settings or {}, ("settings",)))
        async with joined(self._database, conn) as own:
            made = await _store.insert_environment(
                own, account_id, name, is_production=is_production, settings=settings or {}
            )
            if made is None:
                raise EnvironmentExistsError(name)
            await self._vault.create_environment(own, made.id)
            await self._store_signing_key(own, made.id)
        return made

    async def get(self, environment_id: EnvironmentId, *, conn: Conn | None = None) -> Environment | None:
        """Return it, or None when it was deleted or never was."""

        async def load() -> Environment | None:
            async with lent(self._database, conn) as own:
                return await _store.environment(own, environment_id)

        return await load() if conn is not None else await self._cache.get(str(environment_id), load)

    async def require(self, environment_id: EnvironmentId, *, conn: Conn | None = None) -> Environment:
        """Return it; raise `UnknownEnvironmentError`."""
        found = await self.get(environment_id, conn=conn)
        if found is None:
            raise UnknownEnvironmentError
        return found

    async def by_uuid(self, uuid: UUID) -> Environment | None:
        """Return the environment behind a public uuid."""

        async def load() -> Environment | None:
            async with self._database.connection() as own:
                return await _store.environment_by_uuid(own, uuid)

        return await self._by_uuid.get(str(uuid), load)

    async def list(self, account_id: AccountId, *, conn: Conn | None = None) -> list[Environment]:
        async with lent(self._database, conn) as own:
            return await _store.environments_of(own, account_id)

    async def update(
        self,
        environment_id: EnvironmentId,
        *,
        name: str | None = None,
        is_production: bool | None = None,
        webhooks: WebhookSettings | None = None,
        settings: Mapping[str, Any] | None = None,
        conn: Conn | None = None,
    ) -> Environment:
        """Change what is given (top-level keys of `settings` are merged); raise `UnknownEnvironmentError` and kin."""
        issues = rules.check_environment_name(name) if name is not None else []
        issues += rules.check_json(settings or {}, ("settings",))
        if webhooks is not None:
            issues += rules.check_json(asdict(webhooks), ("webhooks",))
            for field in ("primary_url", "secondary_url"):
                issues += rules.check_url(getattr(webhooks, field) or "", (field,))
        rules.require(issues)
        async with joined(self._database, conn) as own:
            try:
                async with own.savepoint():
                    changed = await _store.update_environment(
                        own, environment_id, name=name, is_production=is_production, webhooks=webhooks,
                        settings=settings,
                    )  # fmt: skip
            except UniqueViolationError as error:
                raise EnvironmentExistsError(name or "") from error
            if changed is None:
                raise UnknownEnvironmentError
            await self._announce(own, changed)
        return changed

    async def webhook_settings(self, environment_id: EnvironmentId) -> WebhookSettings:
        return (await self.require(environment_id)).webhooks

    async def set_webhook_settings(
        self, environment_id: EnvironmentId, webhooks: WebhookSettings, *, conn: Conn | None = None
    ) -> None:
        await self.update(environment_id, webhooks=webhooks, conn=conn)

    async def connect_ui(self, environment_id: EnvironmentId) -> ConnectUi:
        return ConnectUi.read((await self.require(environment_id)).settings)

    async def set_connect_ui(
        self, environment_id: EnvironmentId, wanted: ConnectUi, *, conn: Conn | None = None
    ) -> ConnectUi:
        """Store it as browsers write it and return that; raise `InvalidValueError` naming each bad value."""
        made, issues = normalized(wanted)
        rules.require(issues)
        await self.update(environment_id, settings=made.stored(), conn=conn)
        return made

    async def delete(
        self, environment_id: EnvironmentId, account_id: AccountId, *, conn: Conn | None = None
    ) -> Environment:
        """Delete it softly: its keys are refused from now on; it is erased after its time of grace.

        Raises `ProductionEnvironmentError`, `UnknownEnvironmentError`.
        """
        async with joined(self._database, conn) as own:
            found = await _store.environment(own, environment_id)
            if found is None or found.account_id != account_id:
                raise UnknownEnvironmentError
            if not await _store.delete_environment(own, environment_id, account_id):
                raise ProductionEnvironmentError
            await self._announce(own, found)
            await announce(own, "control.api_keys")
        return found

    async def signing_key(self, environment_id: EnvironmentId) -> Secret:
        """Return the key that signs this environment's webhooks."""
        return (await self.signing_keys(environment_id))[0]

    async def signing_keys(
        self, environment_id: EnvironmentId, *, conn: Conn | None = None
    ) -> tuple[Secret, Secret | None]:
        """Return the signing key, and the one before it during the five minutes after a rotation."""

        async def load() -> tuple[Secret, Secret | None] | None:
            async with lent(self._database, conn) as own:
                sealed = await _store.signing_keys(own, environment_id)
            if sealed is None:
                return None
            items = [(one, b"") for one in sealed if one is not None]
            opened = await self._vault.open_all(environment_id, PURPOSE, None, items, conn=conn)
            return Secret(opened[0].decode()), Secret(opened[1].decode()) if len(opened) > 1 else None

        found = await load() if conn is not None else await self._signing_keys.get(str(environment_id), load)
        if found is None:
            raise UnknownEnvironmentError
        return found

    async def rotate_signing_key(self, environment_id: EnvironmentId, *, conn: Conn | None = None) -> Secret:
        """Replace the signing key and return the new one; within a second every process signs with it."""
        async with joined(self._database, conn) as own:
            found = await _store.environment(own, environment_id)
            if found is None:
                raise UnknownEnvironmentError
            made = await self._store_signing_key(own, environment_id)
            await self._announce(own, found)
        return made

    async def _store_signing_key(self, conn: Conn, environment_id: EnvironmentId) -> Secret:
        made = random_token()
        sealer = await self._vault.sealer(environment_id, PURPOSE, conn=conn)
        await _store.set_signing_key(conn, environment_id, sealer.seal(made.encode()))
        return Secret(made)

    async def _announce(self, conn: Conn, changed: Environment) -> None:
        await announce(conn, TOPIC, str(changed.id))
        await announce(conn, f"{TOPIC}.uuid", str(changed.uuid))
