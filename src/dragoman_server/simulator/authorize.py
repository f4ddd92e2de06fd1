"""The consent page (RFC 6749 section 4.1.1, RFC 7636): checks what it is asked and sends the browser back."""

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from dragoman_server.providers.model import AuthMode, Provider
from dragoman_server.simulator import installations, oauth1
from dragoman_server.simulator.exchange import Answer, Received, RefusedError
from dragoman_server.simulator.filling import example_of
from dragoman_server.simulator.tokens import Minted

if TYPE_CHECKING:
    from dragoman_server.simulator.world import World

CODE_SECONDS = 600
_CODES = frozenset({AuthMode.OAUTH2, AuthMode.MCP_OAUTH2, AuthMode.MCP_OAUTH2_GENERIC, AuthMode.CUSTOM})
_INSTALLED = frozenset({AuthMode.APP, AuthMode.CUSTOM, AuthMode.INSTALL_PLUGIN})
_APPROVED = frozenset({AuthMode.APP, AuthMode.CUSTOM})
"""Modes in which somebody else may have to approve the installation first."""


def answer(world: "World", provider: Provider, request: Received, *, granted: bool = True) -> Answer:
    """Redirect back with a code and the state, or with `access_denied`; refuse a request the vendor could not take."""
    query = request.query
    if request.method != "GET":
        raise RefusedError(405, "invalid_request", "A browser comes with GET.")
    if provider.auth_mode is AuthMode.OAUTH1:
        return oauth1.consent(world, provider, request, granted=granted)
    if provider.auth_mode in _INSTALLED and "back" in query:
        return installations.install(world, provider, request, granted=granted)
    if provider.auth_mode not in _CODES:
        raise RefusedError(404, "invalid_request", f"{provider.auth_mode.value} is not simulated here.")
    for name in ("client_id", "redirect_uri", "state"):
        if not query.get(name):
            raise RefusedError(400, "invalid_request", f"`{name}` is missing.")
    if query.get("response_type") != "code":
        raise RefusedError(400, "unsupported_response_type", "`response_type` must be `code`.")
    back = urlsplit(query["redirect_uri"])
    if back.scheme not in {"http", "https"} or not back.netloc or back.fragment:
        raise RefusedError(400, "invalid_request", "`redirect_uri` must be absolute and without fragment.")
    _check_pkce(provider, query)
    if not granted:
        return _back(query["redirect_uri"], {"error": "access_denied", "state": query["state"]})
    code = Minted(
        kind="code",
        provider=provider.name,
        client=query["client_id"],
        family=world.new_family(),
        number=0,
        expires=world.now() + CODE_SECONDS,
        redirect_uri=query["redirect_uri"],
        challenge=query.get("code_challenge", ""),
        scope=query.get("scope", "") or ("user" if query.get("user_scope") else ""),
    )
    told = {str(provider.get("authorization_code_param_in_callback") or "code"): code.text(), "state": query["state"]}
    for name in provider.get("redirect_uri_metadata") or ():
        told[str(name)] = example_of(provider, str(name))
    issuer = provider.get("issuer")
    if isinstance(issuer, str) and "${" not in issuer:
        told["iss"] = issuer
    return _back(query["redirect_uri"], told)


def _check_pkce(provider: Provider, query: dict[str, str]) -> None:
    challenge, method = query.get("code_challenge"), query.get("code_challenge_method")
    if provider.get("disable_pkce"):
        if challenge:
            raise RefusedError(400, "invalid_request", "This vendor does not take a code challenge.")
    elif not challenge or method != "S256":
        raise RefusedError(400, "invalid_request", "`code_challenge` with method S256 is missing (RFC 7636).")


def _back(redirect_uri: str, told: dict[str, str]) -> Answer:
    joint = "&" if urlsplit(redirect_uri).query else "?"
    return Answer(302, headers={"location": f"{redirect_uri}{joint}{urlencode(told)}"})


def page(provider: Provider, query: str) -> Answer:
    """A page that lets a person decide, for browsers."""
    name, asked = escape(provider.display_name), escape(query, quote=True)
    choices = {"deny": "Deny"} | ({"request": "Ask an owner"} if provider.auth_mode in _APPROVED else {})
    others = "".join(f'<a href="?{asked}&amp;simulate={word}">{text}</a>' for word, text in choices.items())
    text = f"""<!doctype html><html lang="en"><meta charset="utf-8"><title>{name} (simulated)</title>
<link rel="icon" href="data:,">
<style>body{{font:16px system-ui;max-width:28rem;margin:15vh auto;text-align:center}}a{{display:inline-block;
margin:1rem;padding:.6rem 1.6rem;border-radius:.4rem;border:1px solid #888;color:inherit;text-decoration:none}}
a.yes{{background:#1a6b3c;color:#fff}}</style>
<h1>{name}</h1><p>This page plays {name}: no account is touched and nothing leaves this machine.</p>
<a class="yes" href="?{asked}&amp;simulate=allow">Allow</a>{others}</html>"""
    return Answer(200, text, html=True)
