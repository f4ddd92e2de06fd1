"""NetSuite's token-based authentication: a token made in its own pages; requests are signed as OAuth 1 with a realm."""

from collections.abc import Mapping
from typing import Any

from dragoman_server.connect.grants.fields import check_pattern, read_text
from dragoman_server.connect.grants.model import Entry

_OVERRIDES = {"oauth_client_id_override": "client_id", "oauth_client_secret_override": "client_secret"}


def values(entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the credential's fields; raise InvalidCredentialsError naming what is wrong."""
    found: dict[str, Any] = {
        "token_id": read_text(given, "token_id", longest=2048),
        "token_secret": read_text(given, "token_secret", longest=2048),
    }
    for name in ("token_id", "token_secret"):
        check_pattern(entry.get("credentials"), name, found[name])
    override = given.get("config_override")
    own: dict[str, Any] = dict(override) if isinstance(override, Mapping) else {}  # pyright: ignore[reportUnknownArgumentType]
    own |= {kept: given[name] for name, kept in _OVERRIDES.items() if given.get(name)}
    found["config_override"] = {
        name: read_text(own, name, longest=longest)
        for name, longest in (("client_id", 255), ("client_secret", 2048))
        if own.get(name)
    }
    return found
