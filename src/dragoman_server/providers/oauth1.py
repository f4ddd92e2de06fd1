"""OAuth 1.0a request signatures (RFC 5849), by oauthlib. Pure: time and nonce are arguments.

RSA-SHA1 is signed with `cryptography`, so that oauthlib's optional dependency is not needed.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from dragoman_server.providers.errors import InvalidEndpointError, TemplateError

FORM = "application/x-www-form-urlencoded"
METHODS = ("HMAC-SHA1", "HMAC-SHA256", "PLAINTEXT", "RSA-SHA1")


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signs: the developer app (`secret` is a PEM key with RSA-SHA1) and the token, if there is one yet."""

    method: str
    key: str
    secret: str = field(repr=False)
    token: str | None = field(repr=False, default=None)
    token_secret: str | None = field(repr=False, default=None)
    realm: str | None = None
    callback: str | None = field(repr=False, default=None)
    verifier: str | None = field(repr=False, default=None)


def authorization(
    signer: Signer,
    *,
    method: str,
    url: str,
    headers: Sequence[tuple[str, str]] = (),
    body: bytes | None = None,
    now: datetime,
    nonce: str,
) -> str:
    """Return the `Authorization` header. A form body is signed with the request, any other is not."""
    import oauthlib.oauth1.rfc5849 as library  # pyright: ignore[reportMissingTypeStubs]

    kind = next((v for k, v in headers if k.lower() == "content-type"), "")
    form = body.decode("latin-1") if body and kind.lower().startswith(FORM) else None
    client: Any = _client_class(library)(
        signer.key,
        client_secret=signer.secret,
        resource_owner_key=signer.token,
        resource_owner_secret=signer.token_secret,
        callback_uri=signer.callback,
        verifier=signer.verifier,
        signature_method=signer.method,
        rsa_key=signer.secret if signer.method == "RSA-SHA1" else None,
        realm=signer.realm,
        timestamp=str(int(now.timestamp())),
        nonce=nonce.replace("-", ""),
    )
    sent = {"Content-Type": FORM} if form is not None else {}
    try:
        _, signed, _ = client.sign(url, http_method=method, body=form, headers=sent)
    except ValueError as error:
        raise InvalidEndpointError("The query or form of this request cannot be signed: it is not encoded.") from error
    return str(signed["Authorization"])


_made: list[Any] = []


def _client_class(library: Any) -> Any:
    """Oauthlib's client with our RSA; made at the first use, for importing it takes time."""
    if not _made:
        methods = {**library.Client.SIGNATURE_METHODS, "RSA-SHA1": _sign_rsa_sha1}
        _made.append(type("Client", (library.Client,), {"SIGNATURE_METHODS": methods}))
    return _made[0]


def _sign_rsa_sha1(base_string: str, client: Any) -> str:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(str(client.rsa_key).replace("\\n", "\n").strip().encode(), password=None)
    except Exception as error:  # foreign code: every way a key can be malformed
        raise TemplateError("The app's secret is no PEM private key, which RSA-SHA1 needs.") from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise TemplateError("RSA-SHA1 needs an RSA private key.")
    return base64.b64encode(key.sign(base_string.encode(), padding.PKCS1v15(), hashes.SHA1())).decode()  # noqa: S303
