"""What the helpers of all frameworks share: the session of a user, the webhook, the button. No framework and no I/O."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from time import time
from typing import Any, cast
from urllib.parse import urlsplit

from dragoman.client.errors import ApiError, ConnectionFailedError, InvalidSignatureError
from dragoman.client.types import ConnectSession
from dragoman.client.webhooks import verify_webhook

PREFIX = "/dragoman"
REQUEST_LIMIT = 16 * 1024
WEBHOOK_LIMIT = 5 * 1024 * 1024
UI_PATH = "/connect-ui/"
SCRIPT_HEADERS: Mapping[str, str] = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class User:
    """The signed-in user as Dragoman shall know them. `id` is your own and never changes; `tags` go on connections."""

    id: str
    email: str | None = None
    display_name: str | None = None
    organization_id: str | None = None
    organization_name: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("User.id is empty: connections would be everybody's")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the button asks for; with `connection_id`, to authorize that connection again."""

    integration: str | None = None
    connection_id: str | None = None


@dataclass(frozen=True, slots=True)
class AuthEvent:
    """An account was connected (`creation`), connected again (`override`), or can no longer be renewed (`refresh`).

    `end_user_id` is the `User.id` the session was made for; None for connections made without one.
    """

    operation: str
    success: bool
    connection_id: str
    integration: str
    provider: str
    environment: str
    end_user_id: str | None
    organization_id: str | None
    tags: Mapping[str, str]
    error_type: str | None
    error_description: str | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A webhook whose signature and age were right. `id` stays the same when it is delivered again."""

    id: str
    event: Mapping[str, Any]
    auth: AuthEvent | None


class ProblemError(Exception):
    """The request is refused: `status` and `code` are for the browser; `detail` is for the developer's log."""

    def __init__(self, status: int, code: str, message: str, *, detail: str | None = None) -> None:
        super().__init__(detail or message)
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail

    def body(self, *, debug: bool = False) -> dict[str, Any]:
        """What the browser gets; `debug` says what the platform said."""
        return {"error": {"code": self.code, "message": (self.detail if debug else None) or self.message}}


class Markup(str):
    """HTML that Jinja and Django templates do not escape again."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


def signed_out() -> ProblemError:
    return ProblemError(401, "signed_out", "Sign in first.")


def read_wanted(body: bytes, content_type: str) -> Wanted:
    """What the button sent; refuses what another site's form could send."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise ProblemError(415, "invalid_content_type", "The body must be application/json.")
    if len(body) > REQUEST_LIMIT:
        raise ProblemError(413, "request_too_large", "The body is too large.")
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise ProblemError(400, "invalid_body", "The body must be a JSON object.")
    found = {k: v for k, v in cast("dict[str, Any]", given).items() if v is not None}
    unknown = found.keys() - {"integration", "connection_id"}
    wrong = [k for k, v in found.items() if k not in unknown and not _is_name(v)]
    if unknown or wrong:
        names = ascii(", ".join(sorted([*unknown, *wrong])))[1:-1]  # JSON can hold halves of characters
        raise ProblemError(400, "invalid_body", f"Not understood: {names[:200]}.")
    if "connection_id" in found and "integration" not in found:
        raise ProblemError(400, "invalid_body", "To connect again, name the integration too.")
    return Wanted(found.get("integration"), found.get("connection_id"))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 255 and value.isprintable()


