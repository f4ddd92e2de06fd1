"""What goes wrong between a consent and a usable credential. Messages never carry a token or a provider's body."""

from datetime import UTC, datetime

from dragoman_server.kit.errors import DragomanError, Reaction


class ConnectError(DragomanError):
    """The branch of this part."""

    code = "invalid_connection"
    default_status = 400
    reaction = Reaction.FIX


class InvalidAuthModeError(ConnectError):
    """The endpoint used does not fit the integration's auth mode."""

    code = "invalid_auth_mode"

    def __init__(self, integration: str, has: str, wants: str) -> None:
        super().__init__(f"Integration `{integration}` uses auth mode {has}; this call needs {wants}.")


class InvalidCredentialsError(ConnectError):
    """What was typed in cannot be a credential of this integration."""

    code = "invalid_credentials"


class ConnectionTestFailedError(ConnectError):
    """The provider did not accept the credential; nothing was stored."""

    code = "connection_test_failed"


class IntegrationNotAllowedError(ConnectError):
    """The connect session does not list this integration."""

    code = "integration_not_allowed"

    def __init__(self, integration: str) -> None:
        super().__init__(f"This connect session does not allow the integration `{integration}`.")


class TokenRequestError(ConnectError):
    """The provider's token endpoint refused, failed or answered something that is no token.

    `passing`: it failed itself, and may give one later.
    """

    code = "request_token_external_error"

    def __init__(
        self,
        message: str,
        *,
        oauth_error: str | None = None,
        public_code: str | None = None,
        status: int | None = None,
        passing: bool = False,
    ) -> None:
        super().__init__(message, public_code=public_code, status=status)
        self.oauth_error = oauth_error
        self.passing = passing


class StateError(ConnectError):
    """An OAuth callback that belongs to no pending authorization of this browser."""

    code = "state_err"

    def __init__(self, message: str, *, public_code: str = "state_err") -> None:
        super().__init__(message, public_code=public_code)


class InstallationAwaitedError(ConnectError):
    """Another connection waits for the same installation: only one could get it."""

    code = "installation_awaited"
    default_status = 409

    def __init__(self, connection_id: str | None = None, until: datetime | None = None) -> None:
        which = "Another connection" if connection_id is None else f"Connection `{connection_id}`"
        end = "" if until is None else f" until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        super().__init__(f"{which} waits for the same installation{end}. Delete it first, or install the app for it.")


class RefreshFailedError(ConnectError):
    """The provider did not give a new token. `dead`: it refused the grant for good."""

    code = "refresh_token_external_error"
    reaction = Reaction.RETRY

    def __init__(self, message: str, *, dead: bool = False) -> None:
        super().__init__(message)
        self.dead = dead


class RefreshBackoffError(ConnectError):
    """A refresh failed moments ago; not asked again yet."""

    code = "connection_refresh_backoff"
    default_status = 424
    reaction = Reaction.RETRY

    def __init__(self, seconds: int) -> None:
        super().__init__(
            f"The last refresh of this connection's token failed; it is tried again in {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )


class RefreshExhaustedError(ConnectError):
    """Refreshing failed too often; the person has to authorize again."""

    code = "connection_refresh_exhausted"
    default_status = 424
    reaction = Reaction.RECONNECT

    def __init__(self) -> None:
        super().__init__("This connection's token could not be refreshed for days. It must be authorized again.")


class RefreshTimeoutError(ConnectError):
    """Another process is refreshing and did not finish in time."""

    code = "connection_refresh_backoff"
    default_status = 424
    reaction = Reaction.RETRY

    def __init__(self) -> None:
        super().__init__("The token is being refreshed elsewhere and is not there yet.", headers={"Retry-After": "5"})


class NoCredentialError(ConnectError):
    """The connection has no stored credential (it was deleted or never completed)."""

    code = "unknown_connection"

    def __init__(self) -> None:
        super().__init__("This connection has no stored credential. It must be authorized again.")
