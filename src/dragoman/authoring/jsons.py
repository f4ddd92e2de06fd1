"""JSON bytes: msgspec where it is installed, else the standard library."""

import json
from typing import Any

try:
    import msgspec.json as _fast
except ImportError:  # a guest of another language's SDK, or a trimmed environment
    _fast = None


def dumps(value: Any) -> bytes:
    """Compact UTF-8 JSON; dates, uuids, dataclasses and structs too when msgspec is installed."""
    if _fast is not None:
        return _fast.encode(value, enc_hook=_encode_model)
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=_encode_model).encode()


def loads(data: bytes | str) -> Any:
    """Raises ValueError when `data` is not JSON."""
    if _fast is not None:
        return _fast.decode(data)
    return json.loads(data)


def _encode_model(value: Any) -> Any:
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType] - any JSON value
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
