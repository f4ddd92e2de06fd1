"""Signatures checked by computations of our own, so that a wrong one is answered as its vendor would: with 401.

A vendor knows its customers' secrets; the simulator only those it was told (`World.tell`). Without one a signature is
checked for its shape alone, as `dragoman up --simulate` does, whose simulator is told nothing.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from dragoman_server.simulator.exchange import Received, RefusedError

if TYPE_CHECKING:
    from dragoman_server.simulator.world import World

_FORM = "application/x-www-form-urlencoded"
_DEFAULT_PORTS = {"http": 80, "https": 443}


def _refused(what: str) -> RefusedError:
    return RefusedError(401, "invalid_signature", f"The signature of the {what} is wrong.")


def same(stated: str, computed: str, what: str) -> None:
    """Raise RefusedError (401) unless both are equal."""
    if not hmac.compare_digest(stated.encode(), computed.encode()):
        raise _refused(what)


# -- OAuth 1 (RFC 5849 section 3.4) ----------------------------------------------------------------------------------


def check_oauth1(request: Received, fields: Mapping[str, str], *, secret: str, token_secret: str) -> None:
    """Check a signed request; `secret` is the client's, a PEM key with RSA-SHA1."""
    method, stated = fields["oauth_signature_method"], fields["oauth_signature"]
    joined = f"{_encode(secret)}&{_encode(token_secret)}"
    if method == "PLAINTEXT":
        same(stated, joined, "request")
        return
    text = base_string(request, fields)
    if method == "RSA-SHA1":
        try:
            _public(secret, rsa.RSAPublicKey).verify(
                base64.b64decode(stated),
                text.encode(),
                padding.PKCS1v15(),
                hashes.SHA1(),  # noqa: S303
            )
        except (InvalidSignature, binascii.Error):
            raise _refused("request") from None
        return
    kind = hashlib.sha256 if method == "HMAC-SHA256" else hashlib.sha1
    same(stated, base64.b64encode(hmac.digest(joined.encode(), text.encode(), kind)).decode(), "request")


def base_string(request: Received, fields: Mapping[str, str]) -> str:
    """Return what is signed (section 3.4.1)."""
    url = urlsplit(request.url)
    pairs = parse_qsl(url.query, keep_blank_values=True)
    pairs += [(name, value) for name, value in fields.items() if name not in {"realm", "oauth_signature"}]
    if request.headers.get("content-type", "").startswith(_FORM):
        pairs += parse_qsl(request.body.decode("latin-1"), keep_blank_values=True)
    joined = "&".join("=".join(pair) for pair in sorted((_encode(k), _encode(v)) for k, v in pairs))
    host = (url.hostname or "").lower()
    if url.port and url.port != _DEFAULT_PORTS.get(url.scheme):
        host += f":{url.port}"
    return "&".join((request.method.upper(), _encode(f"{url.scheme}://{host}{url.path or '/'}"), _encode(joined)))


def _encode(text: str) -> str:
    return quote(text, safe="-._~")


# -- WSSE ------------------------------------------------------------------------------------------------------------


def check_wsse(*, digest: str, nonce: str, created: str, password: str, hexadecimal: bool) -> None:
    """Check a user name token's digest."""
    sha1 = hashlib.sha1(f"{nonce}{created}{password}".encode())  # noqa: S324  the protocol's own
    wanted = base64.b64encode(sha1.hexdigest().encode() if hexadecimal else sha1.digest()).decode()
    same(digest, wanted, "user name token")


# -- JWT (RFC 7515) --------------------------------------------------------------------------------------------------


