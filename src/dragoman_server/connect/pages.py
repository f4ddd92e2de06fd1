"""The server-rendered connect page and the OAuth callback page. Pure: data in, HTML and its headers out.

Works without JavaScript. Nothing inline runs without the answer's nonce, nothing is framed, nothing is cached.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import jinja2
import msgspec
from markupsafe import Markup

from dragoman_server.connect.authorize import REDIRECTING, Outcome
from dragoman_server.connect.model import ConnectSession
from dragoman_server.control.model import Integration
from dragoman_server.providers.model import AuthMode, Field, Provider

BASE = "/connect-ui"
_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("dragoman_server.connect"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
)
_USER = (Field("username", title="User name"), Field("password", title="Password", secret=True))
_TYPED: Mapping[AuthMode, Sequence[Field]] = {
    AuthMode.API_KEY: (Field("apiKey", title="API key", secret=True),),
    AuthMode.BASIC: (
        Field("username", title="User name", optional=True),
        Field("password", title="Password", secret=True, optional=True),
    ),
    AuthMode.OAUTH2_CC: (
        Field("client_id", title="Client ID"),
        Field("client_secret", title="Client secret", secret=True),
    ),
    AuthMode.TBA: (
        Field("token_id", title="Token ID", secret=True),
        Field("token_secret", title="Token secret", secret=True),
    ),
    AuthMode.BILL: (
        *_USER,
        Field("organization_id", title="Organization ID"),
        Field("dev_key", title="Developer key", secret=True),
    ),
    AuthMode.SIGNATURE: _USER,
    AuthMode.AWS_SIGV4: (
        Field("role_arn", title="Role ARN", example="arn:aws:iam::123456789012:role/dragoman"),
        Field("region", title="Region", example="eu-central-1", optional=True),
    ),
}
_DECLARED = frozenset({AuthMode.TWO_STEP, AuthMode.JWT})
"""Modes whose fields the entry alone declares."""
SUPPORTED = frozenset({AuthMode.NONE, *REDIRECTING, *_TYPED, *_DECLARED})
_MTLS = (
    Field("client_certificate", title="Client certificate (PEM)"),
    Field("client_private_key", title="Private key (PEM)", secret=True),
)


@dataclass(frozen=True, slots=True)
class Page:
    status: int
    html: str
    headers: Mapping[str, str]


def pick(choices: Sequence[tuple[Integration, Provider]]) -> Page:
    """Let the person choose among several integrations."""
    items = [{"href": form_path(i.unique_key), "name": name_of(i, p)} for i, p in choices]
    return _page("pick.html", title="Connect an account", choices=items)


def form(
    session: ConnectSession,
    integration: Integration,
    provider: Provider,
    *,
    form_token: str,
    several: bool,
    typed: Mapping[str, str] | None = None,
    problem: str | None = None,
) -> Page:
    """Ask for what the entry's fields ask for; after a problem with what was typed, secrets excepted."""
    name = name_of(integration, provider)
    docs = _docs(session, integration, provider)
    return _page(
        "form.html",
        status=400 if problem else 200,
        title=f"Connect {name}",
        name=name,
        problem=problem,
        docs=docs,
        action=form_path(integration.unique_key),
        form_token=form_token,
        fields=[_input(kind, spec, typed or {}, docs) for kind, spec in asked_fields(session, integration, provider)],
        redirects=provider.auth_mode in REDIRECTING,
        back=BASE if several else None,
    )


def leave(integration: Integration, provider: Provider, url: str) -> Page:
    """Send the browser to the provider. A page, not a redirect, which `form-action` would forbid a form."""
    return _page("leave.html", title="Continue", name=name_of(integration, provider), url=url)


def result(*, ok: bool, message: str, back: str | None, status: int | None = None) -> Page:
    heading = "Connected" if ok else "That did not work"
    code = status or (200 if ok else 400)
    return _page("result.html", status=code, title=heading, ok=ok, heading=heading, message=message, back=back)


