"""User name and password (RFC 7617); vendors use either alone, so one of them may be blank."""

from collections.abc import Mapping
from typing import Any

from dragoman_server.connect.errors import InvalidCredentialsError
from dragoman_server.connect.grants.fields import check_pattern, read_text
from dragoman_server.connect.grants.model import Entry


def values(entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the credential's fields; raise InvalidCredentialsError naming what is wrong."""
    username = read_text(given, "username", longest=1024, required=False)
    password = read_text(given, "password", longest=1024, required=False)
    if not username and not password:
        raise InvalidCredentialsError("Give a user name or a password; both are empty.")
    if ":" in username:
        raise InvalidCredentialsError("Credential field `username` must not contain a colon (RFC 7617).")
    check_pattern(entry.get("credentials"), "username", username)
    check_pattern(entry.get("credentials"), "password", password)
    return {"username": username, "password": password}
