"""What holds on every route of the running platform: CORS, sizes, content types, slashes, rate headers, the proxy's own words."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.calls import Api, Home, headers_of, places, refusal


@pytest.fixture(scope="module")
def target(home: Home) -> dict[str, str]:
    integration = home.integration()
    return headers_of(integration, home.connection(integration))


def test_the_process_says_how_it_is(home: Home) -> None:
    nobody = home.anonymous()

    assert nobody.get("/health").json() == {"result": "ok"}
    ready = nobody.get("/ready").json()
    assert (ready["ready"], ready["database"], ready["orchestrator_database"]) == (True, "ok", "ok")
    assert ready["sandbox"]["tier"] in {"sealed", "contained"}
    assert "dragoman_" in nobody.get("/metrics").text
    assert nobody.get("/openapi.json").json()["openapi"].startswith("3.1")
    assert "X-RateLimit-Limit" in nobody.get("/health").headers


@pytest.mark.parametrize("path", ["/connections", "/records", "/proxy/x", "/nowhere"])
def test_a_browser_may_ask_from_anywhere(home: Home, path: str) -> None:
    preflight = home.anonymous()(
        "OPTIONS", path, headers={"Origin": "https://app.example", "Access-Control-Request-Method": "GET"}
    )
    answer = home.api.get(path)

    assert preflight.status_code in {200, 204}
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert preflight.headers["access-control-max-age"] == "600"
    allowed = {h.strip().lower() for h in preflight.headers["access-control-allow-headers"].split(",")}
    assert {"authorization", "content-type", "provider-config-key", "connection-id", "nango-activity-log-id"} <= allowed
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "x-ratelimit-remaining" in answer.headers["access-control-expose-headers"].lower()


@pytest.mark.parametrize("path", ["/integrations", "/records?model=Contact", "/proxy/x", "/connections/x", "/nowhere"])
def test_every_answer_has_the_rate_headers(home: Home, path: str) -> None:
    for caller in (home.api, home.anonymous(), Api(home.http, "nonsense")):
        headers = caller.get(path).headers
        assert int(headers["X-RateLimit-Limit"]) >= int(headers["X-RateLimit-Remaining"]) >= 0
        assert int(headers["X-RateLimit-Reset"]) > 1_700_000_000


def test_the_same_without_a_trailing_slash(api: Api, target: dict[str, str]) -> None:
    assert api.get("/records/?model=Contact", headers=target).json() == {"records": [], "next_cursor": None}
    assert api.get("/integrations/").json() == api.get("/integrations").json()
    assert refusal(api.patch("/records/prune/", {"model": "Contact", "until_cursor": "x"}, headers=target)) == (
        400,
        "invalid_query_params",
    )


def pieces(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield b" " * 1_000_000


@pytest.mark.parametrize("content", [b" " * 75_000_001, pieces(76)], ids=["said", "found out"])
def test_a_body_of_more_than_75_mb_is_refused(api: Api, content: Any) -> None:
    answer = api.post("/integrations", content=content, headers={"Content-Type": "application/json"})

    assert refusal(answer) == (413, "request_too_large")


def test_nobodys_body_is_read_before_we_know_who_sends_it(home: Home) -> None:
    answer = home.anonymous().post("/integrations", content=b"{", headers={"Content-Type": "application/json"})

    assert refusal(answer) == (401, "missing_auth_header")


@pytest.mark.parametrize(
    "content",
    [b"\xff", b"[" * 100_000, b"{", b'{"a":}', b""],
    ids=["not text", "too deep", "broken", "misplaced", "empty"],
)
def test_what_is_not_json_is_refused(api: Api, content: bytes) -> None:
    answer = api.post("/integrations", content=content, headers={"Content-Type": "application/json"})

    assert refusal(answer) in {(400, "invalid_json"), (400, "invalid_body")}


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "", "multipart/form-data; boundary=x"]
)
def test_a_body_of_another_type_is_a_415(api: Api, kind: str) -> None:
    assert refusal(api.post("/integrations", content=b"{}", headers={"Content-Type": kind})) == (
        415,
        "invalid_content_type",
    )


def test_json_may_say_its_charset(api: Api) -> None:
    answer = api.post("/integrations", content=b"{}", headers={"Content-Type": "application/json; charset=utf-8"})

    assert refusal(answer) == (400, "invalid_body")
    assert ["unique_key"] in places(answer)


@pytest.mark.parametrize("method", ["PUT", "TRACE"])
def test_a_method_nobody_takes_is_not_found(api: Api, method: str) -> None:
    assert refusal(api(method, "/integrations")) == (404, "not_found")


@pytest.mark.parametrize(
    "path", ["/integrations/%00", "/connections/%00?provider_config_key=x", "/environment-variables/%00"]
)
def test_a_nul_in_an_address_is_refused(api: Api, path: str) -> None:
    answer = api.delete(path)

    assert refusal(answer) == (400, "invalid_uri_params")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/integrations?x=1", {"unique_key": "strict", "provider": "tp-none"}),
        ("DELETE", "/integrations/strict?x=1", None),
        ("POST", "/sync/trigger?x=1", {"syncs": []}),
        ("GET", "/environment-variables?x=1", None),
        ("GET", "/providers/github?x=1", None),
        ("GET", "/action/6185e58a-542c-4896-afd2-90b15e2322ab?x=1", None),
    ],
)
def test_an_unknown_query_key_is_refused(api: Api, method: str, path: str, body: Any) -> None:
    answer = api(method, path, body)

    assert refusal(answer) == (400, "invalid_query_params")
    assert answer.json()["error"]["errors"][0]["code"] == "unrecognized_keys"


def test_the_proxy_takes_the_empty_headers_old_clients_send(api: Api, home: Home, target: dict[str, str]) -> None:
    empty = {
        "Base-Url-Override": "",
        "Nango-Activity-Log-Id": "",
        "Retries": "0",
        "Nango-Is-Sync": "false",
        "Nango-Is-Dry-Run": "false",
    }
    answer = api.post("/proxy/a/b?q=1&q=2", {"n": 1}, headers=target | empty | {"Nango-Proxy-X-Own": "own"})
    echo = answer.json()

    assert (echo["method"], echo["path"], echo["query"], echo["size"]) == ("POST", "/a/b", "q=1&q=2", 7)
    assert echo["headers"]["x-own"] == "own"
    assert not {h for h in echo["headers"] if h.startswith(("nango-", "connection-id", "provider-config-key"))}
    assert "authorization" not in echo["headers"], "our key is not the provider's business"


@pytest.mark.parametrize("status", [204, 301, 404, 429, 503])
def test_the_proxy_hands_on_whatever_status(api: Api, target: dict[str, str], status: int) -> None:
    assert api.get(f"/proxy/status/{status}", headers=target, follow_redirects=False).status_code == status


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Retries": "x"}, "invalid_headers"),
        ({"Retry-On": "a"}, "invalid_headers"),
        ({"Decompress": "perhaps"}, "invalid_headers"),
        ({"Base-Url-Override": "nonsense"}, "invalid_headers"),
        ({"Nango-Activity-Log-Id": "x" * 256}, "invalid_headers"),
        ({"Connection-Id": ""}, "invalid_headers"),
        ({"Base-Url-Override": "http://169.254.169.254/"}, "base_url_override_not_allowed"),
        ({"Base-Url-Override": "https://other.example"}, "base_url_override_not_allowed"),
    ],
)
def test_the_proxy_refuses_in_its_own_words(
    api: Api, target: dict[str, str], headers: dict[str, str], code: str
) -> None:
    assert refusal(api.get("/proxy/x", headers=target | headers)) == (400, code)
