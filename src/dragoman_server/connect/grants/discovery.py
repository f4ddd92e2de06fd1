"""Finding the authorization server of an MCP server: protected resource metadata (RFC 9728), then the server's own
(RFC 8414, or OpenID Connect Discovery). Everything found is foreign text: addresses are checked before they are used.
"""

import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

import msgspec

from dragoman_server.connect.errors import TokenRequestError
from dragoman_server.connect.grants.model import Entry, HttpAnswer, TokenRequest
from dragoman_server.connect.grants.token_response import decode_body, mapping, text_or_none
from dragoman_server.kit.errors import DragomanError
from dragoman_server.providers.urls import split_url

T = TypeVar("T")
Steps = Generator[TokenRequest, HttpAnswer, T]
_PARAMETER = re.compile(r'(resource_metadata|scope)="([^"]{1,2000})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An authorization server, as its metadata describe it. Stored with the credential; holds nothing secret."""

    authorization_endpoint: str
    token_endpoint: str
    issuer: str = ""
    resource: str | None = None
    registration_endpoint: str | None = None
    revocation_endpoint: str | None = None
    pushed_authorization_request_endpoint: str | None = None
    auth_methods: tuple[str, ...] = ()
    auth_method: str = "none"
    scopes: tuple[str, ...] = ()
    says_issuer: bool = False
    takes_client_documents: bool = False

    @classmethod
    def stored(cls, raw: Mapping[str, Any]) -> Self:
        return msgspec.convert(dict(raw), type=cls)

    def kept(self) -> dict[str, Any]:
        return {k: v for k, v in msgspec.to_builtins(self).items() if v}


def entry_for(entry: Entry, server: Server) -> Entry:
    """Return the entry with what was discovered in place of what it cannot know."""
    resource = {"resource": server.resource} if server.resource else {}
    found: dict[str, Any] = {
        **entry,
        "authorization_url": server.authorization_endpoint,
        "token_url": server.token_endpoint,
        "issuer": server.issuer,
        "authorization_response_iss_parameter_supported": server.says_issuer,
        "authorization_params": {**mapping(entry.get("authorization_params")), **resource},
        "token_params": {**mapping(entry.get("token_params")), **resource},
        "refresh_url": None,
        "refresh_params": {**mapping(entry.get("refresh_params")), **resource},
    }
    if server.auth_method == "client_secret_basic":
        found["authorization_method"] = "header"
    if server.pushed_authorization_request_endpoint:
        found["pushed_authorization_request_url"] = server.pushed_authorization_request_endpoint
    if server.revocation_endpoint:
        found["revocation"] = {"url": server.revocation_endpoint}
    return found


def entry_of_stored(entry: Entry, values: Mapping[str, Any]) -> Entry:
    """Return the entry as it was discovered when the credential was made."""
    raw = values.get("server")
    return entry_for(entry, Server.stored(mapping(raw))) if isinstance(raw, Mapping) else entry


def discover(url: str) -> Steps[Server]:
    """Find the authorization server of the MCP server at `url`; raise TokenRequestError where there is none."""
    base = checked(url, url)
    answer = yield _get(base)
    challenge = dict(_PARAMETER.findall(next((v for k, v in answer.headers if k.lower() == "www-authenticate"), "")))
    resource, issuer, scopes = None, None, tuple(str(challenge.get("scope") or "").split())
    for place in _resource_places(base, challenge.get("resource_metadata")):
        found = yield from _read(place)
        if found is None:
            continue
        resource = text_or_none(found.get("resource"))
        if resource is None or not _covers(resource, base):
            raise TokenRequestError("The server's metadata describe another resource (RFC 9728 section 3.3).")
        issuers = _texts(found.get("authorization_servers"))
        issuer = checked(issuers[0], base) if issuers else None
        scopes = scopes or _texts(found.get("scopes_supported"))
        break
    server = yield from server_at(issuer or _origin(base), base)
    return replace(server, resource=resource or base, scopes=scopes)


def server_at(issuer: str, base: str) -> Steps[Server]:
    """Read an authorization server's metadata; raise TokenRequestError where there are none to rely on."""
    for place in _server_places(issuer):
        found = yield from _read(place)
        if found is None:
            continue
        if str(found.get("issuer", "")).rstrip("/") != issuer.rstrip("/"):
            raise TokenRequestError("The authorization server's metadata name another issuer (RFC 8414 section 3.3).")
        authorize, token = (text_or_none(found.get(k)) for k in ("authorization_endpoint", "token_endpoint"))
        if authorize is None or token is None:
            raise TokenRequestError("The authorization server's metadata name no endpoints.")
        pushes = found.get("require_pushed_authorization_requests") is True
        if pushes and not text_or_none(found.get("pushed_authorization_request_endpoint")):
            raise TokenRequestError("The authorization server wants pushed requests but names no place for them.")
        challenges = found.get("code_challenge_methods_supported")
        if isinstance(challenges, list) and "S256" not in challenges:
            raise TokenRequestError("The authorization server does not take PKCE with S256.")
        return Server(
            issuer=str(found["issuer"]),
            authorization_endpoint=checked(authorize, base),
            token_endpoint=checked(token, base),
            registration_endpoint=_optional(found.get("registration_endpoint"), base),
            revocation_endpoint=_optional(found.get("revocation_endpoint"), base),
            pushed_authorization_request_endpoint=(
                _optional(found.get("pushed_authorization_request_endpoint"), base) if pushes else None
            ),
            auth_methods=_texts(found.get("token_endpoint_auth_methods_supported")),
            says_issuer=found.get("authorization_response_iss_parameter_supported") is True,
            takes_client_documents=found.get("client_id_metadata_document_supported") is True,
        )
    raise TokenRequestError("This server publishes no authorization server metadata (RFC 8414).")


def checked(url: str, base: str) -> str:
    """Return an address that may be used: plain http(s), no template in it, https unless `base` itself is not."""
    try:
        scheme, *_ = split_url(url)
        wanted, *_ = split_url(base)
    except DragomanError:
        raise TokenRequestError("The server's metadata hold something that is no address.") from None
    if "${" in url or (scheme != "https" and wanted == "https"):
        raise TokenRequestError("The server's metadata hold an address that may not be used.")
    return url


def _optional(value: object, base: str) -> str | None:
    text = text_or_none(value)
    return None if text is None else checked(text, base)


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(v) for v in value) if isinstance(value, list) else ()  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _covers(resource: str, url: str) -> bool:
    """Whether the described resource is the server asked: the same origin, and at or above its path."""
    mine, theirs = urlsplit(url), urlsplit(resource)
    path = theirs.path.rstrip("/")
    below = mine.path.rstrip("/") == path or mine.path.startswith(path + "/")
    return (mine.scheme, mine.netloc) == (theirs.scheme, theirs.netloc) and below


def _resource_places(base: str, stated: str | None) -> list[str]:
    well_known = f"{_origin(base)}/.well-known/oauth-protected-resource"
    path = urlsplit(base).path.rstrip("/")
    places = [checked(stated, base)] if stated else []
    return [*places, well_known + path, *([well_known] if path else [])]


def _server_places(issuer: str) -> list[str]:
    origin, path = _origin(issuer), urlsplit(issuer).path.rstrip("/")
    places = [
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}/.well-known/openid-configuration{path}",
    ]
    return [*places, f"{origin}{path}/.well-known/openid-configuration"] if path else places


def _get(url: str) -> TokenRequest:
    return TokenRequest("GET", url, [("accept", "application/json, text/event-stream")], None)


def _read(url: str) -> Steps[Mapping[str, Any] | None]:
    answer = yield _get(url)
    return decode_body(answer.body) if answer.status == 200 and answer.body.lstrip()[:1] == b"{" else None
