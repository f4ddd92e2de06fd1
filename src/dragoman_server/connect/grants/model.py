"""What grants take and give.

A grant that asks for a token is a flow: a generator that yields the requests to send, is sent their answers, and
returns the token or why there is none. It stays pure however many calls it takes, and one that signs locally yields
nothing.
"""

from collections.abc import Generator, Mapping, Sequence
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
    app_id: str = ""
    app_link: str = ""
    private_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class TokenRequest:
    """One call to a token endpoint, ready to send. Url, headers and body carry secrets: it prints none of them."""

    method: str
    url: str = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes | None = field(repr=False)
    secrets: Sequence[str] = field(repr=False, default=())
    client_certificate: tuple[str, str] | None = field(repr=False, default=None)
    dpop: str | None = field(repr=False, default=None)
    """The key whose proof goes along (RFC 9449)."""


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A successful token response (RFC 6749 section 5.1). `life` is None when the provider states none."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    life: timedelta | None
    scope: str | None
    raw: Mapping[str, Any] = field(repr=False)
    metadata: Mapping[str, str | bool] = field(default_factory=dict[str, str | bool], repr=False)
    fields: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)
    """What the credential holds besides the token, in modes whose token has several parts."""

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
    def wants_nonce(self) -> bool:
        """True when nothing was taken: the server only wants its nonce in the proof (RFC 9449 section 8)."""
        return self.error == "use_dpop_nonce"

    @property
    def may_have_happened(self) -> bool:
        """True when the provider may have used the grant up before it failed to say so."""
        return self.status >= 500

    def sentence(self) -> str:
        """A message without anything secret."""
        if not self.status:
            return self.description or "No token can be asked for without the person."
        told = f"HTTP {self.status}" + (f", error `{self.error}`" if self.error else "")
        return f"The provider's token endpoint refused the request ({told})."


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """What came back for one request of a flow."""

    status: int
    headers: Sequence[tuple[str, str]] = field(repr=False, default=())
    body: bytes = field(repr=False, default=b"")


@dataclass(frozen=True, slots=True)
class Need:
    """What a flow may use. `once` are inputs of the person that are never stored (assertion options)."""

    entry: Entry
    client: Client
    values: Mapping[str, Any] = field(repr=False)
    connection_config: Mapping[str, Any]
    now: datetime
    once: Mapping[str, Any] = field(default_factory=dict[str, Any], repr=False)


Flow = Generator[TokenRequest, HttpAnswer, TokenAnswer | TokenRefusal]
