"""What may be put on the wire: URLs, header fields, redirect targets. Pure.

With `yarl.URL(..., encoded=True)` and hand-made headers nothing below us quotes or refuses a stray control character,
which would let a caller write a second request behind our credentials; so it is refused here.
"""

import re
from collections.abc import AsyncIterable, AsyncIterator, Sequence

from yarl import URL

from dragoman_server.egress.errors import InvalidRequestError, RedirectRefusedError

Headers = Sequence[tuple[str, str]]
Body = bytes | AsyncIterable[bytes] | None

TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_BAD_VALUE = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_PLAIN_URL = re.compile(r"https?://[^\s\x00-\x20\x7f-\uffff@/?#\\]+(?:[/?][\x21-\x7e]*)?", re.IGNORECASE)
_ONE_WRITE = 256 * 1024
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_MANAGED = frozenset(
    {
        "connection",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""The connection's own headers: never taken from a caller, so none can smuggle a second request or another host."""


def parse_url(text: str) -> URL:
    """Return `text` as an absolute http(s) URL, byte for byte where it is plain ASCII; raises InvalidRequestError."""
    try:
        if _PLAIN_URL.fullmatch(text):
            url = URL(text, encoded=True)
        elif _CONTROL.search(text) or "\\" in text:
            raise InvalidRequestError("The URL contains characters that may not be sent.")
        else:
            url = URL(text)
        port_is_valid = url.port != 0
    except ValueError as error:
        raise InvalidRequestError("The URL is not valid.") from error
    if url.scheme not in {"http", "https"} or not url.raw_host or not port_is_valid:
        raise InvalidRequestError("The URL must be absolute and begin with http:// or https://.")
    if url.raw_user is not None or url.raw_password is not None:
        raise InvalidRequestError("The URL must not contain a user name or password.")
    return url.with_fragment(None) if url.raw_fragment else url


def parse_location(base: URL, location: str) -> URL:
    """Return where a redirect leads; raises RedirectRefusedError for what is not an http(s) URL without credentials."""
    host = base.raw_host or ""
    try:
        # Raw UTF-8 in Location is common; aiohttp hands it over as surrogates.
        text = text_of(location.encode("utf-8", "surrogateescape")).strip()
        return parse_url(str(base.join(URL(text, encoded=_is_plain(text)))))
    except (InvalidRequestError, ValueError):
        raise RedirectRefusedError(host, "answered with a Location that cannot be followed") from None


def clean_headers(headers: Headers) -> list[tuple[str, str]]:
    """Return the headers without those the connection manages; raises InvalidRequestError for what is not HTTP."""
    kept: list[tuple[str, str]] = []
    for name, value in headers:
        if not TOKEN.fullmatch(name):
            raise InvalidRequestError("A header's name is not valid.")
        if _BAD_VALUE.search(value):
            raise InvalidRequestError(f"The header `{name}` has a value that may not be sent.")
        if name.lower() not in _MANAGED:
            kept.append((name, value))
    return kept


def _is_plain(text: str) -> bool:
    return text.isascii() and " " not in text


def text_of(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")


def frame_body(headers: list[tuple[str, str]], body: Body) -> tuple[list[tuple[str, str]], Body]:
    """Return headers and body whose lengths agree, whatever the caller stated.

    A length that is too large would leave the next request on a pooled connection, maybe another tenant's, to be read
    as the end of this body.
    """
    stated = [value for name, value in headers if name.lower() == "content-length"]
    rest = [(name, value) for name, value in headers if name.lower() != "content-length"] if stated else headers
    if isinstance(body, bytes) and len(body) > _ONE_WRITE:
        return [*rest, ("Content-Length", str(len(body)))], _slices(body)
    if body is None or isinstance(body, bytes) or not stated:
        return rest, body
    if len(stated) > 1 or not (stated[0].isascii() and stated[0].isdigit()):
        raise InvalidRequestError("The header `Content-Length` is not valid.")
    length = int(stated[0])
    return [*rest, ("Content-Length", str(length))], exactly(body, length)


async def _slices(body: bytes) -> AsyncIterator[bytes]:
    """Yield a large body in pieces: written in one go it would hold the event loop up."""
    view = memoryview(body)
    for start in range(0, len(body), _ONE_WRITE):
        yield bytes(view[start : start + _ONE_WRITE])


async def exactly(body: AsyncIterable[bytes], length: int) -> AsyncIterator[bytes]:
    """Yield `body`, raising (which breaks the connection) if it is not `length` bytes long."""
    left = length
    async for chunk in body:
        left -= len(chunk)
        if left < 0:
            raise InvalidRequestError("The request body is longer than its Content-Length.")
        yield chunk
    if left:
        raise InvalidRequestError("The request body is shorter than its Content-Length.")
