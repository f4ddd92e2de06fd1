"""What grants take and give."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

Entry = Mapping[str, Any]
"""A catalogue entry's raw keys."""


@dataclass(frozen=True, slots=True)
class Client:
    """An OAuth client registered with the provider. Never prints its secret."""

    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: Sequence[str] = ()
    custom: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    integration_config: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One call to a token endpoint, ready to send. Url, headers and body carry secrets: it prints none of them."""

    method: str
    url: str = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes | None = field(repr=False)
    secrets: Sequence[str] = field(repr=False, default=())
    client_certificate: tuple[str, str] | None = field(repr=False, default=None)


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A successful token response (RFC 6749 section 5.1). `life` is None when the provider states none."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    life: timedelta | None
    scope: str | None
    raw: Mapping[str, Any] = field(repr=False)
    metadata: Mapping[str, str | bool] = field(default_factory=dict[str, str | bool], repr=False)

    def expires_at(self, now: datetime) -> datetime | None:
        return None if self.life is None else now + self.life


@dataclass(frozen=True, slots=True)
class TokenRefusal:
    """Anything else a token endpoint answered. `error` is the OAuth error code where one was given."""

    status: int
    error: str | None
    description: str | None = field(repr=False, default=None)

    @property
    def grant_is_dead(self) -> bool:
        """True when the provider says that this very grant will never work again."""
        return self.error == "invalid_grant"

    @property
    def may_have_happened(self) -> bool:
        """True when the provider may have used the grant up before it failed to say so."""
        return self.status >= 500

    def sentence(self) -> str:
        """A message without anything secret."""
        told = f"HTTP {self.status}" + (f", error `{self.error}`" if self.error else "")
        return f"The provider's token endpoint refused the request ({told})."
