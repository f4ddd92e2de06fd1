"""An authorized request from (entry, connection, credential): where it goes and which headers it carries. Pure.

Who wins: headers that carry the credential > the caller's own > the entry's other headers; the entry's user agent
beats the caller's. A header whose placeholder stays unresolved is dropped.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, cast

from dragoman_server.kit.clock import SystemClock
from dragoman_server.providers import dpop, oauth1
from dragoman_server.providers.errors import (
    BaseUrlNotAllowedError,
    InvalidEndpointError,
    InvalidHeaderError,
    MissingBaseUrlError,
    UnsupportedAuthError,
)
from dragoman_server.providers.model import AuthMode, Credential, Provider, basic
from dragoman_server.providers.scope import RequestScope, request_values, template_scope
from dragoman_server.providers.sigv4 import Signable, amz_date, authorization, payload_hash
from dragoman_server.providers.templating import Moment, Surroundings, parse_template, render_or_none, render_tree
from dragoman_server.providers.urls import (
    encode_query,
    is_absolute,
    join_url,
    origin_of,
    render_url_or_none,
    with_query,
)

__all__ = [
    "OutboundRequest",
    "RequestScope",
    "build_request",
    "callers_headers",
    "checked_method",
    "inject_body",
    "needs_body",
    "own_origins",
    "signs_requests",
]

_SECRET_ROOTS = frozenset(
    [
        "credentials",
        "accessToken",
        "refreshToken",
        "apiKey",
        "token",
        "username",
        "password",
        "clientId",
        "clientSecret",
        "request",
    ]
)
_TOKEN_ROOTS = frozenset(["credentials", "accessToken", "apiKey", "token", "username", "password", "request"])
_REQUEST_ROOTS = frozenset(
    [
        "request",
        "endpoint",
        "host",
        "path",
        "method",
        "params",
        "urlCanonicalParams",
        "bodyCanonicalParams",
        "contentType",
    ]
)
_BODY_ROOTS = frozenset(["request", "bodyCanonicalParams"])
_NEVER_FROM_CALLER = frozenset(
    ["host", "content-length", "transfer-encoding", "connection", "keep-alive", "proxy-authenticate",
     "proxy-authorization", "proxy-connection", "te", "trailer", "upgrade"]
)  # fmt: skip
_BEARER_MODES = frozenset(
    [AuthMode.OAUTH2, AuthMode.OAUTH2_CC, AuthMode.TWO_STEP, AuthMode.MCP_OAUTH2, AuthMode.MCP_OAUTH2_GENERIC,
     AuthMode.JWT, AuthMode.APP, AuthMode.CUSTOM]
)  # fmt: skip
_BASIC_MODES = frozenset([AuthMode.BASIC, AuthMode.INSTALL_PLUGIN])
_OAUTH1_MODES = frozenset([AuthMode.OAUTH1, AuthMode.TBA])
_SELF_SUFFICIENT = frozenset([AuthMode.NONE, AuthMode.API_KEY, AuthMode.BILL, AuthMode.SIGNATURE])
"""Modes without a usual header: the entry says where the credential goes."""

_TOKEN_CHARS = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_BAD_IN_VALUE = ("\r", "\n", "\0")
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True, repr=False)
class Proven:
    """The token whose holder a proof must show, and the key it is bound to (RFC 9449 section 7)."""

    key: str
    token: str


@dataclass(frozen=True, slots=True, repr=False)
class OutboundRequest:
    """What to send. `credential_origins` are the only places its headers may travel to, redirects included."""

    method: str
    url: str
    headers: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    credential_origins: frozenset[str] = frozenset()
    query: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    dpop: Proven | None = None
    client_certificate: tuple[str, str] | None = None
    """Certificate and key (PEM) the token is bound to (RFC 8705 section 3)."""

    def __repr__(self) -> str:
        return f"OutboundRequest({self.method} {self.url.partition('?')[0]})"


def build_request(
    provider: Provider,
    scope: RequestScope,
    *,
    method: str,
    endpoint: str,
    query: Sequence[tuple[str, str]] = (),
    headers: Sequence[tuple[str, str]] = (),
    base_url_override: str | None = None,
    allowed_origins: Sequence[str] = (),
    body: bytes | None = b"",
    moment: Moment | None = None,
    extra_headers: Mapping[str, str] = _NO_HEADERS,
) -> OutboundRequest:
    """Return the authorized request; `headers` are the caller's own, `extra_headers` templates of a verification call.

    `body` is looked at only where `needs_body(provider)`; None means a stream of unknown content.
    Raises `BaseUrlNotAllowedError`, `MissingBaseUrlError`, `InvalidEndpointError`, `TemplateError` ...
    """
    method = checked_method(method)
    moment = moment or Moment(SystemClock().now, lambda: str(uuid.uuid4()))
    values = template_scope(scope)
    url, origins = _target(provider, values, endpoint, base_url_override, allowed_origins, moment)
    caller = callers_headers(headers)
    rendering = _Rendering(provider, scope, values, moment, method, endpoint, caller, body)
    url = rendering.with_injected_query(url, query)
    return OutboundRequest(
        method=rendering.method,
        url=url,
        headers=rendering.headers(url, extra_headers),
        credential_origins=origins,
        dpop=_proven(scope.credential),
        client_certificate=_certificate(provider, scope.credential),
    )


def _proven(credential: Credential | None) -> Proven | None:
    key = None if credential is None else dpop.bound_key(credential)
    token = None if credential is None else credential.token()
    return Proven(key, token.strip()) if key and token else None


def _certificate(provider: Provider, credential: Credential | None) -> tuple[str, str] | None:
    if credential is None or not provider.get("require_client_certificate"):
        return None
    certificate, key = (credential.values.get(name) for name in ("client_certificate", "client_private_key"))
    return (str(certificate), str(key)) if certificate and key else None


def own_origins(provider: Provider, scope: RequestScope) -> frozenset[str]:
    """Return the origins of the entry for this connection: its base URLs, extra origins and verification base URL."""
    return frozenset(_own_origins(provider, template_scope(scope), None))


def signs_requests(provider: Provider) -> bool:
    """Whether each request is signed, so that no two have the same headers."""
    return provider.auth_mode is AuthMode.AWS_SIGV4 or provider.auth_mode in _OAUTH1_MODES


def needs_body(provider: Provider, content_type: str | None = None) -> bool:
    """Whether the request's headers depend on its body, so that it must be read before it is sent.

    OAuth 1 signs form bodies only.
    """
    if provider.auth_mode is AuthMode.AWS_SIGV4 or provider.proxy.body:
        return True
    if provider.auth_mode in _OAUTH1_MODES and (content_type or "").lower().startswith(oauth1.FORM):
        return True
    templates = (*provider.proxy.headers.values(), *provider.proxy.query.values())
    return any(parse_template(t).roots & _BODY_ROOTS for t in templates)


def inject_body(provider: Provider, scope: RequestScope, body: Any, *, moment: Moment | None = None) -> Any:
    """Return a JSON body with the entry's `proxy.body` merged in deeply; leaves that stay unresolved are left out."""
    if not provider.proxy.body:
        return body
    moment = moment or Moment(SystemClock().now, lambda: str(uuid.uuid4()))
    injected = render_tree(provider.proxy.body, template_scope(scope), moment=moment)
    return _merge(body if body is not None else {}, injected)


