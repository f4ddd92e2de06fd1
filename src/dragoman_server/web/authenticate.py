"""From an `Authorization` header to a `Principal`, with the route's demand checked and the caller's points counted."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from dragoman_server.control.model import ApiKey
from dragoman_server.kit.ids import AccountId, EnvironmentId
from dragoman_server.web.errors import (
    DeprecatedAuthenticationError,
    InvalidSecretKeyFormatError,
    InvalidSessionFormatError,
    MissingAuthHeaderError,
    MissingPublicKeyError,
    RateLimitedError,
    UnknownKeyError,
    UnknownSessionError,
    WrongKindOfKeyError,
)
from dragoman_server.web.limits import Rate, RateLimiter
from dragoman_server.web.principal import CallerKind, Principal

SESSION_PREFIX = "nango_connect_session_"
_UUID4 = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$", re.IGNORECASE)
_SESSION = re.compile(r"^nango_connect_session_[0-9a-f]{64}$")
WRONG_CREDENTIAL_POINTS = 10


@dataclass(frozen=True, slots=True)
class Demand:
    """What a route wants of its caller. With `scope` None and `session` False and not `public`: any environment key."""

    scope: str | None = None
    session: bool = False
    key: bool = True
    account: bool = False
    public: bool = False


class SessionLike(Protocol):
    """What we need of a connect session."""

    @property
    def environment_id(self) -> EnvironmentId: ...
    @property
    def account_id(self) -> AccountId: ...


class Authenticator:
    """Checks callers. `keys` and `sessions` look a token up and answer None for an unknown one."""

    def __init__(
        self,
        *,
        keys: Callable[[str], Awaitable[ApiKey | None]],
        sessions: Callable[[str], Awaitable[SessionLike | None]],
        limiter: RateLimiter,
    ) -> None:
        self._keys = keys
        self._sessions = sessions
        self._limiter = limiter

    async def check(
        self, scope: Mapping[str, Any], demand: Demand, *, query: Mapping[str, str] | None = None
    ) -> Principal:
        """Return the caller of this ASGI scope; raise 401, 403 or 429 as an error of ours.

        The caller's rate is left in `scope["state"]["rate"]` for the answer's headers.
        """
        header: bytes | None = None
        for name, value in scope["headers"]:
            if name == b"authorization":
                header = value
                break
        if header is None:
            self.anonymous(scope)
        token = self._token(header, demand, query or {})
        principal = await self._lookup(token, demand, scope)
        self._count(scope, token)
        if demand.scope is not None and principal.kind is not CallerKind.SESSION:
            principal.require(demand.scope)
        return principal

    def anonymous(self, scope: Mapping[str, Any]) -> None:
        """Count a call of a public route against the caller's address."""
        self._count(scope, f"ip:{client_address(scope)}")

    def _token(self, header: bytes | None, demand: Demand, query: Mapping[str, str]) -> str:
        if header is None:
            if demand.session and "connect_session_token" in query:
                return query["connect_session_token"]
            if demand.session and "public_key" in query:
                raise DeprecatedAuthenticationError
            if demand.session and not demand.key:
                raise MissingPublicKeyError
            raise MissingAuthHeaderError
        kind, _, token = header.decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise InvalidSecretKeyFormatError
        return token.strip()

    async def _lookup(self, token: str, demand: Demand, scope: Mapping[str, Any]) -> Principal:
        if token.startswith(SESSION_PREFIX):
            return await self._session(token, demand, scope)
        if not _UUID4.match(token):
            self._penalty(scope)
            raise InvalidSessionFormatError if demand.session and not demand.key else InvalidSecretKeyFormatError
        key = await self._keys(token)
        if key is None:
            self._penalty(scope)
            raise UnknownKeyError
        if key.kind == "account":
            if not demand.account:
                raise WrongKindOfKeyError("an environment's API key, not an account key")
            return Principal(CallerKind.ACCOUNT_KEY, key.account_id, None, key.scopes)
        if demand.account:
            raise WrongKindOfKeyError("an account key, not an environment's API key")
        if not demand.key:
            raise WrongKindOfKeyError("a connect session token, not an API key")
        return Principal(CallerKind.ENVIRONMENT_KEY, key.account_id, key.environment_id, key.scopes)

    async def _session(self, token: str, demand: Demand, scope: Mapping[str, Any]) -> Principal:
        if not _SESSION.match(token):
            self._penalty(scope)
            raise InvalidSessionFormatError
        session = await self._sessions(token)
        if session is None:
            self._penalty(scope)
            raise UnknownSessionError
        if not demand.session:
            raise WrongKindOfKeyError("an environment's API key, not a connect session token")
        return Principal(CallerKind.SESSION, session.account_id, session.environment_id, frozenset(), session)

    def _count(self, scope: Mapping[str, Any], caller: str, points: int = 1) -> Rate:
        rate = self._limiter.take(caller, points)
        scope["state"]["rate"] = rate
        if rate.remaining < 0:
            raise RateLimitedError(
                method=scope["method"], path=scope["path"], retry_after=self._limiter.retry_after(rate)
            )
        return rate

    def _penalty(self, scope: Mapping[str, Any]) -> None:
        """Guessing keys costs ten points of the address's budget."""
        self._count(scope, f"ip:{client_address(scope)}", WRONG_CREDENTIAL_POINTS)


def client_address(scope: Mapping[str, Any]) -> str:
    """The caller's address as the server (or a trusted proxy, resolved by it) saw it."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"
