"""Who calls: an environment's API key, an account's key, or a browser with a connect session."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from dragoman_server.control.scopes import implies
from dragoman_server.kit.ids import AccountId, EnvironmentId
from dragoman_server.web.errors import MissingScopeError, WrongKindOfKeyError


class CallerKind(StrEnum):
    ENVIRONMENT_KEY = "environment_key"
    ACCOUNT_KEY = "account_key"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `session` is the connect session of a `SESSION` caller."""

    kind: CallerKind
    account_id: AccountId | None
    environment: EnvironmentId | None
    scopes: frozenset[str]
    session: Any = None

    @property
    def environment_id(self) -> EnvironmentId:
        """The caller's environment; an account key has none (403)."""
        if self.environment is None:
            raise WrongKindOfKeyError("an environment's API key, not an account key")
        return self.environment

    def may(self, scope: str) -> bool:
        """True if this caller holds `scope` (a session holds none: routes admit sessions by name)."""
        return implies(self.scopes, scope)

    def require(self, scope: str) -> None:
        """Raise 403 `forbidden` naming the scope unless the caller holds it."""
        if not self.may(scope):
            raise MissingScopeError(scope)
