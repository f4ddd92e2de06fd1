"""Connect sessions: a browser's right to create connections for half an hour."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

from dragoman_server.connect import _store
from dragoman_server.connect.model import ConnectSession, SessionOptions
from dragoman_server.db import Database
from dragoman_server.kit.ids import AccountId, ConnectionRowId, EnvironmentId, random_token, uuid7
from dragoman_server.kit.secret import Secret
from dragoman_server.vault import Vault

PREFIX = "nango_connect_session_"
LIFE = timedelta(minutes=30)
_VERSION = 1


class Sessions:
    """Only a keyed hash of a token is stored."""

    def __init__(self, *, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def create(
        self, environment_id: EnvironmentId, account_id: AccountId, options: SessionOptions
    ) -> tuple[ConnectSession, Secret]:
        """Return the session and its token, which is shown once."""
        token = random_token(PREFIX)
        id_ = uuid7()
        async with self._database.connection() as conn:
            expires_at = await _store.insert_session(
                conn,
                id_=id_,
                environment_id=environment_id,
                account_id=account_id,
                token_hash=self._vault.lookup_hash(token),
                options=_encode(options),
                life=LIFE,
            )
        return ConnectSession(id_, environment_id, account_id, options, expires_at), Secret(token)

    async def find(self, token: str) -> ConnectSession | None:
        """Return the session of a token, or None when there is none or it has ended."""
        async with self._database.connection() as conn:
            row = await _store.find_session(conn, self._vault.lookup_hash(token))
        if row is None:
            return None
        return ConnectSession(row.id, row.environment_id, row.account_id, _decode(row.options), row.expires_at)

    async def delete(self, environment_id: EnvironmentId, session_id: UUID) -> None:
        async with self._database.connection() as conn:
            await _store.delete_session(conn, environment_id, session_id)


def _encode(options: SessionOptions) -> dict[str, Any]:
    return {
        "v": _VERSION,
        "allowed_integrations": None if options.allowed_integrations is None else list(options.allowed_integrations),
        "integrations_config_defaults": dict(options.integrations_config_defaults),
        "overrides": dict(options.overrides),
        "end_user": None if options.end_user is None else dict(options.end_user),
        "organization": None if options.organization is None else dict(options.organization),
        "tags": dict(options.tags),
        "webhook_url_override": options.webhook_url_override,
        "reconnect": options.reconnect,
    }


def _decode(raw: Mapping[str, Any]) -> SessionOptions:
    reconnect = cast("int | None", raw["reconnect"])
    return SessionOptions(
        allowed_integrations=raw["allowed_integrations"],
        integrations_config_defaults=raw["integrations_config_defaults"],
        overrides=raw["overrides"],
        end_user=raw["end_user"],
        organization=raw["organization"],
        tags=raw["tags"],
        webhook_url_override=raw["webhook_url_override"],
        reconnect=None if reconnect is None else ConnectionRowId(reconnect),
    )
