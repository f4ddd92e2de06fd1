"""OAuth 1.0a (RFC 5849) as a vendor: temporary token, consent, token. Whole headers are asked for, and right signatures
of clients whose secret the simulator was told.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlencode, urlsplit

from dragoman_server.providers.model import AuthMode, Provider
from dragoman_server.simulator import signatures
from dragoman_server.simulator.exchange import Answer, Received, RefusedError
from dragoman_server.simulator.tokens import Kind, Minted

if TYPE_CHECKING:
    from dragoman_server.simulator.world import World

_ALWAYS = frozenset(
    {"oauth_consumer_key", "oauth_nonce", "oauth_signature", "oauth_signature_method", "oauth_timestamp"}
)
_SECRET = "simulated-secret"  # noqa: S105 (of tokens that open nothing)
_SECONDS = 600


def signed_fields(provider: Provider, request: Received, *needed: str) -> dict[str, str]:
    """Return the header's fields; raise RefusedError (401) unless it is whole (section 3.5.1)."""
    header = request.headers.get("authorization", "")
    found = re.findall(r'(\w+)="([^"]*)"', header) if header.startswith("OAuth ") else []
    fields = {name: unquote(value) for name, value in found}
    tba = provider.auth_mode is AuthMode.TBA
    if not all(fields.get(name) for name in (*_ALWAYS, *needed, *(["realm"] if tba else []))):
        raise RefusedError(401, "unauthorized", "The request is not signed (RFC 5849).")
    if fields["oauth_signature_method"] != (
        provider.get("signature_method") or ("HMAC-SHA256" if tba else "HMAC-SHA1")
    ):
        raise RefusedError(401, "unauthorized", "The request is signed by another method than the vendor's.")
    return fields


def check(world: "World", provider: Provider, request: Received, fields: Mapping[str, str]) -> None:
    """Check the signature, where the client's secret is known (section 3.2)."""
    secret = signatures.known(world, fields["oauth_consumer_key"])
    own = provider.auth_mode is AuthMode.TBA
    token_secret = signatures.known(world, fields["oauth_token"]) if own else _SECRET if "oauth_token" in fields else ""
    if secret is not None and token_secret is not None:
        signatures.check_oauth1(request, fields, secret=secret, token_secret=token_secret)


def temporary(world: "World", provider: Provider, request: Received) -> Answer:
    """Section 2.1."""
    fields = signed_fields(provider, request, "oauth_callback")
    check(world, provider, request, fields)
    token = _mint(world, provider, "code", fields["oauth_consumer_key"], fields["oauth_callback"])
    return _form({"oauth_token": token, "oauth_token_secret": _SECRET, "oauth_callback_confirmed": "true"})


def consent(world: "World", provider: Provider, request: Received, *, granted: bool) -> Answer:
    """Section 2.2."""
    asked = world.read_token(request.query.get("oauth_token", ""), "code", provider)
    text = request.query["oauth_token"]
    told = {"oauth_token": text, "oauth_verifier": asked.family} if granted else {"denied": text}
    joint = "&" if urlsplit(asked.redirect_uri).query else "?"
    return Answer(302, headers={"location": f"{asked.redirect_uri}{joint}{urlencode(told)}"})


def token(world: "World", provider: Provider, request: Received) -> Answer:
    """Section 2.3."""
    fields = signed_fields(provider, request, "oauth_token", "oauth_verifier")
    check(world, provider, request, fields)
    asked = world.read_token(fields["oauth_token"], "code", provider)
    wrong = asked.client != fields["oauth_consumer_key"] or asked.family != fields["oauth_verifier"]
    if wrong or asked.family in world.used_codes:
        raise RefusedError(401, "token_rejected", "The temporary token was used, or is another client's.")
    world.used_codes.add(asked.family)
    return _form({"oauth_token": _mint(world, provider, "access", asked.client), "oauth_token_secret": _SECRET})


def _mint(world: "World", provider: Provider, kind: Kind, client: str, redirect_uri: str = "") -> str:
    expires = world.now() + _SECONDS if kind == "code" else 0
    return Minted(kind, provider.name, client, world.new_family(), 0, expires, redirect_uri).text()


def _form(fields: dict[str, str]) -> Answer:
    return Answer(200, urlencode(fields), {"content-type": "application/x-www-form-urlencoded"}, html=True)
