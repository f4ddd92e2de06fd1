"""What is set up once: providers, integrations, the environment, the account."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from dragoman.client import _wire
from dragoman.client import types as t
from dragoman.client._async.part import AsyncPart


class AsyncProviders(AsyncPart):
    """The catalogue."""

    async def list(self, *, search: str | None = None) -> list[t.Provider]:
        return cast("list[t.Provider]", (await self._call("GET", "/providers", params={"search": search}))["data"])

    async def get(self, name: str) -> t.Provider:
        return cast("t.Provider", (await self._call("GET", _wire.path("/providers/{name}", name=name)))["data"])


class AsyncIntegrations(AsyncPart):
    """A provider with your application's own settings and OAuth client."""

    async def list(self) -> list[t.Integration]:
        return cast("list[t.Integration]", (await self._call("GET", "/integrations"))["data"])

    async def get(self, unique_key: str, *, include: Sequence[Literal["webhook", "credentials"]] = ()) -> t.Integration:
        """`include=["credentials"]` wants the scope `environment:integrations:read_credentials`."""
        path = _wire.path("/integrations/{key}", key=unique_key)
        return cast("t.Integration", (await self._call("GET", path, params={"include": list(include) or None}))["data"])

    async def create(
        self,
        unique_key: str,
        provider: str,
        *,
        display_name: str | None = None,
        credentials: Mapping[str, Any] | None = None,
        integration_config: Mapping[str, str] | None = None,
        custom: Mapping[str, str] | None = None,
        forward_webhooks: bool | None = None,
        allowed_origins: Sequence[str] | None = None,
    ) -> t.Integration:
        """`credentials` e.g. `{"type": "OAUTH2", "client_id": …, "client_secret": …, "scopes": "a,b"}`.

        `allowed_origins` may be called with the credential besides the provider's own, e.g. `https://files.example.com`.
        """
        body = _wire.given(
            unique_key=unique_key,
            provider=provider,
            display_name=display_name,
            credentials=credentials,
            integration_config=integration_config,
            custom=custom,
            forward_webhooks=forward_webhooks,
            allowed_origins=None if allowed_origins is None else list(allowed_origins),
        )
        return cast("t.Integration", (await self._call("POST", "/integrations", json=body))["data"])

    async def update(self, key: str, **changes: Any) -> t.Integration:
        """Change what `create` sets, and `unique_key` while it has no connections."""
        path = _wire.path("/integrations/{key}", key=key)
        return cast("t.Integration", (await self._call("PATCH", path, json=changes))["data"])

    async def delete(self, unique_key: str) -> None:
        """Delete it with its connections, syncs and records."""
        await self._call("DELETE", _wire.path("/integrations/{key}", key=unique_key))


class AsyncEnvironment(AsyncPart):
    """Settings of the API key's environment."""

    async def variables(self) -> list[t.Variable]:
        return cast("list[t.Variable]", await self._call("GET", "/environment-variables"))

    async def set_variable(self, name: str, value: str) -> None:
        await self._call("PUT", _wire.path("/environment-variables/{name}", name=name), json={"value": value})

    async def delete_variable(self, name: str) -> None:
        await self._call("DELETE", _wire.path("/environment-variables/{name}", name=name))

    async def webhooks(self) -> t.WebhookSettings:
        return cast("t.WebhookSettings", (await self._call("GET", "/environment/webhooks"))["data"])

    async def set_webhooks(self, **settings: Any) -> t.WebhookSettings:
        """Change any of primary_url, secondary_url and the on_… toggles."""
        return cast("t.WebhookSettings", (await self._call("PUT", "/environment/webhooks", json=settings))["data"])

    async def connect_ui(self) -> t.ConnectUiSettings:
        return cast("t.ConnectUiSettings", (await self._call("GET", "/environment/connect-ui"))["data"])

    async def set_connect_ui(self, **settings: Any) -> t.ConnectUiSettings:
        """Change any of theme, defaultTheme, showWatermark, allowed_embedding_origins."""
        return cast("t.ConnectUiSettings", (await self._call("PUT", "/environment/connect-ui", json=settings))["data"])

    async def rotate_webhook_signing_key(self) -> str:
        """A new signing key; the old one still signs beside it for five minutes."""
        answer = await self._call("POST", "/environment/webhook-signing-key/rotate")
        return str(answer["data"]["webhook_signing_key"])


class AsyncAccount(AsyncPart):
    """What wants an account key: environments and their API keys."""

    async def environments(self) -> list[t.Environment]:
        return cast("list[t.Environment]", (await self._call("GET", "/environments"))["data"])

    async def create_environment(self, name: str, *, is_production: bool = False) -> t.Environment:
        body = {"name": name, "is_production": is_production}
        return cast("t.Environment", (await self._call("POST", "/environments", json=body))["data"])

    async def delete_environment(self, environment_id: int) -> None:
        await self._call("DELETE", f"/environments/{environment_id}")

    async def create_api_key(
        self, environment_id: int, display_name: str, *, scopes: Sequence[str] | None = None
    ) -> t.ApiKey:
        """The secret is in this answer only. `scopes` e.g. `["environment:records:read"]`; None: all."""
        body = _wire.given(
            environment_id=environment_id, display_name=display_name, scopes=None if scopes is None else list(scopes)
        )
        return cast("t.ApiKey", (await self._call("POST", "/environment/api-keys", json=body))["data"])

    async def delete_api_key(self, environment_id: int, key_id: int) -> None:
        """Refused everywhere within a second."""
        body = {"environment_id": environment_id, "key_id": key_id}
        await self._call("DELETE", "/environment/api-keys", json=body)
