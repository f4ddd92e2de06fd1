"""Verify what Dragoman sends: the Standard Webhooks headers, or the older `X-Nango-Hmac-Sha256`.

https://www.standardwebhooks.com/ describes the first: HMAC-SHA256 over `id.timestamp.body`, base64, five minutes of
tolerance against replays.
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from dragoman.client.errors import InvalidSignatureError

TOLERANCE_SECONDS = 300
LONGEST_TIMESTAMP = 15


def signing_secret(signing_key: str) -> str:
    """Return the `whsec_…` form of an environment's webhook signing key, as Standard Webhooks libraries take it."""
    return "whsec_" + base64.b64encode(signing_key.encode()).decode()


def verify_webhook(
    body: bytes,
    headers: Mapping[str, str],
    signing_key: str,
    *,
    tolerance_seconds: int = TOLERANCE_SECONDS,
    now: Callable[[], float] = time.time,
) -> dict[str, Any]:
    """Return the event in `body` (the exact bytes received) or raise `InvalidSignatureError`.

    Answer 2xx within 20 seconds. `webhook-id` stays the same when a delivery is tried again: use it to drop repeats.
    """
    given = {k.lower(): v for k, v in headers.items()}
    if "webhook-signature" in given:
        _verify_standard(body, given, signing_key, tolerance_seconds, now())
    elif "x-nango-hmac-sha256" in given:
        expected = hmac.new(signing_key.encode(), body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), _bytes(given["x-nango-hmac-sha256"])):
            raise InvalidSignatureError("X-Nango-Hmac-Sha256 does not match the body")
    else:
        raise InvalidSignatureError("neither webhook-signature nor X-Nango-Hmac-Sha256 is present")
    try:
        event = json.loads(body)
    except ValueError as error:
        raise InvalidSignatureError("the body is not JSON") from error
    if not isinstance(event, dict):
        raise InvalidSignatureError("the body is not a JSON object")
    return event  # type: ignore[return-value]  # json gives dict[Any, Any]


def _verify_standard(body: bytes, given: Mapping[str, str], key: str, tolerance: int, now: float) -> None:
    identifier, stamp = given.get("webhook-id", ""), given.get("webhook-timestamp", "")
    if not identifier or not (stamp.isascii() and stamp.isdigit()) or len(stamp) > LONGEST_TIMESTAMP:
        raise InvalidSignatureError("webhook-id or webhook-timestamp is missing or malformed")
    if abs(now - int(stamp)) > tolerance:
        raise InvalidSignatureError("webhook-timestamp is too far from now")
    signed = _bytes(f"{identifier}.{stamp}.") + body
    expected = base64.b64encode(hmac.new(key.encode(), signed, hashlib.sha256).digest()).decode()
    for signature in given["webhook-signature"].split():
        version, _, value = signature.partition(",")
        if version == "v1" and hmac.compare_digest(expected.encode(), _bytes(value)):
            return
    raise InvalidSignatureError("webhook-signature does not match the body")


def _bytes(header: str) -> bytes:
    """A header's bytes, however the server that received it decoded them."""
    return header.encode("utf-8", "surrogatepass")
