"""The question everybody asks: a credential of this connection that works now. The hot path of every proxied call."""

from dragoman_server.connect import rules
from dragoman_server.connect.book import PgBook
from dragoman_server.connect.errors import NoCredentialError
from dragoman_server.connect.model import CredentialKey, Stored
from dragoman_server.connect.refresh import Refresher, Wish
from dragoman_server.control.model import Connection, Integration
from dragoman_server.kit.clock import Clock
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.providers.model import Credential


class Credentials:
    """Reads are cached until another process stores something newer (seen within a second)."""

    def __init__(self, *, book: PgBook, refresher: Refresher, clock: Clock) -> None:
        self._book = book
        self._refresher = refresher
        self._clock = clock
        self._used: dict[CredentialKey, None] = {}

    async def fresh(
        self,
        environment_id: EnvironmentId,
        connection: Connection,
        integration: Integration,
        *,
        force: bool = False,
        reject: Credential | None = None,
    ) -> Credential:
        """Return a usable credential, renewed first if need be.

        `force` renews whatever its age. `reject` is a credential the provider just answered 401 to: another one is
        returned if there is or can be one, else the same. Raises `RefreshFailedError`, or 424 while not asking again.
        """
        key = CredentialKey(environment_id, connection.id)
        stored = self._book.peek(key)
        if stored is None:
            stored = await self._book.cached(key)
            if stored is None:
                raise NoCredentialError
        self._used[key] = None
        now = stored.now(self._clock.monotonic())
        if not force and reject is None and not rules.is_stale(stored, now):
            return stored.credential
        return (await self._renewed(stored, force=force, reject=reject)).credential

    async def state(self, environment_id: EnvironmentId, connection: Connection) -> Stored | None:
        """Return the credential as stored, with its failures; asks nobody."""
        return await self._book.cached(CredentialKey(environment_id, connection.id))

    async def flush_used(self) -> float | None:
        """Write down which credentials were asked for; a turn of a loop."""
        keys, self._used = list(self._used), {}
        if keys:
            await self._book.mark_used(keys)
        return None

    async def _renewed(self, stored: Stored, *, force: bool, reject: Credential | None) -> Stored:
        if stored.grant is None:
            return stored
        key = stored.key
        if reject is not None and not force:
            stored = await self._book.read(key) or stored
            now = stored.read_at
            same = stored.credential.token() == reject.token()
            if not (same or rules.is_stale(stored, now)) or (same and not rules.may_retry_rejected(stored, now)):
                return stored
        wish = Wish(
            key, stored.version, stored.failures.attempts, forced=force, rejected=reject is not None and not force
        )
        return await self._refresher.refresh(wish)
