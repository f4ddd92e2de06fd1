"""URLs that stay where they are meant to be."""

from urllib.parse import urlsplit

import pytest
import yarl
from hypothesis import assume, example, given
from hypothesis import strategies as st

from dragoman_server.providers.errors import InvalidEndpointError, TemplateError
from dragoman_server.providers.urls import (
    encode_query,
    join_url,
    origin_of,
    render_path,
    render_url,
    render_url_or_none,
    split_url,
)

BASE = "https://api.example.com/v1"


@pytest.mark.parametrize(
    ("base", "endpoint", "expected"),
    [
        (BASE, "/users", "https://api.example.com/v1/users"),
        (BASE, "users", "https://api.example.com/v1/users"),
        (BASE + "/", "/users/", "https://api.example.com/v1/users/"),
        (BASE, "", "https://api.example.com/v1"),
        (BASE, "/", "https://api.example.com/v1"),
        ("https://api.example.com", "", "https://api.example.com/"),
        ("HTTPS://API.example.com:443", "/a", "https://api.example.com/a"),
        ("http://127.0.0.1:8080/x", "y?z=1", "http://127.0.0.1:8080/x/y?z=1"),
        (BASE, "/a b/ü?q=ü x#y", "https://api.example.com/v1/a%20b/%C3%BC?q=%C3%BC%20x%23y"),
        (BASE, "/a%2Fb/100%", "https://api.example.com/v1/a%2Fb/100%25"),
        (BASE, "/users/@me/jane@x.com:9", "https://api.example.com/v1/users/@me/jane@x.com:9"),
        (BASE + "?v=1", "/a?b=2", "https://api.example.com/v1/a?v=1&b=2"),
        (BASE, "/r/(guid'1')?$filter=a", "https://api.example.com/v1/r/(guid'1')?$filter=a"),
        (BASE, "@evil.com", "https://api.example.com/v1/@evil.com"),
        (BASE, ".evil.com", "https://api.example.com/v1/.evil.com"),
        (BASE, ":80/x", "https://api.example.com/v1/:80/x"),
    ],
)
def test_an_endpoint_is_joined_below_the_base(base: str, endpoint: str, expected: str) -> None:
    assert join_url(base, endpoint) == expected


@pytest.mark.parametrize(
    "endpoint",
    ["/../x", "..", "/a/../../x", "/%2e%2e/x", "/.%2E/x", "/a/..%2fx", "/..\\x", "/%2e%2e%5cx", "/..;a=b/x", "//evil.com/x", "/./x",
     "/a\r\nHost: evil", "/a\tb", "/a\0", "?a=\r\n"],
)  # fmt: skip
def test_an_endpoint_that_climbs_or_splits_is_refused(endpoint: str) -> None:
    with pytest.raises(InvalidEndpointError):
        join_url(BASE, endpoint)


@pytest.mark.parametrize(
    "url",
    ["https://user@api.example.com/", "https://api.example.com\\@evil.com/", "https://api.example.com#@evil.com/",
     "https://аpi.example.com/", "ftp://api.example.com/", "https:///x", "https://", "https://a..b/", "https://a:0/", "https://a:99999/",
     "https://api.example.com\n.evil.com", "https://[::1", "//api.example.com", "javascript:alert(1)", "https://a b/", "https://-a/"],
)  # fmt: skip
def test_an_odd_base_is_refused(url: str) -> None:
    with pytest.raises(InvalidEndpointError):
        split_url(url)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Example.com:443/a?b", "https://example.com"),
        ("http://example.com:80", "http://example.com"),
        ("https://example.com:8443/", "https://example.com:8443"),
        ("http://[::1]:3000/x", "http://[::1]:3000"),
        ("https://example.com?x=1", "https://example.com"),
    ],
)
def test_an_origin_is_written_one_way(url: str, origin: str) -> None:
    assert origin_of(url) == origin


