"""The calls that try a credential."""

import json

import pytest

from dragoman_server.providers.errors import UnresolvedTemplateError
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.providers.verification import verification_calls
from tests.providers.samples import TOKEN, provider, scope


def test_an_entry_without_verification_has_no_calls() -> None:
    assert verification_calls(provider(), scope()) == []


def test_endpoints_are_tried_in_order_with_the_credential() -> None:
    calls = verification_calls(provider(proxy={"verification": {"endpoints": ["/me", "/you?a=1"]}}), scope())

    assert [c.request.url for c in calls] == ["https://api.vendor.com/v1/me", "https://api.vendor.com/v1/you?a=1"]
    assert [c.request.method for c in calls] == ["GET", "GET"]
    assert calls[0].request.headers == [("authorization", f"Bearer {TOKEN}")]
    assert calls[0].body is None


def test_a_call_may_have_its_own_base_headers_and_body() -> None:
    verification = {
        "method": "POST",
        "endpoints": ["/orgs/${connectionConfig.org}"],
        "base_url_override": "https://id.vendor.com",
        "headers": {"X-Kind": "test-${connectionConfig.org}"},
        "data": {"query": "{ me }", "org": "${connectionConfig.org}"},
    }

    call = verification_calls(provider(proxy={"verification": verification}), scope(org="a/b"))[0]

    assert call.request.url == "https://id.vendor.com/orgs/a%2Fb"
    assert ("x-kind", "test-a/b") in call.request.headers
    assert ("content-type", "application/json") in call.request.headers
    assert json.loads(call.body or b"") == {"query": "{ me }", "org": "a/b"}


def test_text_data_goes_as_it_is() -> None:
    verification = {"method": "POST", "endpoints": ["/x"], "data": "<a/>", "headers": {"content-type": "text/xml"}}

    call = verification_calls(provider(proxy={"verification": verification}), scope())[0]

    assert call.body == b"<a/>"
    assert [v for k, v in call.request.headers if k == "content-type"] == ["text/xml"]


def test_a_missing_value_in_the_endpoint_is_said() -> None:
    entry = provider(proxy={"verification": {"endpoints": ["/orgs/${connectionConfig.org}"]}})

    with pytest.raises(UnresolvedTemplateError):
        verification_calls(entry, scope(Credential(AuthMode.OAUTH2, {"access_token": "t"})))
