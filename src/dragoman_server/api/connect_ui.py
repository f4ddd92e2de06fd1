"""The door of the Connect UI: its files under `/connect-ui/`, and a policy that lets them talk to this server only.

The start page may be framed, by whom `DRAGOMAN_CONNECT_FRAME_ANCESTORS` names; every other page of ours refuses frames.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from dragoman_server.kit.errors import NotFoundError
from dragoman_server.web.asgi import Receive, Scope, Send
from dragoman_server.web.built import HTML, START, BuiltPages, Headers, send_file, send_whole

PATH = "/connect-ui"
NONCE_PLACE = b"__CSP_NONCE__"
NONCE_BYTES = 16
NOT_BUILT = b"The Connect UI is not built. Run `make ui`, then start the server again.\n"
_PLAIN: Headers = [
    (b"content-type", b"text/plain; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
]


class ConnectUiDoor:
    """`count` counts a call against its address. Without `pages` every answer says how to get them."""

    def __init__(
        self,
        *,
        pages: BuiltPages | None,
        public_url: str,
        frame_ancestors: str,
        count: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._built = pages
        self._pages = {name: body.split(NONCE_PLACE) for name, body in pages.pages.items()} if pages else {}
        self._policies = {
            name: content_policy(public_url, frame_ancestors if name == START else "'none'") for name in self._pages
        }
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        self._count(scope)
        if scope["method"] not in {"GET", "HEAD"}:
            raise NotFoundError(f"{scope['method']} {path} does not exist.")
        if self._built is None:
            await send_whole(scope, send, 503, _PLAIN, NOT_BUILT)
            return
        if path == PATH:
            await _add_slash(scope, send)
            return
        name = path.removeprefix(f"{PATH}/") or START
        if name in self._pages:
            await self._send_page(scope, send, name)
        elif name in self._built.files:
            await send_file(scope, send, self._built.files[name])
        else:
            raise NotFoundError(f"{scope['method']} {path[:200]} does not exist.")

    async def _send_page(self, scope: Scope, send: Send, name: str) -> None:
        nonce = secrets.token_urlsafe(NONCE_BYTES).encode()
        headers: Headers = [
            (b"content-type", HTML.encode()),
            (b"cache-control", b"no-store"),
            (b"content-security-policy", self._policies[name].replace(NONCE_PLACE, nonce)),
            # The callback page answers to the origin its popup was opened from; never a path, a link holds a token.
            (b"referrer-policy", b"strict-origin"),
        ]
        if name == START:
            # Its popups keep their opener; a window that opened this page gets no hold of it. The popup's own page has
            # no such header: opened from a frame, it would lose the page that waits for it.
            headers.append((b"cross-origin-opener-policy", b"same-origin-allow-popups"))
        else:
            headers.append((b"x-frame-options", b"DENY"))
        await send_whole(scope, send, 200, headers, nonce.join(self._pages[name]))


def content_policy(public_url: str, frame_ancestors: str) -> bytes:
    """Return the policy with a place for the nonce. The page talks to this server, its socket, and to nobody else."""
    parts = urlsplit(public_url)
    origin = f"{parts.scheme}://{parts.netloc}"
    socket = f"{'wss' if parts.scheme == 'https' else 'ws'}://{parts.netloc}"
    rules = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": f"'self' 'nonce-{NONCE_PLACE.decode()}'",
        "img-src": "'self' data:",
        "font-src": "'self'",
        "connect-src": f"'self' {origin} {socket}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "object-src": "'none'",
        "frame-ancestors": frame_ancestors,
    }
    return "; ".join(f"{name} {value}" for name, value in rules.items()).encode()


async def _add_slash(scope: Scope, send: Send) -> None:
    """Names in the page are relative to `/connect-ui/`. Relative, too: a proxy may have put us below a path."""
    query: bytes = scope.get("query_string", b"")
    target = b"connect-ui/" + (b"?" + query if query else b"")
    headers: Headers = [(b"location", target), (b"cache-control", b"no-store")]
    await send_whole(scope, send, 308, headers, b"")
