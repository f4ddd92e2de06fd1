"""Codes and tokens that carry what they stand for, so that a simulator started anew still knows those it gave out.

The key is no secret and need not be: these tokens open nothing but the simulator. It only tells ours from others.
"""

import base64
import hashlib
import hmac
import json
from dataclasses import asdict, dataclass
from typing import Literal

PREFIX = "sim_"
ANY_CLIENT = "*"
"""Some vendors know the client by its secret alone, or by what its developer typed in."""
_KEY = b"dragoman simulator"
Kind = Literal["code", "access", "refresh", "client"]


@dataclass(frozen=True, slots=True)
class Minted:
    kind: Kind
    provider: str
    client: str
    family: str
    """One consent; revoking or misusing any token ends all of its family."""
    number: int
    expires: int
    """Unix time; 0: never."""
    redirect_uri: str = ""
    challenge: str = ""
    scope: str = ""

    def text(self) -> str:
        plain = json.dumps([*asdict(self).values()], separators=(",", ":")).encode()
        return PREFIX + _encode(hmac.digest(_KEY, plain, hashlib.sha256)[:12] + plain)


def read(text: str) -> Minted | None:
    """Return what a token of ours stands for; None for any other text."""
    if not text.startswith(PREFIX):
        return None
    try:
        packed = text.removeprefix(PREFIX)
        data = base64.urlsafe_b64decode(packed + "=" * (-len(packed) % 4))
        if not hmac.compare_digest(hmac.digest(_KEY, data[12:], hashlib.sha256)[:12], data[:12]):
            return None
        return Minted(*json.loads(data[12:]))
    except (ValueError, TypeError):
        return None


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
