"""Typed ids, so that a connection's id never stands where an environment's is meant."""

import os
import secrets
import time
import uuid
from typing import NewType

AccountId = NewType("AccountId", int)
EnvironmentId = NewType("EnvironmentId", int)
IntegrationId = NewType("IntegrationId", int)
ConnectionRowId = NewType("ConnectionRowId", int)
"""The numeric id of a connection (`id` on the wire); its public `connection_id` is text chosen by the customer."""
DeploymentId = NewType("DeploymentId", str)
"""sha256 of the uploaded archive, lower-case hex."""
SyncId = NewType("SyncId", uuid.UUID)
RunId = NewType("RunId", uuid.UUID)
OperationId = NewType("OperationId", uuid.UUID)


def uuid7() -> uuid.UUID:
    """Return a time-ordered uuid (RFC 9562 section 5.7), for rows that are inserted in time order."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (2**48 - 1)) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return uuid.UUID(int=value)


def random_token(prefix: str = "", bytes_: int = 32) -> str:
    """Return `prefix` and `bytes_` random bytes as lower-case hex."""
    return prefix + secrets.token_hex(bytes_)
