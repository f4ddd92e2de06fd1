"""Asking for tokens that are bound to a key of the connection's own (DPoP, RFC 9449 sections 5 and 8).

Grants only say which key a request is to be proven with; `Exchange` makes the proof when it sends it.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from dragoman_server.connect.grants.discovery import Steps
from dragoman_server.connect.grants.model import Entry, HttpAnswer, TokenAnswer, TokenRefusal, TokenRequest
from dragoman_server.connect.grants.token_response import decode_body
from dragoman_server.providers import dpop

BEARER = "Bearer"


def key_for(entry: Entry, values: Mapping[str, Any] | None = None) -> str | None:
    """Return the connection's key, a fresh one for its first token; None where the entry does not want any."""
    if not entry.get("dpop"):
        return None
    known = (values or {}).get("dpop_key")
    return str(known) if known else dpop.new_key(str(entry.get("dpop_algorithm") or dpop.USUAL_ALGORITHM))


def params(key: str | None) -> dict[str, str]:
    """Return what binds an authorization code to the key (section 10)."""
    return {} if key is None else {"dpop_jkt": dpop.thumbprint(key)}


def proven(request: TokenRequest, key: str | None) -> TokenRequest:
    """Return the request, to be sent with a proof of `key`."""
    return request if key is None else replace(request, dpop=key, secrets=(*request.secrets, key))


def challenged(answer: HttpAnswer) -> bool:
    """Whether the server took nothing yet: it wants its nonce in the proof (section 8)."""
    if answer.status not in {400, 401}:
        return False
    return (decode_body(answer.body) or {}).get("error") == dpop.WANTS_NONCE


def ask(build: Callable[[], TokenRequest]) -> Steps[HttpAnswer]:
    """Send what `build` makes; once more, made anew (an assertion of the client is good for one use), if challenged.

    Not for renewals: there `Refresher` asks again, because it looks at its lease before every request.
    """
    request = build()
    answer = yield request
    if request.dpop is not None and challenged(answer):
        answer = yield build()
    return answer


def bind(key: str | None, answer: TokenAnswer | TokenRefusal) -> TokenAnswer | TokenRefusal:
    """Return the first token together with its key; refuse one the server did not bind to it (section 5)."""
    if key is None or isinstance(answer, TokenRefusal):
        return answer
    if not _is_bound(answer):
        return TokenRefusal(
            0, "invalid_token_type", "The provider's token is not bound to our key (DPoP, RFC 9449); it was not stored."
        )
    return replace(answer, fields={**answer.fields, **kept(key, answer)})


def kept(key: object, answer: TokenAnswer) -> dict[str, str]:
    """Return what a credential keeps of its key; a renewed token may have become an ordinary one."""
    if not isinstance(key, str) or not key:
        return {}
    return {"dpop_key": key, "token_type": dpop.SCHEME if _is_bound(answer) else BEARER}


def _is_bound(answer: TokenAnswer) -> bool:
    return str(answer.raw.get("token_type") or "").lower() == dpop.SCHEME.lower()