def check_same_origin(headers: Mapping[str, str], *, host: str, trusted: Sequence[str] = ()) -> None:
    """Refuse a POST another site made in the user's browser. `headers` in lower case; `host` is the request's own.

    Every browser sends `Origin` with a POST, and current ones `Sec-Fetch-Site`; who sends neither is no browser of a
    signed-in user. https://developer.mozilla.org/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site")
    if origin is not None and origin in trusted:
        return
    own = origin is not None and _host_of(origin) == host.lower() != ""
    if not (site == "same-origin" if site is not None else own):
        raise ProblemError(
            403,
            "cross_site_request",
            "This request did not come from this site.",
            detail=f"refused a session for Origin {origin!r}, Sec-Fetch-Site {site!r}, Host {host!r}; "
            "is a proxy changing Host? Then name your site's origin in trusted_origins.",
        )


def _host_of(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def allowed(wanted: Wanted, offered: Sequence[str] | None) -> list[str] | None:
    """The integrations a new session allows: the one asked for, else all that the application offers."""
    if wanted.integration is None:
        return None if offered is None else list(offered)
    if offered is not None and wanted.integration not in offered:
        raise ProblemError(404, "unknown_integration", "This application does not offer that integration.")
    return [wanted.integration]


def owner(user: User) -> dict[str, Any]:
    """The arguments of a session that say whose connection it makes."""
    person = {"id": user.id, "email": user.email or None, "display_name": user.display_name or None}
    found: dict[str, Any] = {"end_user": {k: v for k, v in person.items() if v is not None}}
    if user.organization_id is not None:
        company = {"id": user.organization_id, "display_name": user.organization_name}
        found["organization"] = {k: v for k, v in company.items() if v is not None}
    if user.tags:
        found["tags"] = dict(user.tags)
    return found


def not_theirs() -> ProblemError:
    return ProblemError(404, "unknown_connection", "There is no such connection of yours.")


def session_answer(session: ConnectSession) -> dict[str, str]:
    """What the button needs: the token for the frame, and the link for where there can be no frame."""
    frame = session["connect_link"].partition("?")[0]
    return {
        "token": session["token"],
        "connect_link": session["connect_link"],
        "expires_at": session["expires_at"],
        "ui_url": frame,
        "api_url": frame.removesuffix(UI_PATH),
    }


def platform_problem(error: ApiError | ConnectionFailedError) -> ProblemError:
    """What the platform's refusal means for this application; `detail` says what to mend."""
    if isinstance(error, ConnectionFailedError):
        return ProblemError(
            503, "platform_unreachable", "Connecting is not possible right now.", detail=f"Dragoman: {error}"
        )
    places = "; ".join(f"{'.'.join(map(str, e.get('path', ())))}: {e.get('message')}" for e in error.errors)
    detail = f"Dragoman answered {error.status} {error.code}: {error.message}" + (f" ({places})" if places else "")
    if error.status == 401:
        detail += " Is the API key right, and of this environment?"
    status = 503 if error.status in (429, 503) else 502
    return ProblemError(status, error.code, "Connecting is not possible right now.", detail=detail)


def receive(body: bytes, headers: Mapping[str, str], signing_key: str, *, now: Callable[[], float] = time) -> Delivery:
    """The delivery in `body`, exactly as received; raise `ProblemError` (401) when it is forged, changed or old.

    Only the Standard Webhooks signature counts: the older header signs no time, so it would not stop a replay.
    """
    given = {k.lower(): v for k, v in headers.items()}
    try:
        if "webhook-signature" not in given:
            raise InvalidSignatureError("webhook-signature is missing")
        event = verify_webhook(body, given, signing_key, now=now)
    except InvalidSignatureError as error:
        raise ProblemError(401, "invalid_signature", "The signature is not right.", detail=str(error)) from None
    return Delivery(given["webhook-id"], event, _auth_event(event) if event.get("type") == "auth" else None)


def _auth_event(event: Mapping[str, Any]) -> AuthEvent:
    end_user: Mapping[str, Any] = event.get("endUser") or {}
    error: Mapping[str, Any] = event.get("error") or {}
    return AuthEvent(
        operation=str(event.get("operation", "unknown")),
        success=event.get("success") is True,
        connection_id=str(event.get("connectionId", "")),
        integration=str(event.get("providerConfigKey", "")),
        provider=str(event.get("provider", "")),
        environment=str(event.get("environment", "")),
        end_user_id=end_user.get("endUserId"),
        organization_id=end_user.get("organizationId"),
        tags=dict(event.get("tags") or {}),
        error_type=error.get("type"),
        error_description=error.get("description"),
    )


def script() -> str:
    """The JavaScript behind the button, to be served as a file."""
    return files("dragoman.connect").joinpath("connect.js").read_text("utf-8")


def script_tag(url: str) -> Markup:
    return Markup(f'<script src="{escape(url)}" defer></script>')


def button(
    label: str,
    *,
    session_url: str,
    integration: str | None = None,
    connection_id: str | None = None,
    csrf_token: str | None = None,
    lang: str | None = None,
    theme: str | None = None,
    css_class: str | None = None,
) -> Markup:
    """The button's HTML; `connection_id` connects that one again. It needs the page to load the script."""
    given = {
        "class": css_class,
        "data-dragoman-session": session_url,
        "data-integration": integration,
        "data-connection-id": connection_id,
        "data-csrf-token": csrf_token,
        "data-lang": lang,
        "data-theme": theme,
    }
    attributes = "".join(f' {k}="{escape(v)}"' for k, v in given.items() if v is not None)
    return Markup(f'<button type="button"{attributes}>{escape(label)}</button>')
