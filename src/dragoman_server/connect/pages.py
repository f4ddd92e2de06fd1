"""The page a provider sends the browser back to. Pure: data in, HTML and its headers out.

Nothing inline runs without the answer's nonce, nothing is framed, nothing is cached.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from dragoman_server.connect.authorize import Outcome

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("dragoman_server.connect"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
)


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    html: str
    headers: Mapping[str, str]


def callback(outcome: Outcome) -> Page:
    """The page a provider returns to: tells the window that opened it, and the person.

    A window of unknown origin hears how it ended, and of which connection not: that may be anybody's.
    """
    payload: dict[str, Any] = {"wsClientId": outcome.ws_client_id}
    if outcome.ok:
        payload |= {"connectionId": outcome.connection_id, "providerConfigKey": outcome.integration}
        payload |= {"isPending": True} if outcome.waiting else {}
    else:
        payload |= {"message": outcome.message, "errorType": outcome.error_type}
    kind = f"nango_oauth_callback_{'success' if outcome.ok else 'error'}"
    known = {k: v for k, v in payload.items() if k in {"message", "errorType"}}
    data = {
        "message": {"type": kind, "payload": payload},
        "opener": {"type": kind, "payload": payload if outcome.opener_origin else known},
        "target": outcome.opener_origin or "*",
        "close": outcome.ok,
    }
    return _page(
        "callback.html",
        status=200 if outcome.ok else 400,
        title="Connected" if outcome.ok else "That did not work",
        ok=outcome.ok,
        message=outcome.message,
        outcome=_script_json(data),
    )


def _script_json(value: object) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = msgspec.json.encode(value).decode()
    for char, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028")):
        text = text.replace(char, escaped)
    return Markup(text)  # noqa: S704  escaped above


def _page(template: str, *, status: int, **values: Any) -> Page:
    nonce = secrets.token_urlsafe(16)
    html = _TEMPLATES.get_template(template).render(nonce=nonce, **values)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src data:; "
        "form-action 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'"
    )
    return Page(
        status,
        html,
        {
            "Content-Security-Policy": policy,
            "Content-Type": "text/html; charset=utf-8",
            "Cache-Control": "no-store",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
        },
    )
