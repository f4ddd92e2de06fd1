"""BILL's login: user, organization and developer key become a session of 35 minutes (BILL v3 API, `/login`)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from dragoman_server.connect.grants.fields import read_text
from dragoman_server.connect.grants.model import Flow, Need, TokenAnswer, TokenRefusal
from dragoman_server.connect.grants.token_request import encode, template_scope, token_endpoint
from dragoman_server.connect.grants.token_response import decode_body, refusal, text_or_none

LIFE = timedelta(minutes=35)
INPUTS = ("username", "password", "organization_id", "dev_key")


def values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the typed-in fields; raise InvalidCredentialsError naming what is wrong."""
    return {name: read_text(given, name, longest=1024) for name in INPUTS}


def flow(need: Need) -> Flow:
    """Log in."""
    scope = template_scope(need.client, need.connection_config)
    own = {name: str(need.values.get(name) or "") for name in INPUTS}
    fields = {
        "username": own["username"],
        "password": own["password"],
        "organizationId": own["organization_id"],
        "devKey": own["dev_key"],
    }
    url = token_endpoint(need.entry, "BILL", scope)
    answer = yield encode("POST", url, [("accept", "application/json")], fields, "json", tuple(own.values()))
    raw = decode_body(answer.body)
    session = text_or_none((raw or {}).get("sessionId"))
    if not 200 <= answer.status < 300 or session is None or raw is None:
        return refusal(answer.status, raw) if answer.status >= 400 else TokenRefusal(answer.status, None)
    user = text_or_none(raw.get("userId")) or text_or_none(raw.get("usersId")) or ""
    return TokenAnswer(session, None, LIFE, None, raw, fields={"session_id": session, "user_id": user})


def kept(old: Mapping[str, Any], answer: TokenAnswer) -> dict[str, Any]:
    """Return the credential's fields."""
    return {name: old.get(name, "") for name in INPUTS} | dict(answer.fields) | {"raw": dict(answer.raw)}
