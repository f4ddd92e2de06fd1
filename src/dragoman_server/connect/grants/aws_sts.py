"""Temporary AWS credentials: STS AssumeRole signed with the integration's own keys, or an endpoint of the customer's.

The integration's `custom` settings hold `aws_access_key_id`, `aws_secret_access_key` (and perhaps `aws_session_token`,
`aws_sts_url`), or `sts_endpoint_url` with `sts_endpoint_api_key` for an endpoint that answers
`{access_key_id, secret_access_key, session_token, expires_at}` as JSON.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from dragoman_server.connect.errors import InvalidCredentialsError
from dragoman_server.connect.grants.fields import read_text
from dragoman_server.connect.grants.model import Flow, Need, TokenAnswer, TokenRefusal, TokenRequest
from dragoman_server.connect.grants.token_request import encode
from dragoman_server.connect.grants.token_response import (
    decode_body,
    dig,
    life_until,
    mapping,
    refusal,
    text_or_none,
)
from dragoman_server.providers.sigv4 import Signable, amz_date, authorization

LIFE_WHEN_UNSTATED = timedelta(hours=1)
SECONDS = 3600
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
_INPUTS = ("role_arn", "region", "service", "external_id")
_PARTS = {
    "access_key_id": ("access_key_id", "AccessKeyId", "accessKeyId"),
    "secret_access_key": ("secret_access_key", "SecretAccessKey", "secretAccessKey"),
    "session_token": ("session_token", "SessionToken", "sessionToken"),
}
_UNTIL = ("expires_at", "Expiration", "expiration", "expiresAt")


def values(given: Mapping[str, Any], connection_config: Mapping[str, Any], custom: Mapping[str, Any]) -> dict[str, Any]:
    """Return role, region, service and external id; raise InvalidCredentialsError naming what is wrong.

    The external id is never the browser's to choose: with it, a person could have us assume another customer's role.
    """
    role = read_text(given, "role_arn", longest=2048)
    if not _ROLE.fullmatch(role):
        raise InvalidCredentialsError("`role_arn` looks like `arn:aws:iam::123456789012:role/name`.")
    region = str(given.get("region") or connection_config.get("region") or custom.get("region") or "us-east-1")
    if not _REGION.fullmatch(region):
        raise InvalidCredentialsError("`region` looks like `eu-central-1`.")
    service = str(connection_config.get("service") or custom.get("service") or "execute-api")
    external = str(connection_config.get("external_id") or "")
    if not external:
        raise InvalidCredentialsError(
            "The connect session must preset `connection_config.external_id`, the id the role's trust policy asks for."
        )
    return {"role_arn": role, "region": region, "service": service, "external_id": external}


def flow(need: Need) -> Flow:
    """Assume the role."""
    answer = yield _request(need)
    raw = decode_body(answer.body)
    if raw is None or not 200 <= answer.status < 300:
        code = dig(raw or {}, "Error.Code")
        found = refusal(answer.status, raw)
        return TokenRefusal(found.status, text_or_none(code) or found.error, found.description)
    result = next((found for r in _results(raw) if (found := mapping(r))), raw)
    parts = {
        name: next((text for k in keys if (text := text_or_none(result.get(k)))), None) for name, keys in _PARTS.items()
    }
    if parts["access_key_id"] is None or parts["secret_access_key"] is None:
        return TokenRefusal(answer.status, None)
    until = next((result[k] for k in _UNTIL if result.get(k)), None)
    fields = {k: v for k, v in parts.items() if v}
    return TokenAnswer(parts["access_key_id"], None, life_until(until, need.now), None, {}, fields=fields)


def kept(old: Mapping[str, Any], answer: TokenAnswer) -> dict[str, Any]:
    """Return the credential's fields."""
    return {k: old[k] for k in _INPUTS if k in old} | dict(answer.fields)


def grant_text(values: Mapping[str, Any]) -> str:
    """Return what the next keys are asked with."""
    return "\0".join(str(values.get(k) or "") for k in _INPUTS)


def _results(raw: Mapping[str, Any]) -> list[Any]:
    paths = (
        "AssumeRoleResult.Credentials",
        "AssumeRoleResponse.AssumeRoleResult.Credentials",
        "Credentials",
        "credentials",
    )
    return [dig(raw, path) for path in paths]


def _request(need: Need) -> TokenRequest:
    own, custom = need.values, need.client.custom
    if custom.get("sts_endpoint_url"):
        fields = {k: str(own.get(k) or "") for k in _INPUTS}
        headers = [("accept", "application/json")]
        key = str(custom.get("sts_endpoint_api_key") or "")
        if key:
            headers.append(("authorization", f"Bearer {key}"))
        return encode("POST", str(custom["sts_endpoint_url"]), headers, fields, "json", (key,) if key else ())
    key, secret = str(custom.get("aws_access_key_id") or ""), str(custom.get("aws_secret_access_key") or "")
    if not key or not secret:
        raise InvalidCredentialsError(
            "The integration's `custom` settings need `aws_access_key_id` and `aws_secret_access_key`, "
            "or `sts_endpoint_url`."
        )
    region = str(own.get("region") or "us-east-1")
    url = str(custom.get("aws_sts_url") or f"https://sts.{region}.amazonaws.com/")
    form = {
        "Action": "AssumeRole",
        "Version": "2011-06-15",
        "RoleArn": str(own.get("role_arn")),
        "RoleSessionName": "dragoman",
        "ExternalId": str(own.get("external_id")),
        "DurationSeconds": str(SECONDS),
    }
    return _signed(
        url, urlencode(form).encode(), key, secret, str(custom.get("aws_session_token") or ""), region, need.now
    )


def _signed(url: str, body: bytes, key: str, secret: str, session: str, region: str, now: datetime) -> TokenRequest:
    headers = [("content-type", "application/x-www-form-urlencoded; charset=utf-8"), ("x-amz-date", amz_date(now))]
    if session:
        headers.append(("x-amz-security-token", session))
    signed = authorization(
        Signable("POST", url, headers, body), key=key, secret=secret, region=region, service="sts", now=now
    )
    headers += [("accept", "application/json"), ("authorization", signed)]
    return TokenRequest("POST", url, headers, body, tuple(s for s in (secret, session) if s))
