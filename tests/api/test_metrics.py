"""Who may read the metrics: callers on the machine itself, or those who know the operator's token."""

import pytest
from starlette.requests import Request

from dragoman_server.api.system_routes import check_operator
from dragoman_server.kit.errors import ForbiddenError

TOKEN = "a-token-of-the-operator"


def request(address: str, **headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "client": (address, 1), "headers": raw})


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_a_caller_on_the_machine_itself_may(address: str) -> None:
    check_operator(request(address), None)


@pytest.mark.parametrize("address", ["10.0.0.7", "8.8.8.8", "2001:db8::1", "unknown"])
def test_a_caller_from_elsewhere_may_not(address: str) -> None:
    with pytest.raises(ForbiddenError):
        check_operator(request(address), None)


@pytest.mark.parametrize("header", ["x_forwarded_for", "forwarded", "x_real_ip", "via"])
def test_what_a_proxy_on_the_machine_hands_on_comes_from_elsewhere(header: str) -> None:
    with pytest.raises(ForbiddenError):
        check_operator(request("127.0.0.1", **{header: "8.8.8.8"}), None)


@pytest.mark.parametrize("host", ["localhost:3003", "127.0.0.1", "[::1]:3003", "LOCALHOST"])
def test_the_machines_own_names_are_its_own(host: str) -> None:
    check_operator(request("127.0.0.1", host=host, sec_fetch_site="none"), None)


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"host": "evil.example:3003"},
        {"host": "127.0.0.1.evil.example"},
        {"host": "[::1].evil.example"},
        {"host": ""},
    ],
)
def test_a_page_does_not_read_them_through_a_browser_on_the_machine(headers: dict[str, str]) -> None:
    with pytest.raises(ForbiddenError):
        check_operator(request("127.0.0.1", **headers), None)


def test_once_there_is_a_token_only_who_knows_it_may() -> None:
    check_operator(request("8.8.8.8", authorization=f"Bearer {TOKEN}"), TOKEN)

    for wrong in ("", "Bearer", f"Bearer {TOKEN}x", TOKEN, "Bearer ü"):
        with pytest.raises(ForbiddenError):
            check_operator(request("127.0.0.1", authorization=wrong), TOKEN)
