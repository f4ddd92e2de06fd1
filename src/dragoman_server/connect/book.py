"""The stored credentials in Postgres, sealed by the vault: the book that refreshes, connects and reads share."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dragoman_server.connect import _store, rules
from dragoman_server.connect.grants.registry import ISSUERS
from dragoman_server.connect.model import CredentialKey, Ended, Failure, Lease, RefreshFailed, Renewal, Stored, Times
from dragoman_server.connect.sealing import PURPOSE, decode_credential, encode_credential
from dragoman_server.db import Conn, Database, InvalidatedCache, Invalidations
from dragoman_server.db.cache import announce
from dragoman_server.kit.clock import Clock
from dragoman_server.kit.errors import DragomanError, UnavailableError
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, IntegrationId
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.vault import Sealer, SubjectShreddedError, UnknownDataKeyError, Vault, data_key_of

TOPIC = "connect.credentials"
log = get_logger("connect")

AfterRenewal = Callable[[Conn, CredentialKey, Mapping[str, Any]], Awaitable[None]]
"""Told in transaction B: the credential, and what its answer adds to the connection config."""
AfterFailure = Callable[[Conn, RefreshFailed], Awaitable[None]]


class PgBook:
    """`after_renewal` and `after_failure` write on the transaction's connection, so that all commits together."""

    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        invalidations: Invalidations,
        clock: Clock,
        after_renewal: AfterRenewal,
        after_failure: AfterFailure,
    ) -> None:
        self._database = database
        self._vault = vault
        self._clock = clock
        self._after_renewal = after_renewal
        self._after_failure = after_failure
        self._cache: InvalidatedCache[Stored | None] = invalidations.cache(TOPIC, limit=50_000)

    def peek(self, key: CredentialKey) -> Stored | None:
        """Return the cached credential if the cache may be used; one look-up."""
        return self._cache.peek(str(key))

    async def cached(self, key: CredentialKey) -> Stored | None:
        """Return the credential, read once and then cached until somebody changes it."""
        return await self._cache.get(str(key), lambda: self.read(key))

    def forget(self, key: CredentialKey) -> None:
        self._cache.forget(str(key))

    async def read(self, key: CredentialKey) -> Stored | None:
        before = self._clock.monotonic()
        async with self._database.connection() as conn:
            row = await _store.read_credential(conn, key)
        return None if row is None else await self._open(key, row, before)

    async def lease(self, key: CredentialKey, *, holder: UUID, version: int, length: timedelta) -> Lease | None:
        before = self._clock.monotonic()
        async with self._database.transaction() as conn:
            row = await _store.lease_credential(conn, key, holder=holder, version=version, length=length)
        if row is None:
            return None
        stored = await self._open(key, row, before)
        sealer = await self._sealer(key, row.connection_uuid)
        return Lease(stored, holder, row.repeated, sealer.seal)

    async def extend(self, key: CredentialKey, *, holder: UUID, length: timedelta) -> bool:
        async with self._database.connection() as conn:
            return await _store.extend_lease(conn, key, holder, length)

    async def release(self, key: CredentialKey, *, holder: UUID) -> None:
        async with self._database.connection() as conn:
            await _store.release_lease(conn, key, holder)

    async def commit(self, renewal: Renewal) -> bool:
        async with self._database.transaction() as conn:
            if not await _store.commit_renewal(conn, renewal, data_key_of(renewal.sealed)):
                return False
            await self._tell_renewal(conn, renewal)
            await announce(conn, TOPIC, str(renewal.key))
        return True

    async def learn_expiry(self, stored: Stored, expires_at: datetime, times: Times) -> None:
        credential = Credential(stored.credential.type, stored.credential.values, expires_at)
        sealed = (await self._sealer(stored.key, stored.connection_uuid)).seal(encode_credential(credential))
        async with self._database.transaction() as conn:
            await _store.learn_expiry(conn, stored.key, stored.version, sealed, data_key_of(sealed), expires_at, times)
            await announce(conn, TOPIC, str(stored.key))
        self.forget(stored.key)

    async def _tell_renewal(self, conn: Conn, renewal: Renewal) -> None:
        """A story that cannot be told must not cost the only valid token; a lost database is tried again as a whole."""
        try:
            async with conn.savepoint():
                await self._after_renewal(conn, renewal.key, renewal.config)
        except UnavailableError:
            raise
        except DragomanError as error:
            log.warning("renewal_story_failed", credential=str(renewal.key), code=error.public_code)

    async def fail(self, key: CredentialKey, *, holder: UUID, used: bytes, failure: Failure) -> bool:
        async with self._database.transaction() as conn:
            found = await _store.read_failures(conn, key, holder, used)
            row = await _store.read_credential(conn, key)
            if found is None or row is None:
                return False
            failures = rules.after_failure(found[0], found[1], dead=failure.dead)
            due_at = rules.next_background_attempt(failures, found[1])
            await _store.write_failures(conn, key, holder, failures, due_at)
            await self._after_failure(conn, RefreshFailed(key, row.connection_uuid, failure, failures))
            await announce(conn, TOPIC, str(key))
        return True

    def fingerprint(self, credential: Credential) -> bytes | None:
        text = grant_text(credential)
        return None if text is None else self._vault.lookup_hash(f"grant:{text}")

    def _token_print(self, credential: Credential) -> bytes | None:
        """Of a consent's token that cannot be renewed: what tells that two connections live on the same one."""
        token = credential.token() if credential.type is AuthMode.OAUTH2 and grant_text(credential) is None else None
        return None if token is None else self._vault.lookup_hash(f"token:{token}")

    async def store(
        self,
        conn: Conn,
        key: CredentialKey,
        connection_uuid: UUID,
        credential: Credential,
        *,
        buffer: timedelta | None = None,
    ) -> int:
        """Store what a person or an import brought, in the caller's transaction; it wins over any refresh under way."""
        sealer = await self._vault.sealer(key.environment_id, PURPOSE, connection_uuid, conn=conn)
        sealed = sealer.seal(encode_credential(credential))
        now = await conn.now()
        version = await _store.store_credential(
            conn,
            key,
            connection_uuid=connection_uuid,
            mode=credential.type.value,
            sealed=sealed,
            data_key_id=data_key_of(sealed),
            grant=self.fingerprint(credential),
            expires_at=credential.expires_at,
            times=rules.times(now, credential.expires_at, None, buffer),
            token=self._token_print(credential),
        )
        await announce(conn, TOPIC, str(key))
        self.forget(key)
        return version

    async def delete(self, conn: Conn, key: CredentialKey, connection_uuid: UUID) -> None:
        """Delete the credential and shred its salt, in the caller's transaction."""
        await _store.delete_credential(conn, key)
        await self._vault.shred(conn, key.environment_id, connection_uuid)
        await announce(conn, TOPIC, str(key))
        self.forget(key)

    async def end(
        self,
        conn: Conn,
        environment_id: EnvironmentId,
        integration_id: IntegrationId,
        numbers: Sequence[ConnectionRowId],
    ) -> None:
        """Keep the credentials of deleted connections for their revocation alone, in the caller's transaction."""
        await _store.end_credentials(conn, environment_id, integration_id, numbers)
        for number in numbers if len(numbers) == 1 else ():
            await announce(conn, TOPIC, str(CredentialKey(environment_id, number)))
        if len(numbers) > 1:
            await announce(conn, TOPIC)

    async def ended(
        self, environment_id: EnvironmentId, integration_id: IntegrationId, *, before: datetime, limit: int
    ) -> list[Ended]:
        """Return credentials that are kept for their revocation and were not tried since `before`."""
        async with self._database.connection() as conn:
            rows = await _store.ended_credentials(conn, environment_id, integration_id, before=before, limit=limit)
        found: list[Ended] = []
        for row in rows:
            credential = None
            with suppress(SubjectShreddedError):
                items = [(row.sealed, b"")]
                [plain] = await self._vault.open_all(environment_id, PURPOSE, row.connection_uuid, items)
                credential = decode_credential(plain)
            found.append(
                Ended(row.connection, row.connection_uuid, credential, row.ended_at, row.read_at, shared=row.shared)
            )
        return found

    async def settle(self, environment_id: EnvironmentId, told: Sequence[Ended], untold: Sequence[Ended]) -> None:
        """Shred what was told, in one transaction with the note of what could not be."""
        async with self._database.transaction() as conn:
            await _store.delete_ended(conn, environment_id, [ended.connection for ended in told])
            for ended in told:
                await self._vault.shred(conn, environment_id, ended.connection_uuid)
            await _store.note_tried(conn, environment_id, [ended.connection for ended in untold])

    async def newest_ended(self, environment_id: EnvironmentId, integration_id: IntegrationId) -> timedelta | None:
        """Return the age of the youngest revocation still owed; None when none is."""
        async with self._database.connection() as conn:
            return await _store.newest_ended(conn, environment_id, integration_id)

    async def delete_unended(self, conn: Conn, environment_id: EnvironmentId) -> None:
        """Delete sessions, pending sign-ins and credentials but those kept for their revocation."""
        await _store.delete_unended(conn, environment_id)
        await announce(conn, TOPIC)

    async def delete_environment(self, conn: Conn, environment_id: EnvironmentId) -> None:
        """Delete all credentials, sessions and pending sign-ins of an environment, in the caller's transaction."""
        await _store.delete_environment_credentials(conn, environment_id)
        await announce(conn, TOPIC)

    async def due(self, limit: int, *, rest: timedelta, idle: timedelta) -> list[CredentialKey]:
        async with self._database.connection() as conn:
            return await _store.due_credentials(conn, limit, rest=rest, idle=idle)

    async def mark_used(self, keys: Sequence[CredentialKey]) -> None:
        async with self._database.connection() as conn:
            await _store.mark_used(conn, keys)

    async def _open(self, key: CredentialKey, row: _store.SealedRow, before: float, conn: Conn | None = None) -> Stored:
        items = [(row.sealed, b"")]
        [plain] = await self._vault.open_all(key.environment_id, PURPOSE, row.connection_uuid, items, conn=conn)
        return Stored(
            key=key,
            connection_uuid=row.connection_uuid,
            credential=decode_credential(plain),
            version=row.version,
            grant=row.grant,
            issued_at=row.issued_at,
            times=row.times,
            learned_life=row.learned_life,
            failures=row.failures,
            refreshed_at=row.refreshed_at,
            lease_holder=row.lease_holder,
            lease_until=row.lease_until,
            read_at=row.read_at,
            read_monotonic=before,
        )

    async def _sealer(self, key: CredentialKey, connection_uuid: UUID) -> Sealer:
        return await self._vault.sealer(key.environment_id, PURPOSE, connection_uuid)