TRICKS = st.sampled_from(
    [
        "/",
        "//",
        "\\",
        "@",
        ":",
        "?",
        "#",
        "%",
        "%2e",
        "%2f",
        "%5c",
        "..",
        ".",
        ";",
        "https://",
        "evil.com",
        " ",
        "\t",
        "\r\n",
        "a",
        "[",
        "]",
    ]
)


@given(st.lists(TRICKS, max_size=12).map("".join) | st.text(max_size=60))
@example("https://evil.com/")
@example("/%2e%2e/%2e%2e/")
def test_whatever_the_endpoint_the_request_stays_below_its_base(endpoint: str) -> None:
    try:
        url = join_url(BASE, endpoint)
    except InvalidEndpointError:
        return

    parts, other = urlsplit(url), yarl.URL(url, encoded=True)
    assert url.isascii()
    assert not any(c in url for c in "\r\n\t \\#")
    assert (parts.scheme, parts.netloc) == ("https", "api.example.com")
    assert (other.scheme, other.host, other.user) == ("https", "api.example.com", None)
    assert parts.path == "/v1" or parts.path.startswith("/v1/")
    assert ".." not in yarl.URL(url).path.split("/")
    assert yarl.URL(url).path.startswith("/v1")


@given(st.lists(TRICKS, max_size=12).map("".join) | st.text(max_size=60))
@example("evil.com/")
@example("evil.com#")
@example("a@evil.com")
def test_whatever_is_typed_as_subdomain_the_host_stays_the_vendors(typed: str) -> None:
    assume(typed)
    try:
        url = render_url("https://${connectionConfig.sub}.vendor.com/v1", {"connectionConfig": {"sub": typed}})
    except TemplateError:
        return

    host = split_url(url)[1]
    assert host.endswith(".vendor.com")
    assert yarl.URL(url).host == host
    assert url.endswith(".vendor.com/v1")


@given(st.text(max_size=40))
def test_whatever_is_typed_inside_a_path_stays_inside_it(typed: str) -> None:
    assume(typed)
    try:
        url = join_url(render_url("https://a.com/x/${c.v}/y", {"c": {"v": typed}}), "/z")
    except (TemplateError, InvalidEndpointError):
        return

    assert urlsplit(url).netloc == "a.com"
    assert urlsplit(url).path.startswith("/x/")
    assert urlsplit(url).path.endswith("/y/z")
    assert not urlsplit(url).query


@pytest.mark.parametrize(
    ("template", "values", "expected"),
    [
        ("https://${c.host}/api", {"host": "acme.com:8443"}, "https://acme.com:8443/api"),
        ("${c.url}/api", {"url": "https://acme.com/base/"}, "https://acme.com/base/api"),
        ("https://a.com/${c.id}?k=${c.k}", {"id": "x y", "k": "a&b"}, "https://a.com/x%20y?k=a%26b"),
    ],
)
def test_a_url_template_is_filled_by_position(template: str, values: dict[str, str], expected: str) -> None:
    assert render_url(template, {"c": values}) == expected


@pytest.mark.parametrize(
    "value", ["javascript:alert(1)", "file:///etc/passwd", "evil", "https://u@evil.com", "//evil.com"]
)
def test_a_value_that_begins_a_url_must_be_one(value: str) -> None:
    with pytest.raises(TemplateError):
        render_url("${c.url}/api", {"c": {"url": value}})


def test_a_url_with_a_missing_value_is_none() -> None:
    assert render_url_or_none("https://${c.nope}.a.com", {"c": {}}) is None


def test_a_value_in_a_path_template_is_one_segment() -> None:
    assert render_path("/v3/company/${c.id}/x?y=1", {"c": {"id": "../a?b"}}) == "/v3/company/..%2Fa%3Fb/x?y=1"


@given(st.lists(st.tuples(st.text(max_size=10), st.text(max_size=10)), max_size=5))
def test_a_query_survives_its_encoding(pairs: list[tuple[str, str]]) -> None:
    from urllib.parse import parse_qsl

    text = encode_query(pairs)

    assert text.isascii()
    assert not any(c in text for c in "# \r\n")
    assert parse_qsl(text, keep_blank_values=True, errors="surrogatepass") == pairs
