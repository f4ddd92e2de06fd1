"""The state of a pending authorization: random, single use, fifteen minutes, bound to the browser that began it."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from dragoman_server.connect import _store
from dragoman_server.connect.errors import StateError
from dragoman_server.connect.sealing import STATE_PURPOSE
from dragoman_server.db import Database
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.vault import Vault, data_key_of

LIFE = timedelta(minutes=15)
COOKIE_PREFIX = "dragoman_oauth_"
_STATE = re.compile(r"^[A-Za-z0-9_-]{43}$")
_VERSION = 1


class Pending(msgspec.Struct, frozen=True, kw_only=True):
    """What the callback needs to know. Stored sealed: it holds the PKCE verifier and perhaps a client secret."""

    v: int = _VERSION
    environment_id: int
    integration: str
    connection_id: str
    reconnect: int | None
    session_id: UUID | None
    verifier: str | None
    redirect_uri: str
    connection_config: dict[str, Any]
    config_override: dict[str, str] | None
    tags: dict[str, str] | None
    end_user: dict[str, Any] | None
    webhook_url_override: str | None
    operation_id: UUID
    ws_client_id: str | None
    opener_origin: str | None
    memory: dict[str, Any] = {}  # a fresh one for each: msgspec copies it

    def __repr__(self) -> str:
        return f"Pending(integration={self.integration!r})"


@dataclass(frozen=True, slots=True)
class Begun:
    """Where to send the browser, and the cookie that ties the way back to it."""

    url: str = field(repr=False)
    cookie_name: str
    cookie_value: str = field(repr=False)
    cookie_path: str
    cookie_seconds: int = int(LIFE.total_seconds())


class Handshakes:
    """Keeps pending authorizations. Neither the state nor the browser's secret is stored, only keyed hashes."""

    def __init__(self, *, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    def mint(self) -> str:
        """Return a fresh state of 256 random bits."""
        return secrets.token_urlsafe(32)

    async def begin(self, pending: Pending, state: str) -> tuple[str, str]:
        """Store it under a minted state; return (cookie name, cookie value)."""
        browser = secrets.token_urlsafe(32)
        environment_id = EnvironmentId(pending.environment_id)
        state_hash = self._vault.lookup_hash(f"state:{state}")
        sealer = await self._vault.sealer(environment_id, STATE_PURPOSE)
        sealed = sealer.seal(msgspec.json.encode(pending), state_hash)
        async with self._database.connection() as conn:
            await _store.insert_state(
                conn,
                state_hash=state_hash,
                environment_id=environment_id,
                browser_hash=self._vault.lookup_hash(f"browser:{browser}"),
                sealed=sealed,
                data_key_id=data_key_of(sealed),
                life=LIFE,
            )
        return self.cookie_name(state), browser

    def cookie_name(self, state: str) -> str:
        """One cookie per authorization, so that several windows do not disturb each other."""
        return COOKIE_PREFIX + self._vault.lookup_hash(f"cookie:{state}").hex()[:16]

    async def finish(self, state: str | None, cookies: Mapping[str, str]) -> tuple[Pending, datetime]:
        """Take the pending authorization, once, and the database's time; raise StateError for another browser."""
        if state is None or not _STATE.match(state):
            raise StateError("The callback carries no state of ours. Start the authorization again.")
        state_hash = self._vault.lookup_hash(f"state:{state}")
        browser = cookies.get(self.cookie_name(state), "")
        async with self._database.transaction() as conn:
            found = await _store.consume_state(conn, state_hash, self._vault.lookup_hash(f"browser:{browser}"))
            if found is None and await _store.state_exists(conn, state_hash):
                raise StateError(
                    "This authorization was begun in another browser, or cookies are blocked. Start it again here.",
                    public_code="state_cookie_err",
                )
        if found is None or not found[2]:
            raise StateError("This authorization was finished already or has expired. Start it again.")
        environment_id, sealed, _, now = found
        [plain] = await self._vault.open_all(environment_id, STATE_PURPOSE, None, [(sealed, state_hash)])
        return msgspec.json.decode(plain, type=Pending), now
