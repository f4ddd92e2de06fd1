"""AWS Signature Version 4 for headers, as AWS documents it ("Create a signed AWS API request"). Pure."""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote, urlsplit

_ALWAYS_SIGNED = ("host", "content-type")
UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True)
class Signable:
    """The request to sign: its final URL, the headers it will carry, and its body where that is known."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | None = b""
    """None: a stream of unknown content, signed as `UNSIGNED-PAYLOAD` (S3 alone takes that)."""


def amz_date(now: datetime) -> str:
    return now.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")


def payload_hash(body: bytes | None) -> str:
    return UNSIGNED if body is None else hashlib.sha256(body).hexdigest()


def authorization(
    request: Signable, *, key: str, secret: str, region: str, service: str, now: datetime, host: str | None = None
) -> str:
    """Return the `Authorization` header. Signs host, content-type and every x-amz-* header the request carries."""
    stamp = next((v for k, v in request.headers if k.lower() == "x-amz-date"), None) or amz_date(now)
    day = stamp[:8]
    url = urlsplit(request.url)
    headers = _signed_headers(request, host or url.netloc, stamp)
    names = ";".join(name for name, _ in headers)
    declared = next((v for k, v in headers if k == "x-amz-content-sha256"), None)
    canonical = "\n".join(
        [
            request.method.upper(),
            _canonical_path(url.path, service),
            canonical_query(url.query),
            *(f"{name}:{value}" for name, value in headers),
            "",
            names,
            declared or payload_hash(request.body),
        ]
    )
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{digest}"
    signing_key = f"AWS4{secret}".encode("utf-8", "surrogatepass")
    for piece in (day, region, service, "aws4_request"):
        signing_key = hmac.new(signing_key, piece.encode(), hashlib.sha256).digest()
    signature = hmac.new(signing_key, to_sign.encode(), hashlib.sha256).hexdigest()
    return f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"


def _signed_headers(request: Signable, host: str, stamp: str) -> list[tuple[str, str]]:
    found: dict[str, list[str]] = {"host": [host], "x-amz-date": [stamp]}
    for raw_name, value in request.headers:
        name = raw_name.lower()
        if name in {"host", "x-amz-date"}:
            continue
        if name in _ALWAYS_SIGNED or name.startswith("x-amz-"):
            found.setdefault(name, []).append(" ".join(value.split()))
    return sorted((name, ",".join(values)) for name, values in found.items())


def _canonical_path(path: str, service: str) -> str:
    """S3 signs the path as sent; every other service signs it encoded once more."""
    if not path:
        return "/"
    return path if service == "s3" else quote(path, safe="/-_.~")


def canonical_query(query: str) -> str:
    """Return the query with names and values RFC 3986 encoded, sorted by name, then value."""
    pairs: list[tuple[str, str]] = []
    for piece in query.split("&") if query else []:
        name, _, value = piece.partition("=")
        pairs.append((_encode(name), _encode(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _encode(text: str) -> str:
    return quote(
        unquote(text.replace("+", "%20"), errors="surrogateescape").encode("utf-8", "surrogateescape"), safe="-_.~"
    )