def grant_text(credential: Credential) -> str | None:
    """Return what the next token is asked with; None when nobody can be asked."""
    issuer = ISSUERS.get(credential.type)
    return None if issuer is None else issuer.grant(credential.values)


class SealedCredentials:
    """Our ciphertexts, for the rotation of data keys. Pending OAuth states end by themselves in minutes."""

    name = "connect.credentials"

    def __init__(self, *, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault

    async def count(self, environment_id: EnvironmentId, data_key_id: int) -> int:
        async with self._database.connection() as conn:
            return await _store.count_sealed(conn, environment_id, data_key_id)

    async def reseal(self, environment_id: EnvironmentId, data_key_id: int, limit: int) -> int:
        async with self._database.connection() as conn:
            rows = await _store.sealed_under(conn, environment_id, data_key_id, limit)
        done = 0
        for key, connection_uuid, sealed in rows:
            done += await self._reseal_one(key, connection_uuid, sealed)
        return done

    async def _reseal_one(self, key: CredentialKey, connection_uuid: UUID, sealed: bytes) -> bool:
        sealer = await self._vault.sealer(key.environment_id, PURPOSE, connection_uuid)
        try:
            plain = sealer.open(sealed)
        except UnknownDataKeyError:
            sealer = await self._vault.sealer(key.environment_id, PURPOSE, connection_uuid, fresh=True)
            plain = sealer.open(sealed)
        new = sealer.seal(plain)
        async with self._database.connection() as conn:
            return await _store.reseal_credential(conn, key, sealed, new, data_key_of(new))


def moment_of(value: object) -> datetime | None:
    """Read an imported `expires_at`: an ISO date with a zone (a date without one is UTC)."""
    from datetime import UTC

    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, str):
        try:
            return moment_of(datetime.fromisoformat(value))
        except ValueError:
            return None
    return None
