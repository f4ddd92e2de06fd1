"""Token and revocation endpoints (RFC 6749 section 4 to 6, RFC 7009) with the oddities an entry states."""

import base64
import binascii
import hashlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote_plus

from dragoman_server.providers.model import AuthMode, Provider
from dragoman_server.simulator import logins, oauth1
from dragoman_server.simulator.exchange import Answer, Received, RefusedError
from dragoman_server.simulator.filling import example_of
from dragoman_server.simulator.reading import carries_credential, put, values_in
from dragoman_server.simulator.tokens import ANY_CLIENT, PREFIX, Minted

if TYPE_CHECKING:
    from dragoman_server.simulator.world import World

_MODES = {
    AuthMode.OAUTH2,
    AuthMode.OAUTH2_CC,
    AuthMode.MCP_OAUTH2,
    AuthMode.MCP_OAUTH2_GENERIC,
    AuthMode.CUSTOM,
}
"""Modes whose token endpoint is played here."""
_MCP = {AuthMode.MCP_OAUTH2, AuthMode.MCP_OAUTH2_GENERIC}
_LOGINS = {AuthMode.TWO_STEP, AuthMode.BILL}


def answer(world: "World", provider: Provider, request: Received) -> Answer:
    """Give a token for a code, a refresh token or a client; raise RefusedError as the vendor would."""
    if provider.auth_mode in _LOGINS:
        return logins.answer(world, provider, request)
    if provider.auth_mode is AuthMode.OAUTH1:
        return oauth1.token(world, provider, request)
    if provider.auth_mode not in _MODES:
        raise RefusedError(501, "unsupported", f"The token endpoint of {provider.auth_mode.value} is not simulated.")
    fields = _fields(provider, request)
    client, secret = _client(provider, request, fields)
    if provider.get("client_registration") == "dynamic" or client.startswith(PREFIX):
        world.read_token(client, "client", provider)
    elif not client or (world.is_wrong(secret) and not _is_document(provider, client)):
        raise RefusedError(401, "invalid_client", "The client's id or secret is wrong.")
    if provider.auth_mode is AuthMode.OAUTH2_CC:
        _check_params(provider.get("token_params"), fields, "client_credentials")
        return _answer(world, provider, _access(world, provider, client, world.new_family(), 0), None, fields)
    if "refresh_token" in fields:
        return _refresh(world, provider, fields, client)
    return _redeem(world, provider, fields, client)


def _same_client(one: str, other: str) -> bool:
    return one == other or ANY_CLIENT in {one, other}


def _is_document(provider: Provider, client: str) -> bool:
    """A client known by the document at its own address needs no secret (MCP authorization)."""
    return provider.auth_mode in _MCP and client.startswith("https://")


def _fields(provider: Provider, request: Received) -> dict[str, str]:
    """Read the parameters from where the entry says they are, and from nowhere else."""
    method = str(provider.get("token_request_method") or "POST").upper()
    if request.method != method:
        raise RefusedError(405, "invalid_request", f"The token endpoint wants {method}.")
    form = provider.get("body_format")
    if method == "GET" or form == "query":
        return request.query
    stated = request.headers.get("content-type", "").partition(";")[0]
    if form == "json":
        if stated != "application/json":
            raise RefusedError(400, "invalid_request", "The token endpoint wants JSON.")
        return {k: v for k, v in request.json.items() if isinstance(v, str)}
    if stated != "application/x-www-form-urlencoded":
        raise RefusedError(400, "invalid_request", "The token endpoint wants a form.")
    return request.form


def _client(provider: Provider, request: Received, fields: Mapping[str, str]) -> tuple[str, str]:
    """Return the client's id and secret, read from the one place the entry names (RFC 6749 section 2.3)."""
    header = request.headers.get("authorization", "")
    stated = cast("Mapping[str, Any]", provider.get("token_headers") or {})
    custom = {name.lower(): str(value) for name, value in stated.items()}
    if "authorization" in custom:
        found = values_in(custom["authorization"], header) or {}
        secret = found.get("clientSecret", found.get("clientId", ""))
        return found.get("clientId") or fields.get("client_id") or (ANY_CLIENT if secret else ""), secret
    style = provider.get("token_request_auth_method")
    if style == "custom":
        return fields.get("username", ""), fields.get("password", "")
    if style == "private_key_jwt":
        return fields.get("client_id", ""), fields.get("client_assertion", "")
    in_header = style == "basic" or provider.get("authorization_method") == "header"
    if not in_header:
        return fields.get("client_id", ""), fields.get("client_secret", "")
    if "client_secret" in fields:
        raise RefusedError(400, "invalid_request", "The client authenticates twice, in the header and in the body.")
    try:
        user, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return (user, password) if style == "basic" else (unquote_plus(user), unquote_plus(password))


def _check_params(params: Any, fields: Mapping[str, str], grant_type: str) -> None:
    """Every parameter the entry adds must be there, as it writes it, and the grant type be the right one."""
    stated = cast("Mapping[str, Any]", params or {})
    for name, template in {"grant_type": grant_type, **stated}.items():
        if template is None or name == "scope":
            continue
        text = str(template).lower() if isinstance(template, bool) else str(template)
        if values_in(text, fields.get(name, "")) is None:
            kind = "unsupported_grant_type" if name == "grant_type" else "invalid_request"
            raise RefusedError(400, kind, f"`{name}` is missing or wrong.")


