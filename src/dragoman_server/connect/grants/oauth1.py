"""The OAuth 1.0a dance (RFC 5849 section 2): a temporary token, the person's consent, the token itself."""

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode, urlsplit

from dragoman_server.connect.grants.model import Client, Entry, HttpAnswer, TokenAnswer, TokenRefusal, TokenRequest
from dragoman_server.connect.grants.token_request import render_params, template_scope, token_endpoint
from dragoman_server.connect.grants.token_response import decode_body, pick, refusal, text_or_none
from dragoman_server.providers.oauth1 import Signer, authorization
from dragoman_server.providers.urls import render_url


def temporary_request(
    entry: Entry, client: Client, config: Mapping[str, object], *, callback: str, now: datetime, nonce: str
) -> TokenRequest:
    """Return the request for temporary credentials (section 2.1)."""
    scope = template_scope(client, config)
    url = render_url(str(entry["request_url"]), scope)
    signer = Signer(method_of(entry), client.client_id, client.client_secret, callback=callback)
    return _signed(entry, signer, _with_query(url, render_params(entry.get("request_params"), scope)), now, nonce)


def consent_url(
    entry: Entry, client: Client, config: Mapping[str, object], token: str, extra: Mapping[str, str]
) -> str:
    """Return where to send the browser (section 2.2)."""
    scope = template_scope(client, config)
    params = render_params(entry.get("authorization_params"), scope) | dict(extra)
    if client.scopes and "scope" not in params:
        params["scope"] = str(entry.get("scope_separator") or " ").join(client.scopes)
    params["oauth_token"] = token
    return _with_query(render_url(str(entry["authorization_url"]), scope), params)


def token_request(
    entry: Entry,
    client: Client,
    config: Mapping[str, object],
    *,
    token: str,
    token_secret: str,
    verifier: str,
    now: datetime,
    nonce: str,
) -> TokenRequest:
    """Return the request for the token (section 2.3)."""
    scope = template_scope(client, config)
    signer = Signer(method_of(entry), client.client_id, client.client_secret, token, token_secret, verifier=verifier)
    url = _with_query(token_endpoint(entry, "OAUTH1", scope), render_params(entry.get("token_params"), scope))
    return _signed(entry, signer, url, now, nonce)


def read(entry: Entry, answer: HttpAnswer) -> TokenAnswer | TokenRefusal:
    """Read the answer to either request: `oauth_token` and its secret, as a form (JSON is taken too)."""
    raw = decode_body(answer.body)
    token, secret = (text_or_none((raw or {}).get(name)) for name in ("oauth_token", "oauth_token_secret"))
    if raw is None or token is None or secret is None or not 200 <= answer.status < 300:
        found = refusal(answer.status, raw)
        return TokenRefusal(answer.status, found.error or _problem(raw), found.description)
    metadata = pick(raw, list(entry.get("token_response_metadata") or []))
    return TokenAnswer(token, None, None, None, raw, metadata, {"oauth_token": token, "oauth_token_secret": secret})


def method_of(entry: Entry) -> str:
    return str(entry.get("signature_method") or "HMAC-SHA1")


def _problem(raw: Mapping[str, object] | None) -> str | None:
    found = (raw or {}).get("oauth_problem")
    return found[:64] if isinstance(found, str) else None


def _with_query(url: str, params: Mapping[str, str]) -> str:
    return f"{url}{'&' if urlsplit(url).query else '?'}{urlencode(params)}" if params else url


def _signed(entry: Entry, signer: Signer, url: str, now: datetime, nonce: str) -> TokenRequest:
    method = str(entry.get("token_request_method") or "POST").upper()
    signed = authorization(signer, method=method, url=url, now=now, nonce=nonce)
    secrets = tuple(s for s in (signer.secret, signer.token_secret, signer.verifier) if s)
    body = b"" if method == "POST" else None
    return TokenRequest(method, url, [("authorization", signed), ("accept", "*/*")], body, secrets)
