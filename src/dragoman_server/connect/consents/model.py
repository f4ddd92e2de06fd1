"""What a consent begins with, keeps in mind, and ends with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from dragoman_server.connect.grants.model import Client
from dragoman_server.connect.handshake import Pending
from dragoman_server.connect.target import Target
from dragoman_server.logs.operation import Operation
from dragoman_server.providers.model import Credential

EXCHANGE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Asking:
    """What the browser adds to an authorization request."""

    authorization_params: Mapping[str, str]
    user_scopes: Sequence[str]
    client_override: Mapping[str, str]
    ws_client_id: str | None = None
    opener: str | None = None


@dataclass(frozen=True, slots=True)
class Leaving:
    """A browser about to be sent away."""

    target: Target
    client: Client
    asking: Asking
    state: str = field(repr=False)
    redirect_uri: str
    now: datetime
    operation: Operation


@dataclass(frozen=True, slots=True)
class Departure:
    """Where it is sent, and what must be known when it returns. `client`: the one this connection brings itself."""

    url: str = field(repr=False)
    verifier: str | None = field(repr=False, default=None)
    client: Mapping[str, str] | None = field(repr=False, default=None)
    memory: Mapping[str, Any] = field(repr=False, default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Returning:
    """A browser that came back with its own state."""

    target: Target
    pending: Pending
    query: Mapping[str, str] = field(repr=False)
    now: datetime
    operation: Operation

    @property
    def client(self) -> Client:
        return self.target.client(self.pending.config_override)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What is stored. `waiting`: the account is connected, but somebody still has to approve the installation."""

    credential: Credential
    config: Mapping[str, str | bool] = field(default_factory=dict[str, str | bool])
    waiting: bool = False


class Consent(Protocol):
    async def begin(self, leaving: Leaving) -> Departure:
        """Return where the browser goes; raise before anything is stored when it cannot work."""
        ...

    async def arrive(self, returning: Returning) -> Arrival:
        """Return what the provider gave; raise when it gave nothing."""
        ...
