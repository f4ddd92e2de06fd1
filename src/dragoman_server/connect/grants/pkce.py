"""Proof Key for Code Exchange, S256 only (RFC 7636)."""

import base64
import hashlib
import secrets


def new_verifier() -> str:
    """Return a fresh code verifier of 256 random bits (section 4.1)."""
    return secrets.token_urlsafe(32)


def challenge(verifier: str) -> str:
    """Return the S256 challenge of `verifier` (section 4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
