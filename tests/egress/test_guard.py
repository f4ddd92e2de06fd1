"""The gate: what is dialled is what was checked."""

from collections.abc import Sequence

import pytest
from aiohttp import web

from dragoman_server.egress import (
    EgressClient,
    EgressRefusedError,
    EgressRules,
    InvalidRequestError,
    RedirectRefusedError,
    UpstreamUnreachableError,
)
from tests.egress.servers import LOOPBACK, client, naming, port_of, serving

PUBLIC_ONLY = EgressRules()


async def hello(request: web.Request) -> web.Response:
    return web.Response(text="hello")


@pytest.mark.parametrize(
    "literal", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "localhost", "0.0.0.0"]
)
async def test_private_addresses_are_refused_however_they_are_written(literal: str) -> None:
    async with client(rules=PUBLIC_ONLY) as egress:
        with pytest.raises(EgressRefusedError) as refused:
            async with egress.request("GET", f"http://{literal}:1/secret?token=hunter2"):
                pass

    assert "hunter2" not in str(refused.value)
    assert refused.value.status == 400


@pytest.mark.parametrize("number", ["2130706433", "127.1", "0x7f000001", "0177.0.0.1"])
async def test_numeric_spellings_of_loopback_never_connect(number: str) -> None:
    async with serving(hello) as base, client(rules=PUBLIC_ONLY) as egress:
        with pytest.raises((EgressRefusedError, InvalidRequestError, UpstreamUnreachableError)):
            async with egress.request("GET", f"http://{number}:{port_of(base)}/"):
                pass


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "64:ff9b::a9fe:a9fe", "::ffff:127.0.0.1"])
async def test_a_name_that_resolves_to_a_private_address_is_refused(address: str) -> None:
    async with (
        serving(hello) as base,
        client(rules=PUBLIC_ONLY, resolve=naming({"rebind.example": [address]})) as egress,
    ):
        with pytest.raises(EgressRefusedError):
            async with egress.request("GET", f"http://rebind.example:{port_of(base)}/"):
                pass


async def test_a_name_that_changes_its_answer_is_checked_at_each_dial() -> None:
    answers = [["127.0.0.2"], ["127.0.0.1"], ["127.0.0.1"]]

    async def resolve(host: str) -> Sequence[str]:
        return answers.pop(0)

    seen: list[str] = []

    async def count(request: web.Request) -> web.Response:
        seen.append(request.path)
        return web.Response(headers={"Connection": "close"})

    async with serving(count) as base:
        egress = EgressClient(EgressRules(allow=["127.0.0.2/32"]), resolve=resolve, dns_cache_seconds=0)
        await egress.open()
        with pytest.raises(UpstreamUnreachableError):  # permitted; nothing listens there
            async with egress.request("GET", f"http://flip.example:{port_of(base)}/first"):
                pass
        with pytest.raises(EgressRefusedError):
            async with egress.request("GET", f"http://flip.example:{port_of(base)}/second"):
                pass
        await egress.close()

    assert seen == []


async def test_among_several_addresses_only_permitted_ones_are_dialled() -> None:
    async with (
        serving(hello) as base,
        client(
            rules=EgressRules(allow=["127.0.0.1/32"]), resolve=naming({"mixed.example": ["10.0.0.1", "127.0.0.1"]})
        ) as egress,
        egress.request("GET", f"http://mixed.example:{port_of(base)}/") as answer,
    ):
        assert await answer.read() == b"hello"


async def test_allowed_loopback_passes() -> None:
    async with (
        serving(hello) as base,
        client(rules=LOOPBACK) as egress,
        egress.request("GET", base + "/x") as answer,
    ):
        assert (answer.status, await answer.read()) == (200, b"hello")


@pytest.mark.parametrize("target", ["http://127.0.0.9:1/", "http://rebind.example/", "//127.0.0.9:1/"])
async def test_a_redirect_to_a_private_address_is_refused(target: str) -> None:
    async def away(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": target})

    rules = EgressRules(allow=["127.0.0.1/32"])
    async with (
        serving(away) as base,
        client(rules=rules, resolve=naming({"rebind.example": ["169.254.169.254"]})) as egress,
    ):
        with pytest.raises(RedirectRefusedError) as refused:
            async with egress.request("GET", base, follow_redirects=5):
                pass

    assert refused.value.public_code == "proxy_redirect_to_denied_host"


@pytest.mark.parametrize(
    "target", ["file:///etc/passwd", "gopher://127.0.0.1/", "http://user:pw@127.0.0.1/", "javascript:1"]
)
async def test_a_redirect_to_something_else_than_plain_http_is_refused(target: str) -> None:
    async def away(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": target})

    async with serving(away) as base, client() as egress:
        with pytest.raises(RedirectRefusedError):
            async with egress.request("GET", base, follow_redirects=5):
                pass


@pytest.mark.parametrize(
    "url",
    ["", "/path", "ftp://example.com/", "file:///etc/passwd", "http://", "http://a:b@example.com/", "http://example.com:0/",
     "http://example.com:99999/", "http://exa\nmple.com/", "http://127.0.0.1/a\r\nX-Evil: 1", "http://127.0.0.1\\@example.com/",
     "unix:///var/run/docker.sock", "http://[::1/"],
)  # fmt: skip
async def test_urls_that_are_not_plain_http_are_refused_before_anything_is_sent(url: str) -> None:
    async with client() as egress:
        with pytest.raises(InvalidRequestError):
            async with egress.request("GET", url):
                pass


@pytest.mark.parametrize(
    ("method", "headers"),
    [
        ("GET /x HTTP/1.1\r\nX: y", []),
        ("CONNECT", []),
        ("TRACE", []),
        ("GET", [("X-A", "b\r\nX-Evil: 1")]),
        ("GET", [("X-A\r\nX-Evil", "1")]),
        ("GET", [("X A", "1")]),
        ("GET", [("", "1")]),
        ("GET", [("X-A", "a\x00b")]),
    ],
)
async def test_methods_and_headers_that_would_smuggle_are_refused(method: str, headers: list[tuple[str, str]]) -> None:
    async with serving(hello) as base, client() as egress:
        with pytest.raises(InvalidRequestError):
            async with egress.request(method, base, headers=headers):
                pass


async def test_an_unknown_name_is_unreachable_and_was_never_sent() -> None:
    async with client(resolve=naming({})) as egress:
        with pytest.raises(UpstreamUnreachableError) as error:
            async with egress.request("GET", "http://nowhere.example/?k=hunter2"):
                pass

    assert error.value.sent is False
    assert error.value.status == 502
    assert "hunter2" not in str(error.value)
