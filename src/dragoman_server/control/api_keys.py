"""API keys: random, shown once, stored as a keyed hash; a revoked one is refused within a second everywhere."""

from collections.abc import Collection, Sequence
from uuid import uuid4

from dragoman_server.control import rules
from dragoman_server.control._store import keys as _store
from dragoman_server.control.errors import InvalidValueError
from dragoman_server.control.model import ApiKey, KeyKind
from dragoman_server.control.scopes import EVERYTHING, unknown
from dragoman_server.control.touches import Touches
from dragoman_server.control.transactions import joined, lent
from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.db.cache import announce
from dragoman_server.kit.errors import Issue, NotFoundError
from dragoman_server.kit.ids import AccountId, EnvironmentId
from dragoman_server.kit.secret import Secret
from dragoman_server.vault import Vault

TOPIC = "control.api_keys"


class ApiKeys:
    """The verbs on API keys. `authenticate` is hot: one hash and one cache look-up; `touches` is flushed by a loop."""

    def __init__(self, *, database: Database, vault: Vault, invalidations: Invalidations) -> None:
        self._database = database
        self._vault = vault
        self._cache = invalidations.cache(TOPIC)
        self.touches: Touches[int] = Touches(self._write_touches)

    async def create(
        self,
        account_id: AccountId,
        display_name: str,
        *,
        environment_id: EnvironmentId | None = None,
        scopes: Collection[str] | None = None,
        secret: Secret | None = None,
        conn: Conn | None = None,
    ) -> tuple[ApiKey, Secret]:
        """Make an environment's key (or, without one, an account's) and return it with its only copy of the secret.

        Without `scopes` it may do everything of its kind. `secret` is for a key made elsewhere (a uuid v4's text).
        """
        kind: KeyKind = "account" if environment_id is None else "environment"
        granted = sorted(set(scopes) if scopes is not None else {"account:*" if kind == "account" else EVERYTHING})
        _check(display_name, granted, kind)
        made = secret or Secret(str(uuid4()))
        hashed = self._vault.lookup_hash(made.reveal().lower())
        async with joined(self._database, conn) as own:
            key = await _store.insert_api_key(own, kind, account_id, environment_id, display_name, granted, hashed)
        return key, made

    async def authenticate(self, token: str) -> ApiKey | None:
        """Return the key that `token` is, or None; notes that it was used."""
        hashed = self._vault.lookup_hash(token.lower())

        async def load() -> ApiKey | None:
            async with self._database.connection() as own:
                return await _store.api_key_by_hash(own, hashed)

        found = await self._cache.get(hashed.hex(), load)
        if found is not None:
            self.touches.note(found.id)
        return found

    async def list(
        self, account_id: AccountId, environment_id: EnvironmentId | None = None, *, conn: Conn | None = None
    ) -> list[ApiKey]:
        """Return an environment's keys, or the account's own."""
        async with lent(self._database, conn) as own:
            return await _store.api_keys(own, account_id, environment_id)

    async def update(
        self,
        account_id: AccountId,
        environment_id: EnvironmentId | None,
        key_id: int,
        *,
        display_name: str | None = None,
        scopes: Collection[str] | None = None,
        conn: Conn | None = None,
    ) -> ApiKey:
        """Change what is given; raise `NotFoundError`."""
        listed = None if scopes is None else sorted(set(scopes))
        _check(display_name or "-", listed or [], "account" if environment_id is None else "environment")
        async with joined(self._database, conn) as own:
            changed = await _store.update_api_key(
                own, account_id, environment_id, key_id, display_name=display_name, scopes=listed
            )
            if changed is None:
                raise NotFoundError("There is no such API key.")
            await announce(own, TOPIC, changed[1].hex())
        return changed[0]

    async def delete(
        self, account_id: AccountId, environment_id: EnvironmentId | None, key_id: int, *, conn: Conn | None = None
    ) -> bool:
        """Revoke a key; False when there was none."""
        async with joined(self._database, conn) as own:
            hashed = await _store.delete_api_key(own, account_id, environment_id, key_id)
            if hashed is not None:
                await announce(own, TOPIC, hashed.hex())
        return hashed is not None

    async def _write_touches(self, key_ids: Sequence[int]) -> None:
        async with self._database.connection() as own:
            await _store.touch_api_keys(own, key_ids)


def _check(display_name: str, scopes: Sequence[str], kind: str) -> None:
    issues = rules.check_plain(display_name, ("display_name",), shortest=1)
    wrong = unknown(scopes, kind)
    if wrong:
        issues.append(Issue("custom", f"A key of this kind cannot have the scopes: {', '.join(wrong)}.", ("scopes",)))
    if issues:
        raise InvalidValueError(issues)
