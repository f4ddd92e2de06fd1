"""What a redirect may change and carry along (RFC 9110 sections 15.4 and 17). Pure."""

from collections.abc import Sequence

from yarl import URL

REDIRECTS = frozenset({301, 302, 303, 307, 308})

_SAFE_ELSEWHERE = frozenset(
    {
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "content-encoding",
        "content-language",
        "content-length",
        "content-type",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-unmodified-since",
        "range",
        "user-agent",
    }
)
"""The only headers that follow to a foreign origin: an entry may carry its key in a header of any name."""
_ABOUT_A_BODY = frozenset({"content-encoding", "content-language", "content-length", "content-type"})


def origin_of(url: URL) -> str:
    """Return `scheme://host[:port]`, lower case, without a default port."""
    host = url.raw_host or ""
    if ":" in host:
        host = f"[{host}]"
    port = url.explicit_port
    default = {"http": 80, "https": 443}.get(url.scheme)
    return f"{url.scheme}://{host.lower()}" + (f":{port}" if port is not None and port != default else "")


def redirected_method(status: int, method: str) -> str:
    """Return the next request's method: 303 reads the result; 301 and 302 turn a POST into a GET."""
    if (status == 303 and method != "HEAD") or (status in {301, 302} and method == "POST"):
        return "GET"
    return method


def headers_for_hop(
    headers: Sequence[tuple[str, str]],
    *,
    target: URL,
    downgraded: bool,
    credential_origins: frozenset[str],
    keep: bool,
    body_dropped: bool,
) -> list[tuple[str, str]]:
    """Return the headers that may go to `target`: all within the credential's origins, else only harmless ones.

    `keep` is the caller's explicit wish to forward them anywhere; even then nothing follows from https to http.
    """
    trusted = not downgraded and (keep or origin_of(target) in credential_origins)
    return [
        (name, value)
        for name, value in headers
        if (trusted or name.lower() in _SAFE_ELSEWHERE) and not (body_dropped and name.lower() in _ABOUT_A_BODY)
    ]
