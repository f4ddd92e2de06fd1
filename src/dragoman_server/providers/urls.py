"""URLs that cannot leave the place they are meant for: origins, safe joining, values inside a URL template. Pure.

Hosts are held to plain ASCII letters, digits, dots and hyphens, so that no two URL parsers can disagree about where a
request goes (user info, backslashes, control characters and Unicode look-alikes are refused, not cleaned).
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, unquote

from dragoman_server.providers.errors import InvalidEndpointError, TemplateError, UnresolvedTemplateError
from dragoman_server.providers.templating import Moment, Surroundings, parse_template

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9_](?:[a-z0-9_.-]{0,251}[a-z0-9_.])?|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[0-9]{1,5}))?(?P<path>/[^?#]*)?(?:\?(?P<query>[^#]*))?",
    re.IGNORECASE | re.ASCII,
)
_DEFAULT_PORTS = {"https": 443, "http": 80}
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_AUTHORITY_VALUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?", re.ASCII)
_PATH_SAFE = "/:@!$&'()*+,;=-._~%"
_VALUE_SAFE = "/:@!$'()*,;=-._~"
_QUERY_SAFE = "-._~!*'()$,:@/"


def origin_of(url: str) -> str:
    """Return `scheme://host[:port]`, lower-case, without a default port; raise `InvalidEndpointError` if odd."""
    scheme, host, port, _, _ = split_url(url)
    return f"{scheme}://{host}" + (f":{port}" if port != _DEFAULT_PORTS[scheme] else "")


def split_url(url: str) -> tuple[str, str, int, str, str]:
    """Return (scheme, host, port, path, query) of an absolute http(s) URL without user info or fragment."""
    found = _URL.fullmatch(url) if _FORBIDDEN.search(url) is None else None
    if found is None:
        raise InvalidEndpointError("A URL is not a plain http(s) URL.")
    scheme, host = found["scheme"].lower(), found["host"].lower()
    port = int(found["port"] or _DEFAULT_PORTS[scheme])
    if not 0 < port < 65536 or ".." in host:
        raise InvalidEndpointError("A URL names no possible host and port.")
    return scheme, host, port, found["path"] or "", found["query"] or ""


def is_absolute(endpoint: str) -> bool:
    return endpoint[:8].lower().startswith(("http://", "https://"))


def join_url(base: str, endpoint: str) -> str:
    """Return `endpoint` (a path, perhaps with a query) under `base`: same origin, below its path, whatever the text."""
    scheme, host, port, base_path, base_query = split_url(base)
    path, _, query = endpoint.partition("?")
    if path.startswith("//"):
        raise InvalidEndpointError("An endpoint must not start with two slashes.")
    full = base_path.rstrip("/") + "/" + path.removeprefix("/") if path not in {"", "/"} else base_path
    authority = f"{scheme}://{host}" + (f":{port}" if port != _DEFAULT_PORTS[scheme] else "")
    joined = "&".join(q for q in (base_query, clean_query(query)) if q)
    return authority + clean_path(full or "/") + (f"?{joined}" if joined else "")


def clean_path(path: str) -> str:
    """Return `path` with everything a URL path cannot hold encoded; raise where a segment climbs up."""
    if _CONTROL.search(path):
        raise InvalidEndpointError("An endpoint must not hold control characters.")
    for segment in unquote(path).replace("\\", "/").split("/"):
        if segment.split(";", 1)[0].strip() in {"..", "."} and segment:
            raise InvalidEndpointError("An endpoint must not hold `.` or `..` segments.")
    return _quote_stray_percent(quote(path.encode("utf-8", "surrogatepass"), safe=_PATH_SAFE))


def clean_query(query: str) -> str:
    if _CONTROL.search(query):
        raise InvalidEndpointError("A query must not hold control characters.")
    return _quote_stray_percent(quote(query.encode("utf-8", "surrogatepass"), safe=_PATH_SAFE + "?"))


_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


def _quote_stray_percent(text: str) -> str:
    return _STRAY_PERCENT.sub("%25", text) if "%" in text else text


def encode_query(pairs: Sequence[tuple[str, str]]) -> str:
    """Return the pairs, in order, as a query string."""
    return "&".join(f"{_encode_query_part(name)}={_encode_query_part(value)}" for name, value in pairs)


def _encode_query_part(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe=_QUERY_SAFE)


def with_query(url: str, pairs: Sequence[tuple[str, str]]) -> str:
    """Return `url` with the pairs added to its query."""
    if not pairs:
        return url
    return url + ("&" if "?" in url else "?") + encode_query(pairs)


def render_url(
    template: str, scope: Mapping[str, Any], *, moment: Moment | None = None, as_they_are: bool = False
) -> str:
    """Return a URL template filled so that no value moves it elsewhere.

    A value in the authority must be (part of) a host name, one in the path or query is percent-encoded, and only a
    template that begins with a placeholder lets that value choose the scheme. `as_they_are` leaves values in path and
    query unencoded (an entry's `…_skip_encode`). Raises `UnresolvedTemplateError` when a value is missing and
    `TemplateError` when one cannot stand where it is.
    """
    url = render_url_or_none(template, scope, moment=moment, as_they_are=as_they_are)
    if url is None:
        raise UnresolvedTemplateError(template)
    return url


def render_url_or_none(
    template: str, scope: Mapping[str, Any], *, moment: Moment | None = None, as_they_are: bool = False
) -> str | None:
    """As `render_url`, with None when a value is missing."""
    parsed = parse_template(template)
    if not parsed.roots:
        return template
    around = Surroundings(moment)
    url = ""
    for part in parsed.parts:
        text = part.value(scope, around)
        if text is None:
            return None
        url += text if not part.roots else _fit(url, text, as_they_are=as_they_are)
    return url


def render_path(template: str, scope: Mapping[str, Any], *, moment: Moment | None = None) -> str:
    """Return a path template filled with percent-encoded values; raise `UnresolvedTemplateError` if one is missing."""
    filled: list[str] = []
    for part in parse_template(template).parts:
        text = part.value(scope, Surroundings(moment))
        if text is None:
            raise UnresolvedTemplateError(template)
        filled.append(text if not part.roots else quote(text.encode("utf-8", "surrogatepass"), safe="-._~"))
    return "".join(filled)


def _fit(url: str, value: str, *, as_they_are: bool = False) -> str:
    """Return `value` as it may stand after `url`."""
    if not url:
        return _fit_first(value)
    _, separator, rest = url.partition("://")
    if not separator:
        raise TemplateError("A value stands in the scheme of a URL template.")
    if not re.search(r"[/?]", rest):
        if not _AUTHORITY_VALUE.fullmatch(value) or ".." in value:
            raise TemplateError("A value that is part of a host name holds something else, e.g. a slash or a scheme.")
        return value
    if as_they_are:
        return _as_it_is(value)
    if "?" in rest:
        return _encode_query_part(value)
    if _CONTROL.search(value):
        raise TemplateError("A value inside a URL holds control characters.")
    return quote(value.encode("utf-8", "surrogatepass"), safe=_VALUE_SAFE)


def _as_it_is(value: str) -> str:
    if _FORBIDDEN.search(value) or "#" in value or not value.isascii():
        raise TemplateError("A value that is left as it is holds characters no URL may hold.")
    if any(unquote(segment) in {".", ".."} for segment in re.split(r"[/?]", value)):
        raise TemplateError("A value that is left as it is holds `.` or `..` segments.")
    return value


def _fit_first(value: str) -> str:
    try:
        split_url(value)
    except InvalidEndpointError as error:
        raise TemplateError("A value that begins a URL is not a plain http(s) URL.") from error
    return value.rstrip("/")
