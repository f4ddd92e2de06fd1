"""An entry's API: any path answers, once the credential is where the entry puts it; lists page as the entry says."""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlencode

from dragoman_server.providers.model import AuthMode, Provider
from dragoman_server.simulator import aws, oauth1, signatures
from dragoman_server.simulator.exchange import Answer, Received, RefusedError
from dragoman_server.simulator.places import Place
from dragoman_server.simulator.reading import carries_credential, names_in, put, values_in
from dragoman_server.simulator.tokens import PREFIX

if TYPE_CHECKING:
    from dragoman_server.simulator.world import World

CONTROL = "simulate"
"""Query parameter by which a caller asks for an incident: `simulate=rate-limit` answers 429 once."""
_PAGE = "simulated_page"
_LARGEST_PAGE = 1000
_SMALL_PAGE = 2
_NEGOTIATED = frozenset({"accept", "user-agent", "content-type", "accept-encoding", "accept-language"})
_BEARER = frozenset(
    {
        AuthMode.OAUTH2,
        AuthMode.OAUTH2_CC,
        AuthMode.TWO_STEP,
        AuthMode.MCP_OAUTH2,
        AuthMode.MCP_OAUTH2_GENERIC,
        AuthMode.JWT,
        AuthMode.APP,
        AuthMode.CUSTOM,
    }
)
_TOKENS = _BEARER - {AuthMode.JWT} | {AuthMode.BILL, AuthMode.OAUTH1}
"""Modes whose tokens are ours to know."""
_ISSUED = frozenset({"accessToken", "token", "credentials.token", "credentials.access_token", "credentials.session_id"})
_WSSE = re.compile(r'UsernameToken Username="([^"]+)", PasswordDigest="([^"]+)", Nonce="([^"]+)", Created="([^"]+)"')
_BASIC = frozenset({AuthMode.BASIC, AuthMode.INSTALL_PLUGIN})
_SIGNED = frozenset({AuthMode.OAUTH1, AuthMode.TBA})


def answer(world: "World", place: Place, request: Received) -> Answer:
    """Answer a call; raise RefusedError where the credential or a header of the entry is not as it should be."""
    provider = place.provider
    credential = _check_credential(world, provider, request)
    _check_headers(provider, request)
    if request.query.get(CONTROL) == "rate-limit":
        seen = (provider.name, request.place + credential[:80])
        if seen not in world.limited:
            world.limited.add(seen)
            return _limited(world, provider)
    return _page(provider, request)


# -- who is asking ---------------------------------------------------------------------------------------------------


def _check_credential(world: "World", provider: Provider, request: Received) -> str:
    """Return what stands for the caller; raise RefusedError (401) when any of its places is empty or wrong."""
    hints = provider.proxy
    if provider.auth_mode is AuthMode.AWS_SIGV4:
        return aws.check_call(world, provider, request)
    places = [(t, request.headers.get(name)) for name, t in hints.headers.items() if carries_credential(t)]
    places += [(t, request.query.get(name)) for name, t in hints.query.items() if carries_credential(t)]
    if not places and "authorization" not in hints.headers:
        if provider.auth_mode in _SIGNED:
            return _check_signed(world, provider, request)
        usual = _usual(provider.auth_mode)
        if usual is None:
            return ""
        places = [(usual, request.headers.get("authorization"))]
    found: dict[str, str] = {}
    for template, text in places:
        values = None if text is None else values_in(template, text)
        if values is None:
            raise RefusedError(401, "unauthorized", f"The credential of {provider.display_name} is not where it goes.")
        found |= values
    for name, value in found.items():
        _check_value(world, provider, name, value)
    if provider.auth_mode in _BASIC and not any(found.values()):
        raise RefusedError(401, "unauthorized", "Neither a user name nor a password was given.")
    return "|".join(found.values())


def _usual(mode: AuthMode) -> str | None:
    if mode in _BEARER:
        return "Bearer ${accessToken}"
    return "Basic ${base64(${username}:${password})}" if mode in _BASIC else None


def _check_value(world: "World", provider: Provider, name: str, value: str) -> None:
    root = name.partition(".")[0]
    try:
        if provider.auth_mode in _TOKENS and name in _ISSUED:
            world.read_token(value, "access", provider)
            return
    except RefusedError as error:
        raise RefusedError(401, "unauthorized", error.why) from None
    if provider.auth_mode is AuthMode.JWT and name in _ISSUED:
        _check_jwt(world, provider, value)
        return
    if provider.auth_mode is AuthMode.SIGNATURE:
        wsse = _WSSE.fullmatch(value)
        value = wsse[1] if wsse else ""
        password = signatures.known(world, value)
        if wsse and password is not None:
            style = cast("Mapping[str, Any]", provider.get("signature") or {}).get("digest")
            _, digest, nonce, created = wsse.groups()
            signatures.check_wsse(
                digest=digest, nonce=nonce, created=created, password=password, hexadecimal=style == "hex"
            )
    blank = root in {"username", "password"}
    if value.startswith(PREFIX) or (world.is_wrong(value) and not (blank and not value)):
        raise RefusedError(401, "unauthorized", f"{provider.display_name} does not know this credential.")


