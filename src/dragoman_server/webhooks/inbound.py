"""Is a webhook really the provider's? What an entry says of its signature, and the check over the raw bytes. Pure.

Every refusal reads the same, whatever was wrong, so that a caller learns nothing about which integrations exist.
"""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dragoman_server.kit.errors import DragomanError, Reaction

BODY_LIMIT = 1_000_000
TOLERANCE = 300
"""Seconds a signed time may lie off, where the entry says nothing."""


class InvalidSignatureError(DragomanError):
    """No integration of ours expects this webhook, or it is not signed by its provider, or it is too old."""

    code = "webhook_invalid_signature"
    default_status = 401
    reaction = Reaction.FIX

    def __init__(self) -> None:
        super().__init__(
            "The webhook is not signed with the secret of an integration at this address, or its time is off."
        )


class WebhookRateError(DragomanError):
    """One integration's provider calls more often than a minute allows."""

    code = "webhook_rate_limit_exceeded"
    default_status = 429
    reaction = Reaction.RETRY

    def __init__(self, retry_after: int) -> None:
        super().__init__(
            f"Too many webhooks for this integration. Send it again in {retry_after} s.",
            headers={"Retry-After": str(retry_after)},
        )


@dataclass(frozen=True, slots=True)
class SignatureRule:
    """An entry's `signature`: HMAC-SHA256 of `content`, in which `${timestamp}` and `${body}` are put as they came."""

    header: str
    encoding: str
    prefix: str
    content: str
    timestamp_header: str | None
    tolerance: timedelta
    secret: str

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> "SignatureRule":
        time: Mapping[str, Any] = raw.get("timestamp") or {}
        return cls(
            header=str(raw["header"]).lower(),
            encoding=str(raw.get("encoding") or "hex"),
            prefix=str(raw.get("prefix") or ""),
            content=str(raw.get("content") or "${body}"),
            timestamp_header=str(time["header"]).lower() if time else None,
            tolerance=timedelta(seconds=int(time.get("tolerance_seconds") or TOLERANCE)),
            secret=str(raw.get("secret") or "webhook_secret"),
        )


def verify(rule: SignatureRule, secret: str, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raise InvalidSignatureError unless `body` was signed with `secret`, not too long ago. Names in lower case."""
    if not secret:
        raise InvalidSignatureError
    timestamp = headers.get(rule.timestamp_header, "") if rule.timestamp_header else ""
    expected = hmac.digest(secret.encode(), _content(rule.content, timestamp, body), "sha256")
    given = _decoded(rule, headers.get(rule.header, ""))
    if not hmac.compare_digest(expected, given):
        raise InvalidSignatureError
    if rule.timestamp_header is not None and not _is_recent(timestamp, now, rule.tolerance):
        raise InvalidSignatureError


def _content(template: str, timestamp: str, body: bytes) -> bytes:
    """Only the template is looked through: what was put in never is."""
    before, _, after = template.partition("${body}")
    return (
        before.replace("${timestamp}", timestamp).encode("utf-8", "surrogateescape")
        + body
        + (after.replace("${timestamp}", timestamp).encode("utf-8", "surrogateescape"))
    )


def _decoded(rule: SignatureRule, header: str) -> bytes:
    """Return the signature's bytes; none when it is malformed."""
    if not header.startswith(rule.prefix):
        return b""
    text = header.removeprefix(rule.prefix)
    try:
        return bytes.fromhex(text) if rule.encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""


def _is_recent(timestamp: str, now: datetime, tolerance: timedelta) -> bool:
    """Seconds or milliseconds since 1970, in digits only."""
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 13):
        return False
    seconds = int(timestamp) / (1000 if len(timestamp) == 13 else 1)
    return abs(now.timestamp() - seconds) <= tolerance.total_seconds()
