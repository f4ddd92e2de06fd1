"""What a refresh stands on. Exchanged by the simulation, which plays thousands of schedules against a model."""

from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from dragoman_server.connect.grants.model import TokenAnswer, TokenRefusal
from dragoman_server.connect.model import CredentialKey, Failure, Lease, Renewal, Stored, Times
from dragoman_server.providers.model import Credential


class CredentialBook(Protocol):
    """The stored credentials. Times are compared by the book's own clock."""

    async def read(self, key: CredentialKey) -> Stored | None: ...

    async def lease(self, key: CredentialKey, *, holder: UUID, version: int, length: timedelta) -> Lease | None:
        """Transaction A. None when another holds it or the credential is no longer at `version`."""
        ...

    async def extend(self, key: CredentialKey, *, holder: UUID, length: timedelta) -> bool:
        """Keep the lease; False when it is no longer ours."""
        ...

    async def release(self, key: CredentialKey, *, holder: UUID) -> None:
        """Give the lease back without having called anyone."""
        ...

    async def commit(self, renewal: Renewal) -> bool:
        """Transaction B: store it if the stored grant still is the one used, and release the lease. False if not."""
        ...

    async def learn_expiry(self, stored: Stored, expires_at: datetime, times: Times) -> None:
        """Write down when `stored` ends, if it still is what is stored."""
        ...

    async def fail(self, key: CredentialKey, *, holder: UUID, used: bytes, failure: Failure) -> bool:
        """Count a failure and release the lease; False, and nothing written, when the lease or the grant changed."""
        ...

    def fingerprint(self, credential: Credential) -> bytes | None:
        """Return the keyed fingerprint of what the credential's next token is asked with."""
        ...

    def forget(self, key: CredentialKey) -> None:
        """Drop it from this process's cache."""
        ...


class Call(Protocol):
    """One prepared refresh: knows the entry, the client and the connection; asks once per `ask`."""

    async def ask(self, stored: Stored, seconds: float) -> TokenAnswer | TokenRefusal:
        """Send the request; raises `UpstreamTimeoutError`, `UpstreamUnreachableError` and their kin."""
        ...

    async def life(self, stored: Stored) -> timedelta | None:
        """Ask how long the stored token lives, where its provider can be asked; never raises for its sake."""
        ...

    def renewed(self, stored: Stored, answer: TokenAnswer) -> Credential:
        """The credential's new fields, without its expiry."""
        ...

    @property
    def buffer(self) -> timedelta | None:
        """The entry's own margin."""
        ...

    @property
    def default_life(self) -> timedelta | None:
        """The life assumed where the provider states none."""
        ...

    @property
    def operation_id(self) -> UUID | None: ...

    def finish(self, problem: str | None) -> None:
        """End the log operation; `problem` is None on success."""
        ...


class TokenEndpoint(Protocol):
    """Prepares calls; reads whatever they need before a lease is taken."""

    async def prepare(self, key: CredentialKey, stored: Stored) -> Call: ...


class AnswerStore(Protocol):
    """Where an answer waits that the database could not take (sealed; see `spill`). Synchronous and durable."""

    def put(self, renewal: Renewal) -> None: ...
    def remove(self, renewal: Renewal) -> None: ...