def callback(outcome: Outcome) -> Page:
    """The page a provider returns to: tells the window that opened it, and the person."""
    message: dict[str, Any] = (
        {"type": "nango_oauth_callback_success"}
        if outcome.ok
        else {
            "type": "nango_oauth_callback_error",
            "payload": {"message": outcome.message, "errorType": outcome.error_type},
        }
    )
    data = {"message": message, "target": outcome.opener_origin or "*", "close": outcome.ok and not outcome.page}
    heading = "Connected" if outcome.ok else "That did not work"
    return _page(
        "callback.html",
        status=200 if outcome.ok else 400,
        title=heading,
        ok=outcome.ok,
        heading=heading,
        message=outcome.message,
        back=BASE if outcome.page else None,
        outcome=_script_json(data),
    )


def asked_fields(session: ConnectSession, integration: Integration, provider: Provider) -> list[tuple[str, Field]]:
    """Return (`config` or `cred`, field) for all a person fills in; what the session presets is not asked."""
    preset: Mapping[str, Any] = session.defaults(integration.unique_key).get("connection_config") or {}
    config = [("config", f) for f in provider.connection_config.values() if f.asked and f.name not in preset]
    if provider.auth_mode in _DECLARED:
        options: Mapping[str, Mapping[str, Any]] = provider.get("assertion_option") or {}
        once = [Field.read(k, v) for k, v in options.items()]
        own = [f for f in provider.credentials.values() if f.asked]
        return [*config, *(("cred", f) for f in own), *(("once", f) for f in once if f.asked)]
    typed = [_described(provider, spec) for spec in _TYPED.get(provider.auth_mode, ())]
    if provider.auth_mode is AuthMode.OAUTH2_CC:
        if provider.get("require_client_certificate"):
            typed += _MTLS
        elif provider.get("token_request_auth_method") == "private_key_jwt":
            typed = [typed[0], Field("client_private_key", title="Private key (PEM or JWK)", secret=True)]
    return config + [("cred", spec) for spec in typed]


def name_of(integration: Integration, provider: Provider) -> str:
    return integration.display_name or provider.display_name


def form_path(unique_key: str) -> str:
    return f"{BASE}/i/{quote(unique_key, safe='')}"


def _described(provider: Provider, usual: Field) -> Field:
    """The entry's own words for a credential field, where it has some; it stays as secret as it usually is."""
    own = provider.credentials.get(usual.name)
    if own is None:
        return usual
    return Field(
        usual.name,
        title=usual.title if own.title in {"", usual.name} else own.title,
        description=own.description,
        example=own.example,
        pattern=own.pattern,
        optional=own.optional or usual.optional,
        secret=own.secret or usual.secret,
        prefix=own.prefix,
        suffix=own.suffix,
        doc_section=own.doc_section,
    )


def _input(kind: str, spec: Field, typed: Mapping[str, str], docs: str | None) -> dict[str, Any]:
    name = f"{kind}.{spec.name}"
    required = not spec.optional and spec.visible_when is None and spec.default_value is None
    return {
        "name": name,
        "title": spec.title or spec.name,
        "description": spec.description,
        "doc": f"{docs.partition('#')[0]}#{spec.doc_section}" if docs and spec.doc_section else None,
        "optional": spec.optional,
        "required": required,
        "secret": spec.secret,
        "value": "" if spec.secret else typed.get(name, spec.default_value or ""),
        "example": spec.example or "",
        "pattern": None if spec.prefix or spec.suffix else spec.pattern,
        "prefix": spec.prefix,
        "suffix": spec.suffix,
        "choices": list(spec.enum),
        "lines": any(word in spec.name.lower() for word in ("private_key", "privatekey", "certificate", "pem")),
    }


def _docs(session: ConnectSession, integration: Integration, provider: Provider) -> str | None:
    override: Mapping[str, Any] = session.options.overrides.get(integration.unique_key) or {}
    url = override.get("docs_connect") or provider.get("docs_connect") or provider.docs
    return str(url) if url and urlsplit(str(url)).scheme in {"http", "https"} else None


def _script_json(value: object) -> Markup:
    """JSON that cannot end the script element it stands in."""
    text = msgspec.json.encode(value).decode()
    for char, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028")):
        text = text.replace(char, escaped)
    return Markup(text)  # noqa: S704  escaped above


def _page(template: str, *, status: int = 200, **values: Any) -> Page:
    nonce = secrets.token_urlsafe(16)
    html = _TEMPLATES.get_template(template).render(nonce=nonce, **values)
    policy = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
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
