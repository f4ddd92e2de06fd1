"""Tokens bound to a key of ours (DPoP, RFC 9449): making the key, the proofs, and remembering the servers' nonces.

A key is the text of a private JWK with its `alg`; a connection has its own. Proofs are made for one request each.
"""

import base64
import hashlib
import secrets
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import msgspec

from dragoman_server.providers.model import Credential

SCHEME = "DPoP"
USUAL_ALGORITHM = "ES256"
WANTS_NONCE = "use_dpop_nonce"
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_RSA_BITS = 2048
_LONGEST_NONCE = 1024
_KEPT = 4096

HeaderOf = Callable[[str], str | None]


def new_key(algorithm: str = USUAL_ALGORITHM) -> str:
    """Return a fresh private key for `algorithm`."""
    from joserfc.jwk import ECKey, RSAKey

    curve = _CURVES.get(algorithm)
    made: Any = ECKey.generate_key(curve) if curve else RSAKey.generate_key(_RSA_BITS)
    return msgspec.json.encode({**made.as_dict(private=True), "alg": algorithm}).decode()


def thumbprint(key: str) -> str:
    """Return the public key's SHA-256 thumbprint (RFC 7638), the `dpop_jkt` of an authorization request."""
    return _loaded(key)[3]


def proof(key: str, *, method: str, url: str, now: datetime, nonce: str | None = None, token: str | None = None) -> str:
    """Return the proof for one request (section 4.2); with `token` for a resource server, which wants its hash."""
    from joserfc import jwt

    private, public, algorithm, _ = _loaded(key)
    claims: dict[str, Any] = {
        "jti": secrets.token_urlsafe(18),
        "htm": method,
        "htu": url.partition("?")[0].partition("#")[0],
        "iat": int(now.timestamp()),
    }
    if nonce is not None:
        claims["nonce"] = nonce
    if token is not None:
        claims["ath"] = base64.urlsafe_b64encode(hashlib.sha256(token.encode()).digest()).rstrip(b"=").decode()
    header = {"typ": "dpop+jwt", "alg": algorithm, "jwk": public}
    return jwt.encode(header, claims, private, algorithms=[algorithm])


def bound_key(credential: Credential) -> str | None:
    """Return the key the credential's token is bound to; None for an ordinary bearer token."""
    key = credential.values.get("dpop_key")
    return key if isinstance(key, str) and key and credential.values.get("token_type") == SCHEME else None


def resource_wants_nonce(status: int, header: HeaderOf) -> bool:
    """Whether a resource server refused a request only because it wants a nonce of its own in the proof (section 9)."""
    return status == 401 and WANTS_NONCE in (header("www-authenticate") or "") and bool(header("dpop-nonce"))


@lru_cache(maxsize=1024)
def _loaded(key: str) -> tuple[Any, Mapping[str, Any], str, str]:
    from joserfc.jwk import JWKRegistry

    raw = msgspec.json.decode(key.encode(), type=dict[str, Any])
    algorithm = str(raw.pop("alg"))
    private = JWKRegistry.import_key(raw)
    public = {k: v for k, v in private.as_dict(private=False).items() if k in {"kty", "crv", "x", "y", "n", "e"}}
    return private, public, algorithm, private.thumbprint()


class Nonces:
    """The newest nonce of each server, for each key; the oldest are forgotten. A lost one costs a repeated request."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], str] = {}

    def of(self, key: str, url: str) -> str | None:
        return self._known.get(_place(key, url))

    def learn(self, key: str, url: str, nonce: str | None) -> None:
        """Remember what an answer's `DPoP-Nonce` header said, if it had a usable one."""
        if not nonce or len(nonce) > _LONGEST_NONCE or not nonce.isascii() or not nonce.isprintable():
            return
        place = _place(key, url)
        self._known.pop(place, None)
        while len(self._known) >= _KEPT:
            del self._known[next(iter(self._known))]
        self._known[place] = nonce


def _place(key: str, url: str) -> tuple[str, str]:
    return thumbprint(key), urlsplit(url).netloc.lower()
