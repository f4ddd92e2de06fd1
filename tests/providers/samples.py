"""Entries for these tests."""

from collections.abc import Mapping
from typing import Any

from dragoman_server.providers.model import AuthMode, Credential, Provider
from dragoman_server.providers.rendering import RequestScope

TOKEN = "tok-3f9a8c77"
OAUTH = Credential(AuthMode.OAUTH2, {"access_token": TOKEN, "refresh_token": "r-5512", "raw": {"id_token": "jwt-1"}})


def provider(mode: str = "OAUTH2", *, proxy: Mapping[str, Any] | None = None, **keys: Any) -> Provider:
    base = {"base_url": "https://api.vendor.com/v1", **(proxy or {})}
    entry = {"display_name": "Vendor", "docs": "https://vendor.com/docs", "auth_mode": mode, "proxy": base, **keys}
    return Provider.read("vendor", entry)


def scope(credential: Credential | None = OAUTH, **config: Any) -> RequestScope:
    return RequestScope(
        connection_config=config,
        credential=credential,
        integration={"client_id": "cid", "client_secret": "csecret", "custom": {}, "integration_config": {}},
    )