def _merge(mine: Any, injected: Any) -> Any:
    if not isinstance(mine, Mapping) or not isinstance(injected, Mapping):
        return cast("Any", injected if injected not in ({}, None) else mine)
    merged = dict(cast("Mapping[str, Any]", mine))
    for key, value in cast("Mapping[str, Any]", injected).items():
        merged[key] = _merge(merged[key], value) if key in merged else value
    return merged


def _target(
    provider: Provider,
    values: Mapping[str, Any],
    endpoint: str,
    override: str | None,
    allowed: Sequence[str],
    moment: Moment,
) -> tuple[str, frozenset[str]]:
    """Return the URL without injected query, and where credentials may go."""
    origins = _own_origins(provider, values, moment) | {origin_of(a) for a in allowed}
    if is_absolute(endpoint):
        path_start = endpoint.find("/", 8)
        base = endpoint if path_start < 0 else endpoint[:path_start]
        base, mark, query = base.partition("?")
        endpoint = f"{mark}{query}" if path_start < 0 else endpoint[path_start:]
    else:
        base = override or _base_url(provider, values, moment)
    origin = origin_of(base)
    if origin not in origins:
        raise BaseUrlNotAllowedError(origin)
    return join_url(base, endpoint), frozenset(origins)


def _base_url(provider: Provider, values: Mapping[str, Any], moment: Moment | None) -> str:
    for template in provider.proxy.base_urls:
        if (url := render_url_or_none(template, values, moment=moment)) is not None:
            return url
    raise MissingBaseUrlError(provider.name)


