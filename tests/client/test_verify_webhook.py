"""The webhook verifier: only an untouched, recent body under the right key passes, whatever the body."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from dragoman import InvalidSignatureError, signing_secret, verify_webhook
from dragoman_server.kit.secret import Secret
from dragoman_server.webhooks.signing import SigningKeys, signature_headers

NOW = 1_800_000_000
EVENTS = st.dictionaries(
    st.text(max_size=10),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=10), lambda kids: st.lists(kids, max_size=3)
    ),
    max_size=5,
)
KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=60)


def signed(body: bytes, key: str, *, at: int = NOW, id_: str = "msg_1") -> dict[str, str]:
    digest = hmac.new(key.encode(), f"{id_}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "Webhook-Id": id_,
        "Webhook-Timestamp": str(at),
        "Webhook-Signature": "v1,bm90IHRoaXMgb25l v1," + base64.b64encode(digest).decode(),
    }


def verify(body: bytes, headers: dict[str, str], key: str, **more: Any) -> dict[str, Any]:
    return verify_webhook(body, headers, key, now=lambda: float(NOW), **more)


@given(EVENTS, KEYS)
def test_what_was_signed_is_read_back(event: dict[str, Any], key: str) -> None:
    body = json.dumps(event, ensure_ascii=False).encode()

    assert verify(body, signed(body, key), key) == event
    assert verify(body, {"x-nango-hmac-sha256": hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}, key) == event


@given(EVENTS, KEYS, st.data())
def test_a_body_with_one_byte_changed_is_refused(event: dict[str, Any], key: str, data: st.DataObject) -> None:
    body = json.dumps(event).encode()
    place = data.draw(st.integers(0, len(body) - 1))
    other = data.draw(st.integers(0, 255).filter(lambda byte: byte != body[place]))
    tampered = body[:place] + bytes([other]) + body[place + 1 :]

    with pytest.raises(InvalidSignatureError):
        verify(tampered, signed(body, key), key)
    with pytest.raises(InvalidSignatureError):
        verify(tampered, {"x-nango-hmac-sha256": hmac.new(key.encode(), body, hashlib.sha256).hexdigest()}, key)


@given(KEYS, KEYS)
def test_another_key_is_refused(key: str, other: str) -> None:
    assume(key != other)

    with pytest.raises(InvalidSignatureError):
        verify(b"{}", signed(b"{}", key), other)


@given(st.integers(-(10**6), 10**6))
def test_only_a_timestamp_within_the_tolerance_passes(seconds: int) -> None:
    headers = signed(b"{}", "key", at=NOW + seconds)

    if abs(seconds) <= 300:
        assert verify(b"{}", headers, "key") == {}
    else:
        with pytest.raises(InvalidSignatureError):
            verify(b"{}", headers, "key")
    assert verify(b"{}", headers, "key", tolerance_seconds=10**6) == {}


@given(st.dictionaries(st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]), st.text(max_size=30)))
def test_any_headers_are_refused_and_never_break_it(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidSignatureError):
        verify(b"{}", headers, "key")


@pytest.mark.parametrize(
    "headers",
    [
        {"webhook-id": "m", "webhook-timestamp": str(NOW), "webhook-signature": "v1,é"},
        {"webhook-id": "m", "webhook-timestamp": "²", "webhook-signature": "v1,e"},
        {"webhook-id": "m", "webhook-timestamp": "9" * 400, "webhook-signature": "v1,e"},
        {"webhook-id": "m\udce9", "webhook-timestamp": str(NOW), "webhook-signature": "v1,\udce9"},
        {"x-nango-hmac-sha256": "é"},
        {},
    ],
)
def test_odd_headers_are_refused_like_any_other(headers: dict[str, str]) -> None:
    with pytest.raises(InvalidSignatureError):
        verify(b"{}", headers, "key")


@pytest.mark.parametrize("missing", ["Webhook-Id", "Webhook-Timestamp", "Webhook-Signature"])
def test_each_header_is_needed(missing: str) -> None:
    headers = {k: v for k, v in signed(b"{}", "key").items() if k != missing}

    with pytest.raises(InvalidSignatureError):
        verify(b"{}", headers, "key")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b'"text"'])
def test_a_signed_body_that_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidSignatureError):
        verify(body, signed(body, "key"), "key")


@given(EVENTS, KEYS, KEYS)
def test_the_platform_signs_what_the_client_and_standardwebhooks_accept(
    event: dict[str, Any], key: str, before: str
) -> None:
    body = json.dumps(event).encode()
    keys = SigningKeys(Secret(key), Secret(before))
    headers = dict(signature_headers(keys, message_id="msg_1", timestamp=int(time.time()), body=body))

    for one in (key, before):
        assert verify_webhook(body, headers, one) == event, "during a rotation either key does"
        judge = Webhook(signing_secret(one))
        assert judge.verify(body, headers) == event
        with pytest.raises(WebhookVerificationError):
            judge.verify(body + b" ", headers)
