"""Signed assertions and the bodies of odd token endpoints."""

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET  # noqa: S405  documents of our own

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.connect.errors import InvalidCredentialsError
from dragoman_server.connect.grants import client_assertion, saml, two_step
from dragoman_server.connect.grants.model import Client, HttpAnswer, Need, TokenAnswer, TokenRefusal
from dragoman_server.connect.grants.token_request import to_xml
from dragoman_server.connect.grants.token_response import decode_body
from tests.connect.vendors import APP_KEY, APP_PEM

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DS = "{http://www.w3.org/2000/09/xmldsig#}"
SPEC = {
    "issuer": "${connectionConfig.issuer}",
    "subject": "${credentials.user}",
    "audience": "www.vendor.example",
    "recipient": "https://vendor.example/token?a=1&b=2",
    "key": "${credentials.key}",
}
names = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=20).filter(str.strip)


def made(issuer: str, user: str) -> bytes:
    scope = {"connectionConfig": {"issuer": issuer}, "credentials": {"user": user, "key": APP_PEM}}
    return base64.b64decode(saml.assertion({**SPEC, "attributes": {"org": "${connectionConfig.issuer}"}}, scope, NOW))


@given(names, names)
def test_a_saml_assertion_verifies_as_xml_signature_says(issuer: str, user: str) -> None:
    document = made(issuer, user).decode()

    root = ET.fromstring(document)  # noqa: S314
    signature = root.find(f"{DS}Signature")
    assert signature is not None
    info = signature.find(f"{DS}SignedInfo")
    assert info is not None
    start, end = document.index("<ds:Signature "), document.index("</ds:Signature>") + len("</ds:Signature>")
    bare = ET.canonicalize(document[:start] + document[end:])
    digest = info.findtext(f"{DS}Reference/{DS}DigestValue")
    assert digest == base64.b64encode(hashlib.sha256(bare.encode()).digest()).decode()
    signed_info = ET.canonicalize(
        document[
            document.index("<ds:SignedInfo>") : document.index("</ds:SignedInfo>") + len("</ds:SignedInfo>")
        ].replace("<ds:SignedInfo>", '<ds:SignedInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#">')
    )
    value = base64.b64decode(signature.findtext(f"{DS}SignatureValue") or "")
    APP_KEY.public_key().verify(value, signed_info.encode(), padding.PKCS1v15(), hashes.SHA256())


def test_a_key_that_is_none_is_named_and_not_shown() -> None:
    with pytest.raises(InvalidCredentialsError) as caught:
        client_assertion.params(Client("m", private_key="-----BEGIN nonsense"), audience="https://v/", now=NOW)

    assert "client_private_key" in caught.value.message
    assert "nonsense" not in caught.value.message


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"<a><b>1</b><c d='2'/></a>", {"b": "1", "c": {"d": "2"}}),
        (b'<x:r xmlns:x="urn:x"><x:token>t</x:token></x:r>', {"token": "t"}),
        (b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", None),
        (b"<html><p>sorry", None),
        (b"token=1&x=2", {"token": "1", "x": "2"}),
        (b"[1]", None),
        (b"", {}),
    ],
)
def test_bodies_are_read_whatever_their_format(body: bytes, found: Any) -> None:
    assert (decode_body(body) or {}) == (found or {})


@given(st.recursive(names, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=8))
def test_xml_bodies_are_well_formed_whatever_is_typed(value: Any) -> None:
    ET.fromstring(f"<r>{to_xml(value)}</r>")  # noqa: S314


def run(entry: dict[str, Any], answer: HttpAnswer, *, once: dict[str, str] | None = None) -> TokenAnswer | TokenRefusal:
    steps = two_step.obtain(Need(entry, Client(""), {"user": "u"}, {}, NOW, once or {}))
    try:
        next(steps)
        steps.send(answer)
    except StopIteration as done:
        return done.value
    raise AssertionError("it asked again")


ENTRY: dict[str, Any] = {"token_url": "https://v.example/login"}


def jwt_ending(at: datetime) -> str:
    payload = base64.urlsafe_b64encode(b'{"exp":%d}' % int(at.timestamp())).rstrip(b"=").decode()
    return f"e30.{payload}.sig"


@pytest.mark.parametrize(
    ("more", "body", "life"),
    [
        ({}, b'{"access_token":"t"}', None),
        ({"token_expires_in_ms": 60_000}, b'{"access_token":"t"}', timedelta(minutes=1)),
        ({"token_response": {"token": "body"}}, b'"just-the-token"', None),
        (
            {"token_response": {"token": "t", "token_expiration": "e", "token_expiration_strategy": "expireAt"}},
            b'{"t":"x","e":"2026-01-02T04:04:05Z"}',
            timedelta(hours=1),
        ),
        ({"token_response": {"token": "t", "token_expiration": "e"}}, b'{"t":"x","e":90}', timedelta(seconds=90)),
        ({}, f'{{"access_token":"{jwt_ending(NOW + timedelta(hours=2))}"}}'.encode(), timedelta(hours=2)),
    ],
)
def test_a_tokens_life_is_found_where_the_entry_says(more: dict[str, Any], body: bytes, life: timedelta | None) -> None:
    answer = run(ENTRY | more, HttpAnswer(200, (), body))

    assert isinstance(answer, TokenAnswer)
    assert answer.life == life


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>oops</html>", b'{"access_token":""}', b"\xff\xfe"])
def test_an_answer_without_a_token_is_a_refusal(body: bytes) -> None:
    assert isinstance(run(ENTRY, HttpAnswer(200, (), body)), TokenRefusal)


def test_an_input_that_is_never_stored_must_be_typed_again() -> None:
    entry = ENTRY | {"assertion_option": {"otp": {"type": "string", "title": "Code"}}}
    steps = two_step.renew(Need(entry, Client(""), {"user": "u"}, {}, NOW))
    with pytest.raises(StopIteration) as done:
        next(steps)

    assert isinstance(done.value.value, TokenRefusal)
    assert done.value.value.grant_is_dead
    assert "`otp`" in done.value.value.sentence()
