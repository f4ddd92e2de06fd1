"""Providers without authentication."""

from typing import Any


def values() -> dict[str, Any]:
    """Return the empty credential."""
    return {}
