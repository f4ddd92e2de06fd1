import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from dragoman_server.egress import EgressRules, InvalidUpstreamAnswerError, RedirectRefusedError
from dragoman_server.egress.redirects import headers_for_hop, origin_of, redirected_method
from tests.egress.servers import client, naming, port_of, serving

SECRETS = [("Authorization", "Bearer t"), ("Cookie", "a=b"), ("X-Api-Key", "k"), ("Accept", "text/x")]


async def _seen(
    status: int, method: str, *, elsewhere: bool, body: bytes | None = None, **options: object
) -> dict[str, object]:
    """Follow one redirect and return what arrived at its target."""
    arrived: dict[str, object] = {}

    async def handler(request: web.Request) -> web.Response:
        if request.path == "/start":
            host = "other.example" if elsewhere else "one.example"
            return web.Response(status=status, headers={"Location": f"http://{host}:{request.url.port}/end?x=%2F"})
        arrived.update(method=request.method, headers=request.headers, body=await request.read(), path=request.raw_path)
        return web.Response(text="end")

    names = naming({"one.example": ["127.0.0.1"], "other.example": ["127.0.0.1"]})
    async with (
        serving(handler) as base,
        client(resolve=names) as egress,
        egress.request(
            method,
            f"http://one.example:{port_of(base)}/start",
            headers=[*SECRETS, ("Content-Type", "text/plain")] if body else SECRETS,
            body=body,
            follow_redirects=5,
            **options,  # type: ignore[arg-type]
        ) as answer,
    ):
        assert await answer.read() == b"end" or method == "HEAD"
    return arrived


async def test_credentials_stay_with_their_origin() -> None:
    here = await _seen(302, "GET", elsewhere=False)
    there = await _seen(302, "GET", elsewhere=True)

    assert here["headers"]["Authorization"] == "Bearer t"  # type: ignore[index]
    assert here["headers"]["X-Api-Key"] == "k"  # type: ignore[index]
    assert not {"Authorization", "Cookie", "X-Api-Key"} & set(there["headers"])  # type: ignore[call-overload]
    assert there["headers"]["Accept"] == "text/x"  # type: ignore[index]
    assert there["path"] == "/end?x=%2F"


async def test_credentials_follow_when_the_caller_says_so() -> None:
    kept = await _seen(302, "GET", elsewhere=True, keep_headers_on_redirect=True)

    assert kept["headers"]["Authorization"] == "Bearer t"  # type: ignore[index]


async def test_a_307_sends_the_body_again_and_a_302_reads_the_result() -> None:
    again = await _seen(307, "POST", elsewhere=False, body=b"hello")
    read = await _seen(302, "POST", elsewhere=False, body=b"hello")

    assert (again["method"], again["body"]) == ("POST", b"hello")
    assert (read["method"], read["body"]) == ("GET", b"")
    assert "Content-Type" not in read["headers"]  # type: ignore[operator]


@pytest.mark.parametrize(
    ("status", "method", "expected"),
    [(301, "POST", "GET"), (302, "POST", "GET"), (303, "POST", "GET"), (303, "PUT", "GET"), (303, "HEAD", "HEAD"),
     (301, "PUT", "PUT"), (302, "DELETE", "DELETE"), (307, "POST", "POST"), (308, "PATCH", "PATCH"), (302, "GET", "GET")],
)  # fmt: skip
def test_methods_change_as_rfc_9110_says(status: int, method: str, expected: str) -> None:
    assert redirected_method(status, method) == expected


async def test_a_streamed_body_is_not_sent_twice_the_caller_gets_the_redirect() -> None:
    async def handler(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=307, headers={"Location": "/again"})

    async def stream():
        yield b"once"

    async with (
        serving(handler) as base,
        client() as egress,
        egress.request("POST", base, body=stream(), follow_redirects=5) as answer,
    ):
        assert answer.status == 307


async def test_endless_redirects_end() -> None:
    count = 0

    async def handler(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(status=302, headers={"Location": f"/{count}"})

    async with serving(handler) as base, client() as egress:
        with pytest.raises(InvalidUpstreamAnswerError):
            async with egress.request("GET", base, follow_redirects=5):
                pass

    assert count == 6


async def test_without_a_wish_a_redirect_is_an_answer() -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/"})

    async with (
        serving(handler) as base,
        client(rules=EgressRules(["127.0.0.1/32"])) as egress,
        egress.request("GET", base) as answer,
    ):
        assert answer.status == 302
        assert answer.header("location") == "http://169.254.169.254/"


def test_nothing_of_value_goes_from_https_to_http_even_when_asked_to_keep() -> None:
    kept = headers_for_hop(
        SECRETS,
        target=URL("http://api.example.com/"),
        downgraded=True,
        credential_origins=frozenset({"https://api.example.com", "http://api.example.com"}),
        keep=True,
        body_dropped=False,
    )

    assert kept == [("Accept", "text/x")]


@pytest.mark.parametrize(
    ("url", "origin"),
    [("HTTPS://Api.Example.com:443/x", "https://api.example.com"), ("http://h:80/", "http://h"), ("http://h:443", "http://h:443"),
     ("https://[::1]:8443/", "https://[::1]:8443")],
)  # fmt: skip
def test_origins_have_one_spelling(url: str, origin: str) -> None:
    assert origin_of(URL(url)) == origin


@given(
    st.lists(st.tuples(st.from_regex(r"[A-Za-z-]{1,20}", fullmatch=True), st.just("v"))), st.booleans(), st.booleans()
)
def test_outside_the_origins_only_listed_headers_survive(
    headers: list[tuple[str, str]], keep: bool, dropped: bool
) -> None:
    out = headers_for_hop(
        headers,
        target=URL("https://b/"),
        downgraded=False,
        credential_origins=frozenset({"https://a"}),
        keep=keep,
        body_dropped=dropped,
    )

    assert set(out) <= set(headers)
    assert keep or all(
        name.lower().startswith(("accept", "cache", "content", "if-", "range", "user-agent")) for name, _ in out
    )


async def test_a_location_without_a_host_stays_and_a_broken_one_is_refused() -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/é":
            return web.Response(text="found")
        return web.Response(status=302, headers={"Location": "http://[" if request.path == "/bad" else "/é"})

    async with serving(handler) as base, client() as egress:
        async with egress.request("GET", base + "/x", follow_redirects=1) as answer:
            assert await answer.read() == b"found"
        with pytest.raises(RedirectRefusedError):
            async with egress.request("GET", base + "/bad", follow_redirects=1):
                pass