def _redeem(world: "World", provider: Provider, fields: Mapping[str, str], client: str) -> Answer:
    _check_params(provider.get("token_params"), fields, "authorization_code")
    code = world.read_token(fields.get("code", ""), "code", provider)
    if code.family in world.used_codes:
        world.dead_families.add(code.family)
        raise RefusedError(400, "invalid_grant", "The code was used already; what it gave is revoked.")
    if not _same_client(client, code.client) or code.redirect_uri != fields.get("redirect_uri"):
        raise RefusedError(400, "invalid_grant", "The code was given to another client or redirect URI.")
    if code.challenge != _challenge(fields.get("code_verifier")):
        raise RefusedError(400, "invalid_grant", "The code verifier does not fit the challenge.")
    world.used_codes.add(code.family)
    return _answer(
        world, provider, _access(world, provider, client, code.family, 1, code.scope), _next(world, code, 1), fields
    )


def _refresh(world: "World", provider: Provider, fields: Mapping[str, str], client: str) -> Answer:
    """Rotate: a refresh token works once, and a used one that comes again ends its family (RFC 9700 section 4.14)."""
    extra = cast("Mapping[str, Any]", provider.get("refresh_params") or {})
    if not extra:
        stated = cast("Mapping[str, Any]", provider.get("token_params") or {})
        extra = {k: v for k, v in stated.items() if k != "grant_type"}
    _check_params(extra, fields, "refresh_token")
    old = world.read_token(fields["refresh_token"], "refresh", provider)
    if not _same_client(client, old.client):
        raise RefusedError(400, "invalid_grant", "The refresh token was given to another client.")
    if old.number < world.newest_refresh.get(old.family, old.number):
        world.dead_families.add(old.family)
        raise RefusedError(400, "invalid_grant", "The refresh token was used already; its family is revoked.")
    number = old.number + 1
    access = _access(world, provider, client, old.family, number, old.scope)
    return _answer(world, provider, access, _next(world, old, number), fields)


def _access(world: "World", provider: Provider, client: str, family: str, number: int, scope: str = "") -> Minted:
    return Minted("access", provider.name, client, family, number, world.now() + world.life, scope=scope)


def _next(world: "World", before: Minted, number: int) -> Minted:
    world.newest_refresh[before.family] = number
    return Minted("refresh", before.provider, before.client, before.family, number, 0, scope=before.scope)


def _challenge(verifier: str | None) -> str:
    if not verifier:
        return ""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _answer(
    world: "World", provider: Provider, access: Minted, refresh: Minted | None, fields: Mapping[str, str]
) -> Answer:
    shape = cast("Mapping[str, Any]", provider.get("token_response") or {})
    body: dict[str, Any] = {"token_type": "bearer"}
    alternate = provider.get("alternate_access_token_response_path")
    only_user = bool(alternate) and access.scope == "user"
    put(body, str(alternate) if only_user else str(shape.get("token") or "access_token"), access.text())
    if refresh is not None:
        put(body, str(shape.get("refresh_token") or "refresh_token"), refresh.text())
    for path in provider.get("token_response_metadata") or ():
        put(body, str(path), example_of(provider, str(path)))
    if provider.get("token_expires_in_ms") is None:
        _put_life(body, provider, shape, world)
    if scope := fields.get("scope") or access.scope:
        body["scope"] = scope
    return Answer(200, body, {"cache-control": "no-store"})


def _put_life(body: dict[str, Any], provider: Provider, shape: Mapping[str, Any], world: "World") -> None:
    factor = 1000 if provider.get("expires_in_unit") == "milliseconds" else 1
    if shape.get("token_expiration_strategy") == "expireAt":
        put(body, str(shape["token_expiration"]), world.now() + world.life)
    else:
        put(body, str(shape.get("token_expiration") or "expires_in"), world.life * factor)


def register(world: "World", provider: Provider, request: Received) -> Answer:
    """Register a client (RFC 7591 section 3): public ones only, PKCE protects them."""
    wanted = request.json
    if request.method != "POST" or not wanted.get("redirect_uris"):
        raise RefusedError(400, "invalid_redirect_uri", "`redirect_uris` is missing.")
    client = Minted("client", provider.name, "", world.new_family(), 0, 0).text()
    return Answer(201, {**wanted, "client_id": client, "token_endpoint_auth_method": "none"})


def revoke(world: "World", provider: Provider, request: Received) -> Answer:
    """End a token and everything of its consent (RFC 7009 section 2); an unknown token is no error."""
    spec = cast("Mapping[str, Any]", provider.get("revocation") or {})
    method = str(spec.get("method") or "POST")
    if request.method != method:
        raise RefusedError(405, "invalid_request", f"The revocation endpoint wants {method}.")
    fields = {**request.query, **request.form, **{k: v for k, v in request.json.items() if isinstance(v, str)}}
    header = request.headers.get("authorization", "")
    bearer = header.removeprefix("Bearer ") if header.startswith("Bearer ") else ""
    named = [n for n, t in cast("Mapping[str, Any]", spec.get("params") or {}).items() if carries_credential(str(t))]
    text = bearer if spec.get("auth") == "bearer" else fields.get(named[0] if named else "token", bearer)
    if spec.get("auth") == "basic" and not header.startswith("Basic "):
        raise RefusedError(401, "invalid_client", "The client must authenticate in the header.")
    if spec.get("auth") == "body" and not fields.get("client_id"):
        raise RefusedError(401, "invalid_client", "The client must authenticate in the body.")
    if not text:
        raise RefusedError(400, "invalid_request", "There is no token to revoke.")
    for kind in ("access", "refresh"):
        try:
            world.dead_families.add(world.read_token(text, kind, provider).family)
        except RefusedError:
            continue
    return Answer(200, {})
