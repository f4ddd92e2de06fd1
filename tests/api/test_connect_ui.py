"""The door of the Connect UI: what it serves, what its policy forbids, who may frame it."""

import gzip
import re
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from dragoman_server.api.connect_ui import NOT_BUILT, ConnectUiDoor
from dragoman_server.assembly.settings import InvalidSettingsError, read_settings
from dragoman_server.web.asgi import Front
from dragoman_server.web.built import BuiltPages

SCRIPT = "console.log('here');" * 100
PAGE = '<meta name="csp-nonce" content="__CSP_NONCE__"><script type="module" src="./assets/app-1234abcd.js"></script>'


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text(PAGE, "utf-8")
    (tmp_path / "popup.html").write_text("<p>popup", "utf-8")
    (tmp_path / "assets" / "app-1234abcd.js").write_text(SCRIPT, "utf-8")
    (tmp_path / "icon.svg").write_text("<svg/>", "utf-8")
    (tmp_path / "assets" / "secret.key").write_text("not a page's file", "utf-8")
    return tmp_path


def client_of(folder: Path, frame_ancestors: str = "*", url: str = "https://dragoman.test") -> httpx.AsyncClient:
    def count(scope: Mapping[str, Any]) -> None:
        """Nobody is counted here."""

    door = ConnectUiDoor(pages=BuiltPages.read(folder), public_url=url, frame_ancestors=frame_ancestors, count=count)

    async def nothing(*_: Any) -> None:
        raise AssertionError("the other routes are not asked")

    front: Any = Front(rest=nothing, hot={"/connect-ui": door, "/connect-ui/": door})
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=front), base_url=url)


@pytest.fixture
async def browser(built: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(built) as made:
        yield made


def policy_of(answer: httpx.Response) -> dict[str, str]:
    rules = (one.strip().partition(" ") for one in answer.headers["content-security-policy"].split(";"))
    return {name: value for name, _, value in rules}


async def test_the_page_may_do_nothing_but_run_its_scripts_and_talk_to_us(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/connect-ui/?session_token=x")
    policy = policy_of(answer)

    assert answer.status_code == 200
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == "'self'"
    assert policy["connect-src"].split() == ["'self'", "https://dragoman.test", "wss://dragoman.test"]
    assert policy["base-uri"] == policy["form-action"] == policy["object-src"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers.get_list("referrer-policy") == ["strict-origin"]
    assert answer.headers["cross-origin-opener-policy"] == "same-origin-allow-popups"
    assert answer.headers["cache-control"] == "no-store"


async def test_the_nonce_is_fresh_and_the_same_in_page_and_policy(browser: httpx.AsyncClient) -> None:
    seen: set[str] = set()
    for _ in range(5):
        answer = await browser.get("/connect-ui/")
        nonce = re.search(r'name="csp-nonce" content="([A-Za-z0-9_-]{22})"', answer.text)
        assert nonce is not None
        assert policy_of(answer)["style-src"] == f"'self' 'nonce-{nonce[1]}'"
        seen.add(nonce[1])

    assert len(seen) == 5


async def test_the_start_page_may_be_framed_the_popups_page_never(browser: httpx.AsyncClient) -> None:
    start, popup = await browser.get("/connect-ui/"), await browser.get("/connect-ui/popup.html")

    assert policy_of(start)["frame-ancestors"] == "*"
    assert "x-frame-options" not in start.headers
    assert policy_of(popup)["frame-ancestors"] == "'none'"
    assert popup.headers["x-frame-options"] == "DENY"
    assert "cross-origin-opener-policy" not in popup.headers  # it must keep the page in a frame that opened it


async def test_the_operator_says_who_may_frame_it(built: Path) -> None:
    wanted = "https://app.example.com https://*.example.org"
    async with client_of(
        built, read_settings({"DRAGOMAN_CONNECT_FRAME_ANCESTORS": wanted}).connect_frame_ancestors
    ) as browser:
        assert policy_of(await browser.get("/connect-ui/"))["frame-ancestors"] == wanted


@pytest.mark.parametrize(
    "value", ["* https://a.example", "https://a.example; script-src *", "app.example.com", "'unsafe'"]
)
def test_a_setting_that_is_no_list_of_origins_is_refused(value: str) -> None:
    with pytest.raises(InvalidSettingsError):
        read_settings({"DRAGOMAN_CONNECT_FRAME_ANCESTORS": value})


async def test_hashed_files_are_kept_for_good_and_others_asked_for_again(browser: httpx.AsyncClient) -> None:
    script = await browser.get("/connect-ui/assets/app-1234abcd.js")
    icon = await browser.get("/connect-ui/icon.svg")
    again = await browser.get("/connect-ui/icon.svg", headers={"if-none-match": f'W/{icon.headers["etag"]}, "x"'})

    assert script.text == SCRIPT
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["content-encoding"] == "gzip"
    assert "immutable" in script.headers["cache-control"]
    assert icon.headers["cache-control"] == "no-cache"
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("accepts", "packed"), [("br, gzip;q=0.8", True), ("gzip;q=0", False), ("br", False), ("*", True)]
)
async def test_a_file_is_packed_for_whom_can_unpack_it(
    browser: httpx.AsyncClient, accepts: str, *, packed: bool
) -> None:
    async with browser.stream(
        "GET", "/connect-ui/assets/app-1234abcd.js", headers={"accept-encoding": accepts}
    ) as answer:
        raw = b"".join([chunk async for chunk in answer.aiter_raw()])

    assert ("content-encoding" in answer.headers) is packed
    assert (gzip.decompress(raw) if packed else raw).decode() == SCRIPT
    assert answer.headers["vary"] == "Accept-Encoding"
    assert int(answer.headers["content-length"]) == len(raw)


async def test_without_its_slash_the_address_gets_it_and_keeps_its_query(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/connect-ui?session_token=x")

    assert answer.status_code == 308
    assert str(answer.url.join(answer.headers["location"])) == "https://dragoman.test/connect-ui/?session_token=x"


@pytest.mark.parametrize(
    "path",
    ["assets/none.js", "assets/secret.key", "%2e%2e/index.html", "assets/", "assets", "index.htm"],
)
async def test_only_what_was_built_is_served(browser: httpx.AsyncClient, path: str) -> None:
    answer = await browser.get(httpx.URL("https://dragoman.test", raw_path=f"/connect-ui/{path}".encode()))

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


async def test_it_answers_to_get_and_head_only(browser: httpx.AsyncClient) -> None:
    head, post = await browser.head("/connect-ui/"), await browser.post("/connect-ui/")

    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["content-length"]) > len(PAGE)
    assert post.status_code == 404


async def test_a_server_without_built_pages_says_how_to_get_them(tmp_path: Path) -> None:
    async with client_of(tmp_path) as browser:
        answer = await browser.get("/connect-ui/?session_token=x")

    assert (answer.status_code, answer.content) == (503, NOT_BUILT)
    assert "make ui" in answer.text
    assert policy_of(answer)["frame-ancestors"] == "'none'"