def _own_origins(provider: Provider, values: Mapping[str, Any], moment: Moment | None) -> set[str]:
    verification = provider.proxy.verification
    templates = [*provider.proxy.base_urls, *provider.proxy.origins]
    if verification and verification.base_url_override:
        templates.append(verification.base_url_override)
    urls = (render_url_or_none(t, values, moment=moment) for t in templates)
    return {origin_of(url) for url in urls if url}


def checked_method(method: str) -> str:
    """Return the method in capitals; refuse what could split a message."""
    if not method or not _TOKEN_CHARS.issuperset(method):
        raise InvalidEndpointError("The method holds characters that no HTTP method may hold.")
    return method.upper()


def callers_headers(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the caller's headers, lower-case, without the connection's own; refuse any that could split a message."""
    kept: list[tuple[str, str]] = []
    for raw_name, value in headers:
        name = raw_name.lower()
        _check_header(name, value)
        if name not in _NEVER_FROM_CALLER:
            kept.append((name, value))
    return kept


def _check_header(name: str, value: str) -> None:
    if not name or not _TOKEN_CHARS.issuperset(name):
        raise InvalidHeaderError("A header name holds characters that no header name may hold.")
    if any(bad in value for bad in _BAD_IN_VALUE):
        raise InvalidHeaderError(f"The value of header `{name}` holds a line break or a zero byte.")


@dataclass(slots=True)
class _Rendering:
    """One request in the making; renders headers in the order that lets a signature cover the others."""

    provider: Provider
    scope: RequestScope
    values: dict[str, Any]
    moment: Moment
    method: str
    endpoint: str
    caller: list[tuple[str, str]]
    body: bytes | None

    def with_injected_query(self, url: str, query: Sequence[tuple[str, str]]) -> str:
        injected: list[tuple[str, str]] = []
        protected: set[str] = set()
        for name, source in self.provider.proxy.query.items():
            template = parse_template(source)
            self._add_request_values(template.roots, url)
            value = template.value(self.values, Surroundings(self.moment, None))
            if value is not None and (template.roots & _SECRET_ROOTS or all(k != name for k, _ in query)):
                injected.append((name, value))
                protected.add(name)
        mine = [(k, v) for k, v in query if k not in protected]
        if protected and "?" in url:
            url = _without_query(url, protected)
        return with_query(url, [*mine, *injected])

    def headers(self, url: str, extra: Mapping[str, str]) -> list[tuple[str, str]]:
        found: dict[str, str] = {}
        protected: set[str] = set()
        signing: list[tuple[str, str]] = []
        caller_names = {name for name, _ in self.caller}
        for name, source in {**self.provider.proxy.headers, **extra}.items():
            template = parse_template(source)
            if "request" in template.roots:
                signing.append((name, source))
                continue
            self._add_request_values(template.roots, url)
            value = template.value(self.values, Surroundings(self.moment, None))
            if value is None:
                continue
            if template.roots & _SECRET_ROOTS or name == "user-agent":
                protected.add(name)
            elif name in caller_names:
                continue
            found[name] = value.strip()
        if not self._entry_authorizes():
            self._authorize_by_mode(url, found, protected)
        if signing:
            self._sign(url, signing, found, protected)
        for name, value in found.items():
            _check_header(name, value)
        return [*((n, v) for n, v in self.caller if n not in protected), *found.items()]

    def _add_request_values(self, roots: frozenset[str], url: str) -> None:
        if roots & _REQUEST_ROOTS and "method" not in self.values:
            self.values.update(request_values(self.method, url, self.endpoint, self.caller, self.body))

    def _entry_authorizes(self) -> bool:
        """Whether the entry itself says where the credential goes."""
        hints = self.provider.proxy
        if "authorization" in hints.headers:
            return True
        templates = (*hints.headers.values(), *hints.query.values(), *_leaves(hints.body))
        return any(parse_template(t).roots & _TOKEN_ROOTS for t in templates)

    def _authorize_by_mode(self, url: str, found: dict[str, str], protected: set[str]) -> None:
        mode, credential = self.provider.auth_mode, self.scope.credential
        if credential is None or mode in _SELF_SUFFICIENT:
            return
        if mode in _BEARER_MODES:
            if token := credential.token():
                scheme = "Bearer" if dpop.bound_key(credential) is None else dpop.SCHEME
                found["authorization"] = f"{scheme} {token.strip()}"
        elif mode in _BASIC_MODES:
            username, password = credential.values.get("username"), credential.values.get("password")
            found["authorization"] = f"Basic {basic(str(username or ''), str(password or ''))}"
        elif mode is AuthMode.AWS_SIGV4:
            self._sign_for_aws(url, found, protected, credential)
        else:
            found["authorization"] = self._sign_oauth1(url, credential)
        protected.add("authorization")

    def _sign(self, url: str, signing: list[tuple[str, str]], found: dict[str, str], protected: set[str]) -> None:
        found.setdefault("x-amz-date", amz_date(self.moment.now))
        protected.add("x-amz-date")
        for name, source in signing:
            value = parse_template(source).value(
                self.values, Surroundings(self.moment, self._signable(url, found, protected))
            )
            if value is not None:
                found[name] = value
                protected.add(name)

    def _signable(self, url: str, found: Mapping[str, str], protected: set[str]) -> Signable:
        sent = [*((n, v) for n, v in self.caller if n not in protected), *found.items()]
        return Signable(self.method, url, sent, self.body)

    def _sign_oauth1(self, url: str, credential: Credential) -> str:
        """Return the header that signs method, URL and a form body with the app's and the token's secrets."""
        if not self.values.get("clientId"):
            raise UnsupportedAuthError(self.provider.name, self.provider.auth_mode.value)
        tba = self.provider.auth_mode is AuthMode.TBA
        names = ("token_id", "token_secret") if tba else ("oauth_token", "oauth_token_secret")
        token, secret = (str(credential.values.get(name) or "") for name in names)
        realm = self.provider.get("oauth1_realm") or ("${connectionConfig.accountId}" if tba else None)
        signer = oauth1.Signer(
            method=str(self.provider.get("signature_method") or ("HMAC-SHA256" if tba else "HMAC-SHA1")),
            key=str(self.values.get("clientId") or ""),
            secret=str(self.values.get("clientSecret") or ""),
            token=token,
            token_secret=secret,
            realm=None if realm is None else render_or_none(str(realm), self.values, moment=self.moment),
        )
        return oauth1.authorization(
            signer,
            method=self.method,
            url=url,
            headers=self.caller,
            body=self.body,
            now=self.moment.now,
            nonce=self.moment.random,
        )

    def _sign_for_aws(self, url: str, found: dict[str, str], protected: set[str], credential: Credential) -> None:
        get = credential.values.get
        found["x-amz-date"] = amz_date(self.moment.now)
        found["x-amz-content-sha256"] = payload_hash(self.body)
        if get("session_token"):
            found["x-amz-security-token"] = str(get("session_token"))
        protected.update(("x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "authorization"))
        found["authorization"] = authorization(
            self._signable(url, found, protected),
            key=str(get("access_key_id") or ""),
            secret=str(get("secret_access_key") or ""),
            region=str(get("region") or "us-east-1"),
            service=str(get("service") or "execute-api"),
            now=self.moment.now,
        )


def _without_query(url: str, names: set[str]) -> str:
    """Return `url` without the pairs of those names: the caller cannot put its own key beside ours."""
    from urllib.parse import parse_qsl

    path, _, query = url.partition("?")
    kept = [(k, v) for k, v in parse_qsl(query, keep_blank_values=True) if k not in names]
    return f"{path}?{encode_query(kept)}" if kept else path


def _leaves(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [leaf for inner in cast("Mapping[str, Any]", value).values() for leaf in _leaves(inner)]
    if isinstance(value, list):
        return [leaf for inner in cast("list[Any]", value) for leaf in _leaves(inner)]
    return []
