"""Which modes ask for their own tokens, and how each asks, keeps what it got, and may ask again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from dragoman_server.connect.grants import (
    app_installation,
    aws_sts,
    bill,
    client_credentials,
    discovery,
    dpop,
    refresh_token,
    signed_jwt,
    two_step,
    wsse,
)
from dragoman_server.connect.grants.model import Flow, Need, TokenAnswer, TokenRequest
from dragoman_server.connect.grants.token_response import parse
from dragoman_server.providers.model import AuthMode, Credential


@dataclass(frozen=True, slots=True)
class Issuer:
    """How tokens of one mode come about.

    `grant`: what the next token is asked with, as text (None: nobody can be asked). `life` where none is stated.
    """

    renew: Callable[[Need], Flow]
    kept: Callable[[Mapping[str, Any], TokenAnswer], dict[str, Any]]
    grant: Callable[[Mapping[str, Any]], str | None]
    obtain: Callable[[Need], Flow] | None = None
    life: timedelta | None = None
    problem: str = "request_token_external_error"
    status: int = 400


def _client_credentials(need: Need) -> Flow:
    key = dpop.key_for(need.entry, need.values)

    def build() -> TokenRequest:
        request = client_credentials.token_request(
            need.entry,
            need.client,
            credential=Credential(AuthMode.OAUTH2_CC, need.values),
            connection_config=need.connection_config,
            now=need.now,
        )
        return dpop.proven(request, key)

    answer = yield from dpop.ask(build)
    return dpop.bind(key, parse(need.entry, answer.status, answer.body, need.now))


def _refresh_token(need: Need) -> Flow:
    key = dpop.key_for(need.entry, need.values)

    def build() -> TokenRequest:
        request = refresh_token.token_request(
            discovery.entry_of_stored(need.entry, need.values),
            need.client,
            credential=Credential(AuthMode.OAUTH2, need.values),
            connection_config=need.connection_config,
            now=need.now,
        )
        return dpop.proven(request, key)

    fresh = key is not None and not need.values.get("dpop_key")  # a token brought along, bound from now on
    answer = (yield from dpop.ask(build)) if fresh else (yield build())
    found = parse(need.entry, answer.status, answer.body, need.now, refreshing=True)
    return replace(found, fields=dpop.kept(key, found)) if isinstance(found, TokenAnswer) else found


def _joined(*names: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda values: "\0".join(str(values.get(name) or "") for name in names)


def _refresh_token_of(values: Mapping[str, Any]) -> str | None:
    token = values.get("refresh_token")
    return str(token) if token else None


def _jwt_kept(old: Mapping[str, Any], answer: TokenAnswer) -> dict[str, Any]:
    return {**{k: v for k, v in old.items() if k not in two_step.GIVEN}, "token": answer.access_token}


_OAUTH2 = Issuer(_refresh_token, refresh_token.renewed_values, _refresh_token_of)
ISSUERS: Mapping[AuthMode, Issuer] = MappingProxyType(
    {
        AuthMode.OAUTH2: _OAUTH2,
        AuthMode.MCP_OAUTH2: _OAUTH2,
        AuthMode.MCP_OAUTH2_GENERIC: _OAUTH2,
        AuthMode.OAUTH2_CC: Issuer(
            _client_credentials,
            client_credentials.renewed_values,
            _joined("client_id", "client_secret", "client_certificate", "client_private_key"),
            obtain=_client_credentials,
            life=client_credentials.LIFE_WHEN_UNSTATED,
            problem="client_credentials_fetch_error",
        ),
        AuthMode.TWO_STEP: Issuer(
            two_step.renew,
            two_step.kept,
            two_step.grant_text,
            obtain=two_step.obtain,
            problem="two_step_credentials_fetch_error",
        ),
        AuthMode.JWT: Issuer(signed_jwt.flow, _jwt_kept, two_step.grant_text, obtain=signed_jwt.flow),
        AuthMode.SIGNATURE: Issuer(wsse.flow, wsse.kept, _joined("username", "password"), obtain=wsse.flow),
        AuthMode.BILL: Issuer(bill.flow, bill.kept, _joined(*bill.INPUTS), obtain=bill.flow, life=bill.LIFE),
        AuthMode.AWS_SIGV4: Issuer(
            aws_sts.flow,
            aws_sts.kept,
            aws_sts.grant_text,
            obtain=aws_sts.flow,
            life=aws_sts.LIFE_WHEN_UNSTATED,
            problem="aws_sigv4_sts_request_failed",
            status=502,
        ),
        AuthMode.APP: Issuer(
            app_installation.flow,
            app_installation.kept,
            app_installation.grant_text,
            obtain=app_installation.flow,
            life=app_installation.LIFE,
        ),
        AuthMode.CUSTOM: Issuer(
            app_installation.both,
            app_installation.kept_both,
            app_installation.grant_text_of_both,
            obtain=app_installation.both,
            life=app_installation.LIFE,
        ),
    }
)
"""OAUTH1, TBA, API_KEY, BASIC and NONE never ask: what was stored is used until a person replaces it."""
