"""An authorized request from (entry, connection, credential)."""

import hashlib
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.kit.errors import DragomanError
from dragoman_server.providers.errors import (
    BaseUrlNotAllowedError,
    InvalidEndpointError,
    InvalidHeaderError,
    MissingBaseUrlError,
    UnsupportedAuthError,
)
from dragoman_server.providers.model import AuthMode, Credential, Provider
from dragoman_server.providers.rendering import OutboundRequest, RequestScope, build_request, inject_body, needs_body
from dragoman_server.providers.templating import Moment
from tests.providers.samples import OAUTH, TOKEN, provider, scope

MOMENT = Moment(lambda: datetime(2015, 8, 30, 12, 36, tzinfo=UTC), lambda: "id-1")


def build(entry: Provider, who: RequestScope | None = None, **changes: Any) -> OutboundRequest:
    asked: dict[str, Any] = {
        "method": "get", "endpoint": "/users", "query": [], "headers": [], "base_url_override": None, "allowed_origins": [],
        "moment": MOMENT, **changes,
    }  # fmt: skip
    return build_request(entry, who or scope(), **asked)


def header(request: OutboundRequest, name: str) -> list[str]:
    return [value for key, value in request.headers if key == name]


@pytest.mark.parametrize("mode", ["OAUTH2", "MCP_OAUTH2", "APP"])
def test_modes_with_an_access_token_send_it_as_bearer(mode: str) -> None:
    request = build(provider(mode), scope(Credential(AuthMode(mode), {"access_token": "t"})))

    assert (request.method, request.url) == ("GET", "https://api.vendor.com/v1/users")
    assert request.headers == [("authorization", "Bearer t")]
    assert request.credential_origins == {"https://api.vendor.com"}


@pytest.mark.parametrize("mode", ["OAUTH2_CC", "TWO_STEP", "JWT"])
def test_modes_with_a_token_send_it_as_bearer(mode: str) -> None:
    request = build(provider(mode), scope(Credential(AuthMode(mode), {"token": "t", "client_id": "c"})))

    assert header(request, "authorization") == ["Bearer t"]


def test_basic_mode_sends_name_and_password_which_may_be_blank() -> None:
    request = build(provider("BASIC"), scope(Credential(AuthMode.BASIC, {"username": "key", "password": ""})))

    assert header(request, "authorization") == ["Basic a2V5Og=="]


def test_none_mode_sends_no_credential_and_the_callers_own() -> None:
    request = build(provider("NONE"), scope(None), headers=[("Authorization", "mine")])

    assert request.headers == [("authorization", "mine")]


def test_an_entry_that_places_the_token_itself_gets_no_second_header() -> None:
    entry = provider(proxy={"headers": {"X-Token": "${accessToken}", "accept": "a/b"}})

    assert build(entry).headers == [("x-token", TOKEN), ("accept", "a/b")]


def test_a_token_injected_in_the_query_gets_no_header() -> None:
    entry = provider("API_KEY", proxy={"query": {"key": "${apiKey}", "v": "2"}})
    who = scope(Credential(AuthMode.API_KEY, {"apiKey": "k&y"}))

    request = build(entry, who, endpoint="/u?key=mine&a=1", query=[("key", "mine too"), ("v", "3"), ("b", "2")])

    assert request.url == "https://api.vendor.com/v1/u?a=1&v=3&b=2&key=k%26y"
    assert request.headers == []


def test_a_header_with_an_unresolved_placeholder_is_dropped() -> None:
    entry = provider(proxy={"headers": {"x-org": "${connectionConfig.org}", "x-team": "t-${connectionConfig.team}"}})

    request = build(entry, scope(org="o1"))

    assert header(request, "x-org") == ["o1"]
    assert header(request, "x-team") == []


def test_the_caller_replaces_plain_headers_of_the_entry_but_never_the_credentials() -> None:
    entry = provider(proxy={"headers": {"version": "1", "client-id": "${clientId}", "user-agent": "ours"}})
    mine = [
        ("Version", "2"),
        ("AUTHORIZATION", "evil"),
        ("Client-Id", "evil"),
        ("User-Agent", "mine"),
        ("X-Two", "a"),
        ("X-Two", "b"),
    ]

    request = build(entry, headers=mine)

    assert header(request, "version") == ["2"]
    assert header(request, "authorization") == [f"Bearer {TOKEN}"]
    assert header(request, "client-id") == ["cid"]
    assert header(request, "user-agent") == ["ours"]
    assert header(request, "x-two") == ["a", "b"]


