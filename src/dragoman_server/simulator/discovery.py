"""MCP servers whose address a person types in: the metadata (RFC 9728, RFC 8414) and endpoints on that very host."""

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dragoman_server.providers.model import Provider
from dragoman_server.simulator import authorize, token
from dragoman_server.simulator.exchange import Answer, Received, RefusedError

if TYPE_CHECKING:
    from dragoman_server.simulator.world import World

_RESOURCE = "/.well-known/oauth-protected-resource"
_SERVER = "/.well-known/oauth-authorization-server"
_PLACE = "/simulated-login/"


def page_of(url: str) -> str:
    """Return the path and query of the simulator's own page for a consent page named by `metadata`, else nothing."""
    parts = urlsplit(url)
    name = parts.path.removeprefix(f"{_PLACE}authorize/")
    return "" if name == parts.path else f"{name}?{parts.query}"


def answer(world: "World", provider: Provider, request: Received, *, granted: bool = True) -> Answer | None:
    """Answer for the authorization server; None where the request is for the MCP server itself."""
    url = urlsplit(request.url)
    origin = f"{url.scheme}://{url.netloc}"
    if url.path.startswith(_RESOURCE):
        resource = origin + url.path.removeprefix(_RESOURCE)
        return Answer(200, {"resource": resource, "authorization_servers": [origin], "scopes_supported": ["read"]})
    if url.path == _SERVER:
        return Answer(200, metadata(origin, provider.name))
    if not url.path.startswith(_PLACE):
        return None
    match url.path.removeprefix(_PLACE).partition("/")[0]:
        case "authorize":
            _check_resource(request.query.get("resource"))
            return authorize.answer(world, provider, request, granted=granted)
        case "token":
            _check_resource(request.form.get("resource"))
            return token.answer(world, provider, request)
        case "register":
            return token.register(world, provider, request)
        case "revoke":
            return token.revoke(world, provider, request)
        case _:
            return None


def metadata(origin: str, name: str) -> dict[str, object]:
    """Return the authorization server's metadata (RFC 8414 section 2) for the entry `name`."""
    return {
        "issuer": origin,
        "authorization_endpoint": f"{origin}{_PLACE}authorize/{name}",
        "token_endpoint": f"{origin}{_PLACE}token",
        "registration_endpoint": f"{origin}{_PLACE}register",
        "revocation_endpoint": f"{origin}{_PLACE}revoke",
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
    }


def _check_resource(resource: str | None) -> None:
    if not resource:
        raise RefusedError(400, "invalid_target", "`resource` is missing (RFC 8707).")
