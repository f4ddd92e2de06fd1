"""Pushed authorization requests (PAR, RFC 9126): what the person is asked goes straight to the server; the browser
carries a reference to it, which it can neither read nor change.
"""

from collections.abc import Mapping
from datetime import datetime

from dragoman_server.connect.errors import TokenRequestError
from dragoman_server.connect.grants import authorization_code, dpop
from dragoman_server.connect.grants.authorization_code import Asked
from dragoman_server.connect.grants.discovery import Steps
from dragoman_server.connect.grants.model import Client, Entry, TokenRequest
from dragoman_server.connect.grants.token_request import build, template_scope
from dragoman_server.connect.grants.token_response import decode_body, refusal, text_or_none
from dragoman_server.providers.urls import render_url

CODE = "pushed_authorization_err"
_AUTHENTICATION = ("token_request_auth_method", "authorization_method")
_LONGEST = 2048


def wanted(entry: Entry) -> bool:
    """Whether the authorization request is to be pushed."""
    return bool(entry.get("pushed_authorization_request_url"))


def push(entry: Entry, client: Client, asked: Asked, *, dpop_key: str | None, now: datetime) -> Steps[str]:
    """Push the request; return where to send the browser. Raises TokenRequestError naming what the server refused."""
    scope = template_scope(client, asked.connection_config)
    url = render_url(str(entry["pushed_authorization_request_url"]), scope)
    how = {key: entry[key] for key in _AUTHENTICATION if entry.get(key)}
    params = authorization_code.authorization_params(entry, client, asked)

    def request() -> TokenRequest:
        hidden = tuple(v for v in (asked.verifier, asked.state) if v)
        built = build(how, client, url=url, params=params, scope=scope, secrets=hidden, now=now)
        return dpop.proven(built, dpop_key)

    answer = yield from dpop.ask(request)
    raw = decode_body(answer.body)
    reference = text_or_none((raw or {}).get("request_uri"))
    if not 200 <= answer.status < 300 or reference is None or len(reference) > _LONGEST:
        raise _refused(answer.status, raw)
    return authorization_code.url_with(entry, scope, {"client_id": client.client_id, "request_uri": reference})


def _refused(status: int, raw: Mapping[str, object] | None) -> TokenRequestError:
    found = refusal(status, raw)
    if 200 <= status < 300 and found.error is None:
        told = f"HTTP {status} without a `request_uri`"
    else:
        told = f"HTTP {status}" + (f", error `{found.error}`" if found.error else "")
    return TokenRequestError(
        f"The provider refused the pushed authorization request ({told}).", oauth_error=found.error, public_code=CODE
    )