def read_jwt(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return header and claims, unchecked; raise RefusedError (401) where it is no JWT."""
    try:
        header, claims = (json.loads(_decode(part)) for part in token.split(".")[:2])
    except (ValueError, binascii.Error):
        raise _refused("token") from None
    if not isinstance(header, dict) or not isinstance(claims, dict):
        raise _refused("token")
    return cast("dict[str, Any]", header), cast("dict[str, Any]", claims)


def check_jwt(token: str, key: str) -> None:
    """Check a compact JWS; `key` is the PEM key, or the shared secret (hexadecimal or plain)."""
    algorithm = str(read_jwt(token)[0].get("alg"))
    signed, _, last = token.rpartition(".")
    text, kind, size = signed.encode(), algorithm[:2], algorithm[2:]
    digest = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}.get(size)
    try:
        stated = _decode(last)
        if digest is None:
            raise InvalidSignature
        if kind == "HS":
            secrets = [key.encode()]
            if len(key) % 2 == 0 and all(c in "0123456789abcdefABCDEF" for c in key):
                secrets.append(bytes.fromhex(key))
            if not any(hmac.compare_digest(stated, hmac.digest(s, text, f"sha{size}")) for s in secrets):
                raise InvalidSignature
        elif kind == "RS":
            _public(key, rsa.RSAPublicKey).verify(stated, text, padding.PKCS1v15(), digest())
        elif kind == "ES":
            half = len(stated) // 2
            der = encode_dss_signature(int.from_bytes(stated[:half]), int.from_bytes(stated[half:]))
            _public(key, ec.EllipticCurvePublicKey).verify(der, text, ec.ECDSA(digest()))
        else:
            raise InvalidSignature
    except (InvalidSignature, ValueError, binascii.Error):
        raise _refused("token") from None


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _public(pem: str, kind: Any) -> Any:
    data = pem.encode()
    key = load_pem_private_key(data, None).public_key() if b"PRIVATE" in data else load_pem_public_key(data)
    if not isinstance(key, kind):
        raise _refused("request")
    return key


# -- AWS Signature Version 4 -----------------------------------------------------------------------------------------


def check_aws(request: Received, secret: str) -> None:
    """Check the header's signature over the request as it arrived."""
    key, names, stated = aws_fields(request)
    _, day, region, service, end = key.split("/")
    path = urlsplit(request.url).path or "/"
    if service != "s3":
        path = quote(path, safe="/-_.~")
    pairs = [pair.partition("=") for pair in urlsplit(request.url).query.split("&") if pair]
    query = "&".join(sorted(f"{_encode(_plain(k))}={_encode(_plain(v))}" for k, _, v in pairs))
    host = urlsplit(request.url).netloc
    values = {**request.headers, "host": host}
    body = request.headers.get("x-amz-content-sha256") or hashlib.sha256(request.body).hexdigest()
    if body not in {"UNSIGNED-PAYLOAD", hashlib.sha256(request.body).hexdigest()}:
        raise _refused("body")
    lines = [f"{name}:{' '.join(values.get(name, '').split())}" for name in names]
    canonical = "\n".join([request.method, path, query, *lines, "", ";".join(names), body])
    stamp = request.headers.get("x-amz-date", "")
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{day}/{region}/{service}/{end}\n{digest}"
    signing = b"AWS4" + secret.encode()
    for piece in (day, region, service, end):
        signing = hmac.digest(signing, piece.encode(), hashlib.sha256)
    if not stamp.startswith(day) or "host" not in names or "x-amz-date" not in names:
        raise _refused("request")
    same(stated, hmac.digest(signing, text.encode(), hashlib.sha256).hex(), "request")


def _plain(text: str) -> str:
    return unquote(text.replace("+", " "))


def aws_fields(request: Received) -> tuple[str, list[str], str]:
    """Return credential scope, signed headers and signature; raise RefusedError (401) where the header is not whole."""
    header = request.headers.get("authorization", "")
    pairs = (part.partition("=") for part in header.removeprefix("AWS4-HMAC-SHA256").split(","))
    found = {name.strip(): value.strip() for name, _, value in pairs}
    scope = found.get("Credential", "")
    if not header.startswith("AWS4-HMAC-SHA256 ") or scope.count("/") != 4 or not found.get("Signature"):
        raise RefusedError(401, "missing_signature", "The request is not signed (AWS Signature Version 4).")
    return scope, found.get("SignedHeaders", "").split(";"), found["Signature"]


def known(world: "World", name: str) -> str | None:
    """Return the secret the simulator was told for a client, a user, a token, an app or an entry."""
    return world.told.get(name)
