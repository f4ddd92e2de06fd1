"""How a credential becomes bytes before it is sealed."""

from datetime import datetime
from typing import Any

import msgspec

from dragoman_server.providers.model import AuthMode, Credential

PURPOSE = "credential"
STATE_PURPOSE = "oauth_state"
_VERSION = 1


class _Plain(msgspec.Struct):
    v: int
    type: str
    values: dict[str, Any]
    expires_at: datetime | None


_DECODER = msgspec.json.Decoder(_Plain)


def encode_credential(credential: Credential) -> bytes:
    return msgspec.json.encode(_Plain(_VERSION, credential.type.value, dict(credential.values), credential.expires_at))


def decode_credential(plain: bytes) -> Credential:
    read = _DECODER.decode(plain)
    return Credential(AuthMode(read.type), read.values, read.expires_at)
