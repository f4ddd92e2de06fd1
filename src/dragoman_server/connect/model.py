"""The nouns: a stored credential, a lease on its refresh, a renewal, a connect session, the outcome of a connect."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from dragoman_server.kit.ids import AccountId, ConnectionRowId, EnvironmentId
from dragoman_server.providers.model import Credential


@dataclass(frozen=True, slots=True)
class CredentialKey:
    """Names one stored credential."""

    environment_id: EnvironmentId
    connection: ConnectionRowId

    def __str__(self) -> str:
        return f"{self.environment_id}/{self.connection}"


@dataclass(frozen=True, slots=True)
class Failures:
    """What went wrong since the last success. `counted` grows at most once per counting interval (see `rules`)."""

    attempts: int = 0
    counted: int = 0
    counted_at: datetime | None = None
    failed_at: datetime | None = None
    exhausted: bool = False


@dataclass(frozen=True, slots=True)
class Times:
    """From when readers ask for a new token (`stale_at`) and the due-queue does (`due_at`); None: never."""

    stale_at: datetime | None
    due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Stored:
    """A credential as read, with the database's time of reading (`read_at`) and ours (`read_monotonic`, seconds).

    `grant` is the keyed fingerprint of what the next token is asked with; None means it cannot be refreshed.
    """

    key: CredentialKey
    connection_uuid: UUID
    credential: Credential
    version: int
    grant: bytes | None = field(repr=False)
    issued_at: datetime
    times: Times
    learned_life: timedelta | None
    failures: Failures
    refreshed_at: datetime | None
    lease_holder: UUID | None
    lease_until: datetime | None
    read_at: datetime
    read_monotonic: float

    def now(self, monotonic: float) -> datetime:
        """The database's time, carried forward by our monotonic clock."""
        return self.read_at + timedelta(seconds=monotonic - self.read_monotonic)

    def leased(self, now: datetime) -> bool:
        return self.lease_until is not None and self.lease_until > now


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to call the token endpoint for `stored`. `repeated`: an earlier attempt with the same grant was cut
    off after it may have been sent. `seal` works without the database.
    """

    stored: Stored
    holder: UUID
    repeated: bool
    seal: Callable[[bytes], bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Renewal:
    """Everything transaction B writes, already sealed: an answer in hand that must reach the database."""

    key: CredentialKey
    holder: UUID
    used: bytes = field(repr=False)
    sealed: bytes = field(repr=False)
    grant: bytes | None = field(repr=False)
    issued_at: datetime
    expires_at: datetime | None
    times: Times
    learned_life: timedelta | None
    config: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


@dataclass(frozen=True, slots=True)
class Failure:
    """A refresh that gave no token. `dead`: the provider refused the grant itself."""

    message: str
    dead: bool
    operation_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class EndUser:
    """The customer's user a session acts for."""

    id: str
    email: str | None = None
    display_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    organization_id: str | None = None
    organization_display_name: str | None = None


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """What a connect session allows and presets."""

    allowed_integrations: Sequence[str] | None = None
    integrations_config_defaults: Mapping[str, Any] = field(default_factory=dict[str, Any])
    overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])
    end_user: Mapping[str, Any] | None = None
    organization: Mapping[str, Any] | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    webhook_url_override: str | None = None
    reconnect: ConnectionRowId | None = None


@dataclass(frozen=True, slots=True)
class ConnectSession:
    """A browser's right to create connections for half an hour."""

    id: UUID
    environment_id: EnvironmentId
    account_id: AccountId
    options: SessionOptions
    expires_at: datetime

    def allows(self, integration: str) -> bool:
        allowed = self.options.allowed_integrations
        return allowed is None or integration in allowed

    def defaults(self, integration: str) -> Mapping[str, Any]:
        return self.options.integrations_config_defaults.get(integration) or {}


@dataclass(frozen=True, slots=True)
class Ended:
    """The credential of a deleted connection, kept until its provider was told; None when it is shredded already."""

    connection: ConnectionRowId
    connection_uuid: UUID
    credential: Credential | None
    ended_at: datetime
    read_at: datetime
    shared: bool = False
    """A living connection holds the same grant: to revoke it would end that one, too."""


@dataclass(frozen=True, slots=True)
class RefreshFailed:
    """Told inside the transaction that counts a failure. `first`: the token was fine until now."""

    key: CredentialKey
    connection_uuid: UUID
    failure: Failure
    failures: Failures

    @property
    def first(self) -> bool:
        return self.failures.attempts == 1