def _check_signed(world: "World", provider: Provider, request: Received) -> str:
    fields = oauth1.signed_fields(provider, request, "oauth_token")
    oauth1.check(world, provider, request, fields)
    token = fields["oauth_token"]
    issued = provider.auth_mode is AuthMode.OAUTH1
    _check_value(world, provider, "accessToken" if issued else "credentials.token_id", token)
    return token


def _check_jwt(world: "World", provider: Provider, token: str) -> None:
    """A token signed by the caller: what it says must be as the entry writes it."""
    header, claims = signatures.read_jwt(token)
    key = signatures.known(world, provider.name)
    if key is not None:
        signatures.check_jwt(token, key)
    until = claims.get("exp")
    alive = isinstance(until, int | float) and until > world.now()
    wanted = cast("Mapping[str, Mapping[str, Any]]", provider.get("token") or {})
    for said, templates in ((header, wanted.get("header") or {}), (claims, wanted.get("payload") or {})):
        for name, template in templates.items():
            found = values_in(str(template), str(said.get(name, "")))
            alive = alive and found is not None and not any(v and world.is_wrong(v) for v in found.values())
    if not alive:
        raise RefusedError(401, "unauthorized", "The signed token is none of this vendor's, or has expired.")


def _check_headers(provider: Provider, request: Received) -> None:
    """Headers the entry always sends, e.g. a version, are ones the vendor asks for."""
    for name, template in provider.proxy.headers.items():
        if not names_in(template) and name not in _NEGOTIATED and name not in request.headers:
            raise RefusedError(400, "missing_header", f"The header `{name}` is missing.")


# -- incidents and lists ---------------------------------------------------------------------------------------------


def _limited(world: "World", provider: Provider) -> Answer:
    hints = provider.proxy.retry
    headers = {name: "0" for key in ("after", "remaining") for name in _several(hints.get(key))}
    headers |= {name: str(world.now()) for name in _several(hints.get("at"))}
    if not {*_several(hints.get("after")), *_several(hints.get("at"))}:
        headers["retry-after"] = "0"
    codes = [code for code in _several(hints.get("error_code")) if code.isdigit()]
    status = 429 if not codes or "429" in codes else int(codes[0])
    return Answer(status, {"error": "rate_limited", "error_description": "Asked too often."}, headers)


def _several(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(v) for v in cast("list[Any]", value)] if isinstance(value, list) else [str(value)]


def _page(provider: Provider, request: Received) -> Answer:
    """A list that is always one item longer than a page, so that there are two."""
    settings = provider.proxy.paginate
    asked: Mapping[str, Any] = request.json if settings.get("in_body") else request.query
    size = _number(asked.get(str(settings.get("limit_name_in_request"))), int(settings.get("limit") or _SMALL_PAGE))
    size = max(1, min(size, _LARGEST_PAGE))
    start = _start(settings, asked, request, size)
    total = size + 1
    items = [{"id": number + 1} for number in range(start, min(start + size, total))]
    more = start + size < total
    headers: dict[str, str] = {}
    path = str(settings.get("response_path") or "")
    kind = settings.get("type")
    in_body = bool(path or settings.get("cursor_path_in_response") or settings.get("link_path_in_response_body"))
    if kind is not None and not in_body:
        if kind == "link" and more:
            headers["link"] = f'<{_next_url(request, start + size)}>; rel="{settings["link_rel_in_response_header"]}"'
        return Answer(200, items, headers)
    body: dict[str, Any] = {"simulated": {"provider": provider.name, "method": request.method, "url": request.place}}
    if request.json and not settings.get("in_body"):
        body["received"] = request.json
    put(body, path or "items", items)
    if kind == "cursor" and more:
        put(body, str(settings["cursor_path_in_response"]), _cursor(start + size))
    elif kind == "link" and more:
        if settings.get("link_path_in_response_body"):
            put(body, str(settings["link_path_in_response_body"]), _next_url(request, start + size))
        else:
            headers["link"] = f'<{_next_url(request, start + size)}>; rel="{settings["link_rel_in_response_header"]}"'
    return Answer(200, body, headers)


def _start(settings: Mapping[str, Any], asked: Mapping[str, Any], request: Received, size: int) -> int:
    match settings.get("type"):
        case "link":
            return _number(request.query.get(_PAGE), 0)
        case "cursor":
            given = asked.get(str(settings.get("cursor_name_in_request")))
            return 0 if given in (None, "") else _read_cursor(str(given))
        case "offset":
            first = int(settings.get("offset_start_value") or 0)
            given = _number(asked.get(str(settings.get("offset_name_in_request"))), first)
            pages = settings.get("offset_calculation_method") == "per-page"
            return max(0, (given - first) * (size if pages else 1))
        case _:
            return 0


def _number(value: Any, otherwise: int) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return otherwise


def _next_url(request: Received, start: int) -> str:
    query = {k: v for k, v in request.query.items() if k != _PAGE} | {_PAGE: str(start)}
    return f"{request.place}?{urlencode(query)}"


def _cursor(start: int) -> str:
    return base64.urlsafe_b64encode(json.dumps({"after": start}).encode()).decode()


def _read_cursor(text: str) -> int:
    try:
        return int(json.loads(base64.urlsafe_b64decode(text))["after"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise RefusedError(400, "invalid_cursor", "This cursor is none of ours.") from None
