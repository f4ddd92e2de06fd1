"""WSSE user name tokens (`X-WSSE`, OASIS UsernameToken profile), made from user name and password."""

import base64
import hashlib
import secrets
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Any

from dragoman_server.connect.grants import basic
from dragoman_server.connect.grants.model import Entry, Flow, Need, TokenAnswer
from dragoman_server.connect.grants.token_response import mapping

LIFE = timedelta(minutes=5)


def values(entry: Entry, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return user name and password; raise InvalidCredentialsError naming what is wrong."""
    return basic.values(entry, given)


def flow(need: Need) -> Flow:
    """Make a new token; nobody is called."""
    yield from ()
    created = need.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    user, password = str(need.values.get("username") or ""), str(need.values.get("password") or "")
    style = str(mapping(need.entry.get("signature")).get("digest") or "base64")
    token = header(user, password, secrets.token_hex(16), created, digest=style)
    return TokenAnswer(token, None, LIFE, None, {})


def header(user: str, password: str, nonce: str, created: str, *, digest: str = "base64") -> str:
    """Return the header's value. `digest: hex` base64s the digest's hexadecimal text, as Emarsys documents it."""
    sha1 = hashlib.sha1(f"{nonce}{created}{password}".encode())  # noqa: S324  the protocol's own
    digested = base64.b64encode(sha1.hexdigest().encode() if digest == "hex" else sha1.digest()).decode()
    name = user.replace('"', "")
    return f'UsernameToken Username="{name}", PasswordDigest="{digested}", Nonce="{nonce}", Created="{created}"'


def kept(old: Mapping[str, Any], answer: TokenAnswer) -> dict[str, Any]:
    """Return the credential's fields."""
    return {"username": old.get("username", ""), "password": old.get("password", ""), "token": answer.access_token}
