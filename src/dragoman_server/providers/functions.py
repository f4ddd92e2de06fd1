"""The functions a template may call. All pure; a bad key or text raises `TemplateError` and never shows the value."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from dragoman_server.providers.errors import TemplateError
from dragoman_server.providers.sigv4 import Signable, authorization


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def to_base64(text: str) -> str:
    return base64.b64encode(_bytes(text)).decode()


def sha256_hex(text: str) -> str:
    return hashlib.sha256(_bytes(text)).hexdigest()


def sha256_base64(text: str) -> str:
    return base64.b64encode(hashlib.sha256(_bytes(text)).digest()).decode()


def hmac_sha1_hex(message: str, key: str) -> str:
    return hmac.new(_bytes(key), _bytes(message), hashlib.sha1).hexdigest()


def ed25519_sign(message: str, pem: str) -> str:
    """Return the signature of `message` under a PEM private key, as base64."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(_pem(pem), password=None)
    except Exception as error:  # foreign code: every way a key can be malformed
        raise TemplateError("`ed25519Sign` was given something that is no PEM private key.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise TemplateError("`ed25519Sign` needs an Ed25519 private key.")
    return base64.b64encode(key.sign(_bytes(message))).decode()


def fingerprint(pem: str) -> str:
    """Return `SHA256:<base64>` of a key's public half (DER), or a certificate's base64url SHA-1 (RFC 7515's `x5t`)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
        load_pem_public_key,
    )

    data = _pem(pem)
    try:
        if b"BEGIN CERTIFICATE" in data:
            digest = x509.load_pem_x509_certificate(data).fingerprint(hashes.SHA1())  # noqa: S303
            return base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if b"PRIVATE KEY" in data:
            public = load_pem_private_key(data, password=None).public_key()
        else:
            public = load_pem_public_key(data)
        der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except Exception as error:  # foreign code: every way a key can be malformed
        raise TemplateError("`fingerprint` was given something that is no PEM key or certificate.") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()


def _pem(text: str) -> bytes:
    """Undo forms that turn the line ends of a pasted key into a backslash and an n."""
    return _bytes(text.replace("\\n", "\n").strip())


def aws_sig_v4(arguments: Sequence[str], request: Signable | None, now: datetime | None) -> str:
    """Return the `Authorization` value that signs `request`: awsSigV4(key, secret, region, service[, host])."""
    if request is None or now is None:
        raise TemplateError("`awsSigV4` can only stand in a header or query of a request.")
    key, secret, region, service = arguments[:4]
    host = arguments[4] if len(arguments) > 4 else None
    return authorization(request, key=key, secret=secret, region=region, service=service, now=now, host=host)


PURE: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        "base64": to_base64,
        "sha256Hex": sha256_hex,
        "sha256Base64": sha256_base64,
        "hmacSha1Hex": hmac_sha1_hex,
        "ed25519Sign": ed25519_sign,
        "fingerprint": fingerprint,
    }
)
ARITY: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "base64": (1, 1),
        "sha256Hex": (1, 1),
        "sha256Base64": (1, 1),
        "hmacSha1Hex": (2, 2),
        "ed25519Sign": (2, 2),
        "fingerprint": (1, 1),
        "awsSigV4": (4, 5),
    }
)
