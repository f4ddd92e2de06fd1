"""Client authentication by a signed assertion, `private_key_jwt` (RFC 7523 section 2.2, OpenID Connect Core 9)."""

import secrets
from datetime import UTC, datetime

from dragoman_server.connect.errors import InvalidCredentialsError
from dragoman_server.connect.grants.keys import algorithm_of, signing_key
from dragoman_server.connect.grants.model import Client

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LIFE_SECONDS = 300


def params(client: Client, *, audience: str, now: datetime | None) -> dict[str, str]:
    """Return what stands in a token request instead of a secret; raise InvalidCredentialsError without a usable key."""
    from joserfc import jwt

    text = client.private_key or client.client_secret
    if not text:
        raise InvalidCredentialsError("This provider wants a private key (PEM or JWK) to authenticate with.")
    key = signing_key(text, "client_private_key")
    algorithm = str(key.get("alg") or algorithm_of(key))
    header = {"alg": algorithm, "typ": "JWT"}
    if key.get("kid"):
        header["kid"] = str(key.get("kid"))
    issued = int((now or datetime.now(UTC)).timestamp())
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": audience,
        "jti": secrets.token_urlsafe(24),
        "iat": issued,
        "exp": issued + LIFE_SECONDS,
    }
    assertion = jwt.encode(header, claims, key, algorithms=[algorithm])
    return {"client_id": client.client_id, "client_assertion_type": TYPE, "client_assertion": assertion}
