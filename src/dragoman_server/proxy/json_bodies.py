"""Completing a JSON body with what the catalogue entry puts into every request."""

from collections.abc import Callable
from typing import Any

import msgspec


def merged_json(body: bytes | None, content_type: str | None, merge: Callable[[Any], Any]) -> bytes | None:
    """Return the body with `merge` applied to it; a body that is not a JSON object goes as it is."""
    if body and content_type is not None and "json" not in content_type.lower():
        return body
    try:
        value = msgspec.json.decode(body) if body else None
    except msgspec.DecodeError:
        return body
    if value is not None and not isinstance(value, dict):
        return body
    return msgspec.json.encode(merge(value))
