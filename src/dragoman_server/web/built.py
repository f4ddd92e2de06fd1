"""Built pages of a browser application: read once at start, compressed once, answered from memory."""

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dragoman_server.web.asgi import Scope, Send

Headers = list[tuple[bytes, bytes]]
START = "index.html"
HTML = "text/html; charset=utf-8"
_TYPES: Mapping[str, str] = {
    ".css": "text/css; charset=utf-8",
    ".html": HTML,
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".map": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
_PACKED_ALREADY = frozenset({".png", ".webp", ".woff2", ".ico"})
HASHED = "assets/"
"""Names below it carry a hash of their content: they never change."""
_FOREVER = b"public, max-age=31536000, immutable"
_ASK_AGAIN = b"no-cache"


@dataclass(frozen=True, slots=True)
class BuiltFile:
    body: bytes = field(repr=False)
    packed: bytes | None = field(repr=False)
    content_type: bytes
    etag: bytes
    caching: bytes


@dataclass(frozen=True, slots=True)
class BuiltPages:
    """The files of one build. Its `pages` (HTML) are apart: the door renders them anew for each answer."""

    pages: Mapping[str, bytes] = field(repr=False)
    files: Mapping[str, BuiltFile]

    @classmethod
    def read(cls, folder: Path) -> "BuiltPages | None":
        """Return what was built into `folder`; None when nothing was."""
        if not (folder / START).is_file():
            return None
        found = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.suffix in _TYPES}
        pages = {name: path.read_bytes() for name, path in found.items() if path.suffix == ".html"}
        return cls(pages, {name: _read(name, path) for name, path in found.items() if name not in pages})


def _read(name: str, path: Path) -> BuiltFile:
    body = path.read_bytes()
    packed = None if path.suffix in _PACKED_ALREADY else gzip.compress(body, 6, mtime=0)
    return BuiltFile(
        body,
        packed if packed is not None and len(packed) < len(body) else None,
        _TYPES[path.suffix].encode(),
        b'"%s"' % hashlib.sha256(body).hexdigest()[:32].encode(),
        _FOREVER if name.startswith(HASHED) else _ASK_AGAIN,
    )


async def send_file(scope: Scope, send: Send, file: BuiltFile) -> None:
    """Answer GET or HEAD with the file, packed where the browser takes that; 304 where it has it already."""
    asked = {name: value for name, value in scope["headers"] if name in {b"if-none-match", b"accept-encoding"}}
    headers: Headers = [(b"etag", file.etag), (b"cache-control", file.caching), (b"vary", b"Accept-Encoding")]
    if _has(asked.get(b"if-none-match", b""), file.etag):
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body", "body": b""})
        return
    body = file.body
    if file.packed is not None and _takes_gzip(asked.get(b"accept-encoding", b"")):
        body = file.packed
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-type", file.content_type))
    await send_whole(scope, send, 200, headers, body)


async def send_whole(scope: Scope, send: Send, status: int, headers: Headers, body: bytes) -> None:
    """Answer at once; to HEAD without the body."""
    headers = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _has(if_none_match: bytes, etag: bytes) -> bool:
    """Weak comparison (RFC 9110, 13.1.2)."""
    return any(one.strip().removeprefix(b"W/") in {etag, b"*"} for one in if_none_match.split(b","))


def _takes_gzip(accept_encoding: bytes) -> bool:
    for one in accept_encoding.lower().split(b","):
        coding, _, weight = one.partition(b";")
        if coding.strip() in {b"gzip", b"*"}:
            return weight.replace(b" ", b"") not in {b"q=0", b"q=0.0", b"q=0.00", b"q=0.000"}
    return False
