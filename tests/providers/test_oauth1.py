"""OAuth 1 signatures, checked by the server side of the library that the world's servers use."""

import base64
import re
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import unquote

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as st
from oauthlib.oauth1.rfc5849 import signature  # pyright: ignore[reportMissingTypeStubs]

from dragoman_server.providers.errors import InvalidEndpointError
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.providers.oauth1 import Signer, authorization
from dragoman_server.providers.rendering import RequestScope, build_request, needs_body, signs_requests
from dragoman_server.providers.templating import Moment
from tests.providers.samples import provider

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
library: Any = signature


def sent(header: str) -> dict[str, str]:
    return {k: unquote(v) for k, v in re.findall(r'(\w+)="([^"]*)"', header)}


def received(method: str, url: str, header: str, body: str = "") -> Any:
    """The request as a server sees it."""
    params: list[tuple[str, str]] = library.collect_parameters(
        uri_query=url.partition("?")[2], body=body, headers={"Authorization": header}, exclude_oauth_signature=True
    )
    return SimpleNamespace(uri=url, http_method=method, params=params, signature=sent(header)["oauth_signature"])


SIGNER = Signer("HMAC-SHA1", "key", "sec ret", "tok", "tok&secret")


@pytest.mark.parametrize("method", ["HMAC-SHA1", "HMAC-SHA256"])
def test_the_librarys_server_accepts_our_hmac_signature(method: str) -> None:
    url = "https://api.vendor.com/v1/users?b=2&a=%20x&a=1"
    header = authorization(
        Signer(method, "key", "sec ret", "tok", "tok&secret", realm="R_1"), method="GET", url=url, now=NOW, nonce="n1"
    )

    check = library.verify_hmac_sha1 if method == "HMAC-SHA1" else library.verify_hmac_sha256
    assert check(received("GET", url, header), "sec ret", "tok&secret")
    assert not check(received("POST", url, header), "sec ret", "tok&secret")
    assert not check(received("GET", url, header), "other", "tok&secret")
    assert sent(header)["realm"] == "R_1"


def test_plaintext_sends_both_secrets() -> None:
    header = authorization(
        Signer("PLAINTEXT", "key", "a", "tok", "b"), method="GET", url="https://v.com/", now=NOW, nonce="n"
    )

    assert sent(header)["oauth_signature"] == "a&b"


def test_rsa_sha1_verifies_with_the_public_key() -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    url = "https://v.com/x?q=1"
    header = authorization(Signer("RSA-SHA1", "key", pem, "tok", "s"), method="POST", url=url, now=NOW, nonce="n")

    seen = received("POST", url, header)
    base = library.signature_base_string(
        "POST", library.base_string_uri(url), library.normalize_parameters(seen.params)
    )
    key.public_key().verify(base64.b64decode(seen.signature), base.encode(), padding.PKCS1v15(), hashes.SHA1())


@given(st.text(max_size=30), st.text(max_size=30), st.sampled_from(["GET", "POST", "DELETE"]))
def test_whatever_query_is_proxied_the_server_accepts_it(name: str, value: str, method: str) -> None:
    entry = provider("OAUTH1")
    who = RequestScope(
        credential=Credential(AuthMode.OAUTH1, {"oauth_token": "tok", "oauth_token_secret": "ts"}),
        integration={"client_id": "key", "client_secret": "cs"},
    )

    request = build_request(
        entry,
        who,
        method=method,
        endpoint="/users",
        query=[(name, value)] if name else [],
        moment=Moment(lambda: NOW, lambda: "n"),
    )

    header = dict(request.headers)["authorization"]
    assert library.verify_hmac_sha1(received(method, request.url, header), "cs", "ts")


def test_a_form_body_is_signed_and_a_json_body_is_not() -> None:
    entry = provider("TBA", signature_method="HMAC-SHA256")
    who = RequestScope(
        connection_config={"accountId": "1234_SB1"},
        credential=Credential(
            AuthMode.TBA,
            {"token_id": "tok", "token_secret": "ts", "config_override": {"client_id": "own", "client_secret": "os"}},
        ),
        integration={"client_id": "key", "client_secret": "cs"},
    )
    form = [("content-type", "application/x-www-form-urlencoded")]
    moment = Moment(lambda: NOW, lambda: "n")

    signed = build_request(entry, who, method="POST", endpoint="/x", headers=form, body=b"a=1&b=%20", moment=moment)
    plain = build_request(
        entry,
        who,
        method="POST",
        endpoint="/x",
        headers=[("content-type", "application/json")],
        body=b"{}",
        moment=moment,
    )

    header = dict(signed.headers)["authorization"]
    assert library.verify_hmac_sha256(received("POST", signed.url, header, "a=1&b=%20"), "os", "ts")
    assert sent(header)["realm"] == "1234_SB1"
    assert sent(header)["oauth_consumer_key"] == "own"
    header = dict(plain.headers)["authorization"]
    assert library.verify_hmac_sha256(received("POST", plain.url, header), "os", "ts")
    assert needs_body(entry, form[0][1])
    assert not needs_body(entry, "application/json")
    assert signs_requests(entry)


def test_a_body_that_is_no_form_is_refused_helpfully() -> None:
    headers = [("content-type", "application/x-www-form-urlencoded")]
    with pytest.raises(InvalidEndpointError, match="not encoded"):
        authorization(SIGNER, method="POST", url="https://v.com/", headers=headers, body=b"a={ }", now=NOW, nonce="n")