def test_an_overriding_client_of_the_connection_wins_over_the_integrations() -> None:
    own = {"access_token": "t", "config_override": {"client_id": "mine"}}

    request = build(provider(proxy={"headers": {"client-id": "${clientId}"}}), scope(Credential(AuthMode.OAUTH2, own)))

    assert header(request, "client-id") == ["mine"]


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Transfer-Encoding", "Connection", "TE"])
def test_headers_of_the_connection_itself_are_not_the_callers(name: str) -> None:
    assert header(build(provider(), headers=[(name, "x")]), name.lower()) == []


@pytest.mark.parametrize(
    ("name", "value"), [("a b", "x"), ("", "x"), ("x\r\ny", "x"), ("x", "a\r\nb: c"), ("x", "a\0"), ("ü", "x")]
)
def test_a_header_that_could_split_the_message_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidHeaderError):
        build(provider(), headers=[(name, value)])


def test_a_credential_that_could_split_the_message_is_refused_and_not_shown() -> None:
    who = scope(Credential(AuthMode.OAUTH2, {"access_token": "hunter2\r\nx: y"}))

    with pytest.raises(InvalidHeaderError) as caught:
        build(provider(), who)

    assert "hunter2" not in str(caught.value)


def test_a_pasted_key_loses_the_line_break_at_its_end() -> None:
    entry = provider("API_KEY", proxy={"headers": {"x-key": "${apiKey}"}})

    assert header(build(entry, scope(Credential(AuthMode.API_KEY, {"apiKey": "k\n"}))), "x-key") == ["k"]


def test_the_first_base_url_that_resolves_is_taken() -> None:
    entry = provider(proxy={"base_url": "https://${connectionConfig.region}.vendor.com || https://vendor.com/api"})

    assert build(entry).url == "https://vendor.com/api/users"
    assert build(entry, scope(region="eu")).url == "https://eu.vendor.com/users"


def test_an_entry_whose_base_url_does_not_resolve_says_so() -> None:
    with pytest.raises(MissingBaseUrlError) as caught:
        build(provider(proxy={"base_url": "https://${connectionConfig.region}.vendor.com"}))

    assert (caught.value.status, caught.value.public_code) == (400, "missing_api_url")


def test_an_absolute_url_or_override_at_the_entrys_own_origin_is_taken() -> None:
    entry = provider(proxy={"origins": ["https://files.vendor.com"]})

    assert build(entry, endpoint="https://API.vendor.com/v2/x?y=1").url == "https://api.vendor.com/v2/x?y=1"
    assert build(entry, endpoint="https://files.vendor.com").url == "https://files.vendor.com/"
    assert (
        build(entry, base_url_override="https://files.vendor.com/f", query=[("a", "b")]).url
        == "https://files.vendor.com/f/users?a=b"
    )
    assert build(entry).credential_origins == {"https://api.vendor.com", "https://files.vendor.com"}


@pytest.mark.parametrize(
    "elsewhere",
    [
        "https://evil.com",
        "http://api.vendor.com",
        "https://api.vendor.com:8443",
        "https://api.vendor.com.evil.com",
        "https://xapi.vendor.com",
    ],
)
def test_credentials_go_nowhere_else(elsewhere: str) -> None:
    with pytest.raises(BaseUrlNotAllowedError) as by_override:
        build(provider(), base_url_override=elsewhere)
    with pytest.raises(BaseUrlNotAllowedError):
        build(provider(), endpoint=elsewhere + "/users")

    assert (by_override.value.status, by_override.value.public_code) == (400, "base_url_override_not_allowed")


@pytest.mark.parametrize(
    "odd", ["https://u@api.vendor.com", "https://api.vendor.com\\@evil.com/", "ftp://api.vendor.com"]
)
def test_an_odd_override_is_refused(odd: str) -> None:
    with pytest.raises(InvalidEndpointError):
        build(provider(), base_url_override=odd)


def test_an_origin_the_integration_lists_is_allowed() -> None:
    request = build(
        provider(), base_url_override="https://eu.vendor.org/x", allowed_origins=["https://EU.vendor.org:443/"]
    )

    assert request.url == "https://eu.vendor.org/x/users"
    assert request.credential_origins == {"https://api.vendor.com", "https://eu.vendor.org"}


