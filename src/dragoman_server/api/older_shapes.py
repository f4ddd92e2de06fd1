"""What older clients send to `/connection…`: one flat body whose fields depend on how the provider authorizes. Pure."""

from datetime import datetime, timedelta
from typing import Any

from pydantic import Field

from dragoman_server.providers.model import AuthMode
from dragoman_server.web.strict import StrictModel, refuse

TEN_YEARS = 315_360_000


class FlatImport(StrictModel):
    """The body of POST /connection."""

    provider_config_key: str = Field(min_length=1, max_length=255)
    connection_id: str | None = Field(None, min_length=1, max_length=255)
    access_token: str | None = None
    refresh_token: str | None = None
    expires_at: str | None = None
    expires_in: int | None = Field(None, ge=0, le=TEN_YEARS)
    no_expiration: bool = False
    oauth_token: str | None = None
    oauth_token_secret: str | None = None
    username: str | None = None
    password: str | None = None
    api_key: str | None = None
    metadata: dict[str, Any] | None = None
    connection_config: dict[str, Any] | None = None


def credentials_of(body: FlatImport, mode: AuthMode, now: datetime) -> dict[str, Any]:
    """The `credentials` of POST /connections that the flat body means; raise naming the field that is missing."""
    credentials: dict[str, Any] = {"type": mode.value}
    if mode is AuthMode.OAUTH2:
        credentials["access_token"] = _required(body.access_token, "access_token")
        if body.refresh_token is not None:
            credentials["refresh_token"] = body.refresh_token
        expires_at = _expiry(body, now)
        if expires_at is not None:
            credentials["expires_at"] = expires_at
    elif mode is AuthMode.OAUTH1:
        credentials["oauth_token"] = _required(body.oauth_token, "oauth_token")
        credentials["oauth_token_secret"] = _required(body.oauth_token_secret, "oauth_token_secret")
    elif mode is AuthMode.API_KEY:
        credentials["apiKey"] = _required(body.api_key, "api_key")
    elif mode is AuthMode.BASIC:
        credentials |= {"username": body.username or "", "password": body.password or ""}
    return credentials


def _expiry(body: FlatImport, now: datetime) -> str | None:
    if body.no_expiration:
        return None
    if body.expires_at is not None:
        return body.expires_at
    return None if body.expires_in is None else (now + timedelta(seconds=body.expires_in)).isoformat()


def _required(value: str | None, name: str) -> str:
    if not value:
        raise refuse("body", "invalid_type", "Required", name)
    return value
