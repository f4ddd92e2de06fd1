"""What a door refuses before any part is asked."""

from dragoman_server.kit.errors import DragomanError, ForbiddenError, InvalidInputError, Reaction


class MissingAuthHeaderError(DragomanError):
    code = "missing_auth_header"
    default_status = 401
    reaction = Reaction.FIX

    def __init__(self) -> None:
        super().__init__("Send `Authorization: Bearer <API key>`.")


class InvalidSecretKeyFormatError(DragomanError):
    code = "invalid_secret_key_format"
    default_status = 401
    reaction = Reaction.FIX

    def __init__(self) -> None:
        super().__init__("The API key is malformed: send `Authorization: Bearer <uuid v4>`.")


class UnknownKeyError(DragomanError):
    code = "unknown_account"
    default_status = 401
    reaction = Reaction.FIX

    def __init__(self) -> None:
        super().__init__("No environment has this API key; it may have been revoked.")


class InvalidSessionFormatError(DragomanError):
    code = "invalid_connect_session_token_format"
    default_status = 401
    reaction = Reaction.FIX

    def __init__(self) -> None:
        super().__init__("The connect session token is malformed; create a session with POST /connect/sessions.")


class UnknownSessionError(DragomanError):
    code = "unknown_connect_session_token"
    default_status = 401
    reaction = Reaction.FIX

    def __init__(self) -> None:
        super().__init__("This connect session does not exist or has ended; create a new one.")


class MissingPublicKeyError(DragomanError):
    code = "missing_public_key"
    default_status = 401
    reaction = Reaction.FIX

    def __init__(self) -> None:
        super().__init__("Send the connect session token as `connect_session_token` or as a Bearer token.")


class DeprecatedAuthenticationError(DragomanError):
    code = "deprecated_authentication"
    default_status = 401
    reaction = Reaction.FIX

    def __init__(self) -> None:
        super().__init__("Public keys are no longer accepted here: create a connect session instead.")


class WrongKindOfKeyError(ForbiddenError):
    def __init__(self, wanted: str) -> None:
        super().__init__(f"This route wants {wanted}.")


class MissingScopeError(ForbiddenError):
    def __init__(self, scope: str) -> None:
        super().__init__(f"This API key lacks the scope `{scope}`.")


class NotJsonError(InvalidInputError):
    code = "invalid_content_type"
    default_status = 415

    def __init__(self) -> None:
        super().__init__("Send a JSON body with `Content-Type: application/json`.")


class InvalidJsonError(InvalidInputError):
    code = "invalid_json"

    def __init__(self, detail: str) -> None:
        super().__init__(f"The body is not valid JSON: {detail}.")


class RequestTooLargeError(DragomanError):
    code = "request_too_large"
    default_status = 413
    reaction = Reaction.FIX

    def __init__(self, limit: int) -> None:
        super().__init__(f"The body is larger than {limit // 1_000_000} MB.")


class RateLimitedError(DragomanError):
    code = "too_many_request"
    default_status = 429
    reaction = Reaction.RETRY

    def __init__(self, *, method: str, path: str, retry_after: int) -> None:
        super().__init__(
            f"Too many requests; try again in {retry_after} s.", headers={"Retry-After": str(max(1, retry_after))}
        )
        self.envelope_extra = {"method": method, "path": path}


class FeatureDisabledError(DragomanError):
    code = "feature_disabled"
    default_status = 400
    reaction = Reaction.FIX

    def __init__(self) -> None:
        super().__init__("This server runs the `auth` edition; start it with DRAGOMAN_EDITION=full for this route.")