def test_aws_signatures_cover_the_request_that_is_sent() -> None:
    entry = provider(
        "BASIC",
        proxy={
            "base_url": "https://iam.amazonaws.com",
            "headers": {"authorization": "${awsSigV4(username, password, us-east-1, iam)}"},
        },
    )
    who = scope(
        Credential(AuthMode.BASIC, {"username": "AKIDEXAMPLE", "password": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"})
    )

    request = build(
        entry, who, endpoint="/", query=[("Action", "ListUsers"), ("Version", "2010-05-08")],
        headers=[("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")],
    )  # fmt: skip

    assert header(request, "x-amz-date") == ["20150830T123600Z"]
    assert header(request, "authorization")[0].endswith(
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )
    assert needs_body(entry)


def test_an_assumed_aws_role_signs_by_itself() -> None:
    keys = {
        "access_key_id": "AK",
        "secret_access_key": "sk",
        "session_token": "st",
        "region": "eu-west-1",
        "service": "s3",
    }

    request = build(provider("AWS_SIGV4"), scope(Credential(AuthMode.AWS_SIGV4, keys)))

    assert header(request, "x-amz-security-token") == ["st"]
    assert header(request, "x-amz-content-sha256") == [hashlib.sha256(b"").hexdigest()]
    signed = "SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token"
    assert f"Credential=AK/20150830/eu-west-1/s3/aws4_request, {signed}" in header(request, "authorization")[0]


def test_templates_may_name_the_request() -> None:
    entry = provider(
        proxy={
            "headers": {
                "x-sign": "${sha256Hex(${method}${path}${urlCanonicalParams}${bodyCanonicalParams})}",
                "x-id": "${random}-${random}",
            }
        }
    )

    request = build(entry, query=[("b", "2"), ("a", "1")], method="post", body=b"z=1&y=2")

    assert header(request, "x-sign") == [hashlib.sha256(b"POST/v1/usersa=1&b=2y=2&z=1").hexdigest()]
    assert header(request, "x-id") == ["id-1-id-1"]


def test_an_oauth1_app_without_credentials_is_refused() -> None:
    with pytest.raises(UnsupportedAuthError) as caught:
        build(
            provider("OAUTH1"),
            RequestScope(credential=Credential(AuthMode.OAUTH1, {"oauth_token": "t", "oauth_token_secret": "s"})),
        )

    assert caught.value.public_code == "unsupported_auth"


def test_body_leaves_are_merged_deeply_and_dropped_when_unresolved() -> None:
    entry = provider("API_KEY", proxy={"body": {"auth": {"key": "${apiKey}", "org": "${connectionConfig.org}"}}})
    who = scope(Credential(AuthMode.API_KEY, {"apiKey": "k"}))

    assert inject_body(entry, who, {"auth": {"key": "mine", "x": 1}, "q": 2}) == {"auth": {"key": "k", "x": 1}, "q": 2}
    assert inject_body(entry, who, None) == {"auth": {"key": "k"}}
    assert inject_body(provider(), who, [1]) == [1]


@given(st.text(max_size=50), st.text(max_size=50), st.text(max_size=20), st.text(max_size=20))
def test_whatever_the_caller_sends_the_credential_goes_to_the_vendor_only(
    endpoint: str, override: str, name: str, value: str
) -> None:
    try:
        request = build(
            provider(), endpoint=endpoint, base_url_override=override, headers=[(name, value)], query=[(name, value)]
        )
    except DragomanError:
        return

    assert urlsplit(request.url).netloc == "api.vendor.com"
    assert header(request, "authorization") == [f"Bearer {TOKEN}"]
    assert not any(c in v for _, v in request.headers for c in "\r\n\0")


def test_nothing_prints_a_credential() -> None:
    request = build(
        provider("API_KEY", proxy={"query": {"k": "${apiKey}"}}), scope(Credential(AuthMode.API_KEY, {"apiKey": TOKEN}))
    )

    assert TOKEN in request.url
    assert TOKEN not in repr(request) + str(OAUTH) + repr(scope()) + f"{OAUTH!r}"


@pytest.mark.parametrize("method", ["", "GET /x HTTP/1.1\r\nX: y", "G T", "GÉT"])
def test_a_method_that_could_split_the_message_is_refused(method: str) -> None:
    with pytest.raises(InvalidEndpointError):
        build(provider(), method=method)
