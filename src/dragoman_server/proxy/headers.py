"""Which headers of an upstream's answer reach the caller. Pure, and on the hot path: bytes in, bytes out."""

from collections.abc import Sequence

_STRIPPED = frozenset(
    {
        # this hop's own (RFC 9110 section 7.6.1)
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authenticate-info",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        # said by the upstream about its own origin; from ours they would bind our pages, or our callers to it
        b"alt-svc",
        b"clear-site-data",
        b"nel",
        b"public-key-pins",
        b"report-to",
        b"reporting-endpoints",
        b"service-worker-allowed",
        b"set-cookie",
        b"set-cookie2",
        b"strict-transport-security",
        # our server writes its own
        b"date",
        b"server",
        # only our own errors say this
        b"x-dragoman-error",
    }
)
_WITHOUT_BODY = frozenset({204, 205, 304})


def forwarded_headers(headers: Sequence[tuple[bytes, bytes]], *, status: int) -> list[tuple[bytes, bytes]]:
    """Return what may be handed on, in order, names in lower case."""
    kept: list[tuple[bytes, bytes]] = []
    named: set[bytes] = set()
    for raw_name, value in headers:
        name = raw_name.lower()
        if name in _STRIPPED:
            if name == b"connection":
                named.update(part.strip() for part in value.lower().split(b","))
        elif not name.startswith(b"access-control-"):
            kept.append((name, value))
    if named:
        kept = [(name, value) for name, value in kept if name not in named]
    if status in _WITHOUT_BODY:
        kept = [(name, value) for name, value in kept if name != b"content-length"]
    elif sum(name == b"content-length" for name, _ in kept) > 1:
        first = next(value for name, value in kept if name == b"content-length")
        kept = [pair for pair in kept if pair[0] != b"content-length"] + [(b"content-length", first)]
    return kept
