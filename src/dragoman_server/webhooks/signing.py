"""How a customer knows that a webhook is ours. Pure.

Three signatures travel with each request, all made with the environment's webhook signing key:

- `X-Nango-Hmac-Sha256`: hex HMAC-SHA256(key, body);
- `X-Nango-Signature` (old): hex SHA-256(key followed by body);
- Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`, which is `v1,` and the base64 of
  HMAC-SHA256(key, "id.timestamp.body"). Libraries want the secret as `whsec_` and the base64 of its bytes:
  `standard_secret(key)` is that form; the bytes are the key's UTF-8. During a rotation there are two, space-separated.
"""

import base64
import hashlib
import hmac
from dataclasses import dataclass

from dragoman_server.kit.secret import Secret


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The environment's key, and the one before it while that still counts (five minutes after a rotation)."""

    current: Secret
    previous: Secret | None = None


def standard_secret(key: Secret) -> Secret:
    """Return the key in the form the `standardwebhooks` libraries take."""
    return Secret("whsec_" + base64.b64encode(key.reveal().encode()).decode())


def signature_headers(keys: SigningKeys, *, message_id: str, timestamp: int, body: bytes) -> list[tuple[str, str]]:
    """Return every signature header for exactly these bytes."""
    key = keys.current.reveal().encode()
    content = f"{message_id}.{timestamp}.".encode() + body
    signers = [keys.current] if keys.previous is None else [keys.current, keys.previous]
    standard = " ".join(
        "v1," + base64.b64encode(hmac.digest(signer.reveal().encode(), content, "sha256")).decode()
        for signer in signers
    )
    return [
        ("X-Nango-Signature", hashlib.sha256(key + body).hexdigest()),
        ("X-Nango-Hmac-Sha256", hmac.digest(key, body, "sha256").hex()),
        ("webhook-id", message_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", standard),
    ]
