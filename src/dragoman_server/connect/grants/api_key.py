"""API keys: nothing to exchange; the entry's verification call says whether one works."""

from collections.abc import Mapping
from typing import Any

from dragoman_server.connect.grants.fields import check_pattern, read_text
from dragoman_server.connect.grants.model import Entry


def values(entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the credential's fields; raise InvalidCredentialsError naming what is wrong."""
    key = read_text(given, "apiKey", longest=1024)
    check_pattern(entry.get("credentials"), "apiKey", key)
    return {"apiKey": key}
