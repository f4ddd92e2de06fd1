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


def test_once_there_is_a_token_only_who_knows_it_may() -> None:
    check_operator(request("8.8.8.8", authorization=f"Bearer {TOKEN}"), TOKEN)

    for wrong in ("", "Bearer", f"Bearer {TOKEN}x", TOKEN, "Bearer ü"):
        with pytest.raises(ForbiddenError):
            check_operator(request("127.0.0.1", authorization=wrong), TOKEN)
