"""The client, synchronous. Made from `_async.py` by `scripts/generate_client.py`: never edit by hand."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, cast

import httpx

from dragoman.client import _wire
from dragoman.client import types as t
from dragoman.client.errors import ConnectionFailedError

SyncName = str | Mapping[str, str]
FUNCTIONS_A_PAGE = 100


class Client:
    """Talks to one environment of a Dragoman server. Use it as a context manager, or call `close`.

    `url` defaults to DRAGOMAN_URL, `api_key` to DRAGOMAN_API_KEY. Every call may raise `ApiError` (the server refused;
    see its `code`) or `ConnectionFailedError` (the server is not there). `timeout` is in seconds.
    """

    def __init__(
        self,
        *,
        url: str | None = None,
        api_key: str | None = None,
        timeout: float = 60.0,
        http: httpx.Client | None = None,
    ) -> None:
        self._own = http is None
        self._http = http or httpx.Client(timeout=timeout)
        self._base = _wire.base_url(url)
        self._headers = {"Authorization": f"Bearer {_wire.api_key(api_key)}", "User-Agent": _wire.USER_AGENT}
        self.providers = Providers(self)
        self.integrations = Integrations(self)
        self.connections = Connections(self)
        self.connect = Connect(self)
        self.records = Records(self)
        self.syncs = Syncs(self)
        self.actions = Actions(self)
        self.functions = Functions(self)
        self.environment = Environment(self)
        self.account = Account(self)
        self.logs = Logs(self)
        self.webhook_deliveries = WebhookDeliveries(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections to the server."""
        if self._own:
            self._http.close()

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        headers: Mapping[str, str] | None = None,
        files: Any = None,
    ) -> Any:
        """Call any endpoint; return the decoded answer."""
        arguments: dict[str, Any] = {"headers": self._headers | dict(headers or {})}
        if json is not None:
            arguments["json"] = json
        if files is not None:
            arguments["files"] = files
        try:
            response = self._http.request(method, _wire.url(self._base + path, params or {}), **arguments)
        except httpx.TransportError as error:
            raise ConnectionFailedError(f"{method} {path}: {type(error).__name__}: {error}") from error
        return _wire.answer(response)

    def proxy(
        self,
        method: str,
        path: str,
        *,
        connection_id: str,
        integration_id: str,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        retries: int = 0,
        base_url_override: str | None = None,
    ) -> httpx.Response:
        """Call the third party's API through the platform; return its answer as it is, error statuses included.

        `path` is below the provider's base URL, or a whole URL at one of its own origins, such as a next page's.
        `headers` are sent on to the third party. `ApiError` is what the platform itself refused or could not do.
        """
        sent = self._headers | _wire.target(connection_id, integration_id)
        sent |= {f"Nango-Proxy-{k}": v for k, v in (headers or {}).items()}
        url, base = _wire.proxied(self._base, path, params or {}, base_url_override)
        if retries:
            sent["Retries"] = str(retries)
        if base:
            sent["Base-Url-Override"] = base
        arguments: dict[str, Any] = {"headers": sent}
        if json is not None:
            arguments["json"] = json
        if content is not None:
            arguments["content"] = content
        try:
            response = self._http.request(method, url, **arguments)
        except httpx.TransportError as error:
            raise ConnectionFailedError(f"{method} {url.path}: {type(error).__name__}: {error}") from error
        if _wire.proxy_error(response):
            raise _wire.error_of(response)
        return response

    @contextmanager
    def proxy_stream(
        self,
        method: str,
        path: str,
        *,
        connection_id: str,
        integration_id: str,
        params: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Generator[httpx.Response]:
        """Like `proxy`, with the answer's body streamed: iterate it inside the block."""
        sent = self._headers | _wire.target(connection_id, integration_id)
        sent |= {f"Nango-Proxy-{k}": v for k, v in (headers or {}).items()}
        url, base = _wire.proxied(self._base, path, params or {}, None)
        if base:
            sent["Base-Url-Override"] = base
        try:
            with self._http.stream(method, url, headers=sent) as response:
                if _wire.proxy_error(response):
                    response.read()
                    raise _wire.error_of(response)
                yield response
        except httpx.TransportError as error:
            raise ConnectionFailedError(f"{method} {url.path}: {type(error).__name__}: {error}") from error


class _Part:
    def __init__(self, client: Client) -> None:
        self._call = client.request


class Providers(_Part):
    """The catalogue."""

    def list(self, *, search: str | None = None) -> list[t.Provider]:
        return cast("list[t.Provider]", (self._call("GET", "/providers", params={"search": search}))["data"])

    def get(self, name: str) -> t.Provider:
        return cast("t.Provider", (self._call("GET", _wire.path("/providers/{name}", name=name)))["data"])


class Integrations(_Part):
    """A provider with your application's own settings and OAuth client."""

    def list(self) -> list[t.Integration]:
        return cast("list[t.Integration]", (self._call("GET", "/integrations"))["data"])

    def get(self, unique_key: str, *, include: Sequence[Literal["webhook", "credentials"]] = ()) -> t.Integration:
        """`include=["credentials"]` wants the scope `environment:integrations:read_credentials`."""
        path = _wire.path("/integrations/{key}", key=unique_key)
        return cast("t.Integration", (self._call("GET", path, params={"include": list(include) or None}))["data"])

    def create(
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
        return cast("t.Integration", (self._call("POST", "/integrations", json=body))["data"])

    def update(self, key: str, **changes: Any) -> t.Integration:
        """Change what `create` sets, and `unique_key` while it has no connections."""
        path = _wire.path("/integrations/{key}", key=key)
        return cast("t.Integration", (self._call("PATCH", path, json=changes))["data"])

    def delete(self, unique_key: str) -> None:
        """Delete it with its connections, syncs and records."""
        self._call("DELETE", _wire.path("/integrations/{key}", key=unique_key))


class Connections(_Part):
    """One customer's authorized account at a provider."""

    def page(
        self,
        *,
        connection_id: str | None = None,
        search: str | None = None,
        integration_id: str | Sequence[str] | None = None,
        end_user_id: str | None = None,
        organization_id: str | None = None,
        tags: Mapping[str, str] | None = None,
        limit: int = 100,
        page: int = 0,
    ) -> list[t.ConnectionSummary]:
        """One page; `page` counts from 0."""
        params: dict[str, Any] = {
            "connectionId": connection_id,
            "search": search,
            "integrationId": integration_id
            if integration_id is None or isinstance(integration_id, str)
            else ",".join(integration_id),
            "endUserId": end_user_id,
            "endUserOrganizationId": organization_id,
            "limit": limit,
            "page": page,
        }
        params |= {f"tags[{k}]": v for k, v in (tags or {}).items()}
        found = self._call("GET", "/connections", params=params)
        return cast("list[t.ConnectionSummary]", found["connections"])

    def list(self, *, page_size: int = 100, **filters: Any) -> Iterator[t.ConnectionSummary]:
        """Every connection that matches; filters as in `page`."""
        number = 0
        while True:
            found = self.page(limit=page_size, page=number, **filters)
            for one in found:
                yield one
            if len(found) < page_size:
                return
            number += 1

    def get(
        self, connection_id: str, integration_id: str, *, force_refresh: bool = False, refresh_token: bool = False
    ) -> t.Connection:
        """The connection with a credential that is fresh now; `refresh_token` includes the refresh token."""
        params = {
            "provider_config_key": integration_id,
            "force_refresh": force_refresh or None,
            "refresh_token": refresh_token or None,
        }
        path = _wire.path("/connections/{id}", id=connection_id)
        return cast("t.Connection", self._call("GET", path, params=params))

    def create(
        self,
        integration_id: str,
        credentials: Mapping[str, Any],
        *,
        connection_id: str | None = None,
        connection_config: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        end_user: Mapping[str, Any] | None = None,
        webhook_url_override: str | None = None,
    ) -> t.Connection:
        """Import a credential you already have, e.g. `{"type": "API_KEY", "apiKey": …}`; an existing id is updated."""
        body = _wire.given(
            provider_config_key=integration_id,
            connection_id=connection_id,
            credentials=credentials,
            connection_config=connection_config,
            metadata=metadata,
            tags=tags,
            end_user=end_user,
            webhook_url_override=webhook_url_override,
        )
        return cast("t.Connection", self._call("POST", "/connections", json=body))

    def update(
        self,
        connection_id: str,
        integration_id: str,
        *,
        tags: Mapping[str, str] | None = None,
        end_user: Mapping[str, Any] | None = None,
        webhook_url_override: str | None = None,
    ) -> None:
        """`tags` replace all tags; an empty `webhook_url_override` removes it."""
        body = _wire.given(tags=tags, end_user=end_user, webhook_url_override=webhook_url_override)
        path = _wire.path("/connections/{id}", id=connection_id)
        self._call("PATCH", path, params={"provider_config_key": integration_id}, json=body)

    def delete(self, connection_id: str, integration_id: str) -> None:
        """End its schedules, erase its records and shred its credential."""
        path = _wire.path("/connections/{id}", id=connection_id)
        self._call("DELETE", path, params={"provider_config_key": integration_id})

    def set_metadata(
        self, connection_id: str | Sequence[str], integration_id: str, metadata: Mapping[str, Any]
    ) -> None:
        """Replace the metadata of one connection or of several, all or none."""
        self._metadata("POST", connection_id, integration_id, metadata)

    def merge_metadata(
        self, connection_id: str | Sequence[str], integration_id: str, metadata: Mapping[str, Any]
    ) -> None:
        """Merge top-level keys into the metadata of one connection or of several, all or none."""
        self._metadata("PATCH", connection_id, integration_id, metadata)

    def _metadata(
        self, method: str, connection_id: str | Sequence[str], integration_id: str, metadata: Mapping[str, Any]
    ) -> None:
        ids = connection_id if isinstance(connection_id, str) else list(connection_id)
        body = {"connection_id": ids, "provider_config_key": integration_id, "metadata": metadata}
        self._call(method, "/connections/metadata", json=body)


class Connect(_Part):
    """Sessions in which an end user authorizes an account."""

    def create_session(
        self,
        *,
        end_user: Mapping[str, Any] | None = None,
        organization: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        allowed_integrations: Sequence[str] | None = None,
        integrations_config_defaults: Mapping[str, Any] | None = None,
        overrides: Mapping[str, Any] | None = None,
        webhook_url_override: str | None = None,
    ) -> t.ConnectSession:
        """Send the end user to `connect_link`; it is good for 30 minutes. `end_user` or `tags` is required."""
        body = _wire.given(
            end_user=end_user,
            organization=organization,
            tags=tags,
            allowed_integrations=None if allowed_integrations is None else list(allowed_integrations),
            integrations_config_defaults=integrations_config_defaults,
            overrides=overrides,
            webhook_url_override=webhook_url_override,
        )
        return cast("t.ConnectSession", (self._call("POST", "/connect/sessions", json=body))["data"])

    def reconnect_session(self, connection_id: str, integration_id: str, **more: Any) -> t.ConnectSession:
        """A session that authorizes an existing connection again; it keeps its id, settings and records."""
        body = {"connection_id": connection_id, "integration_id": integration_id, **more}
        return cast("t.ConnectSession", (self._call("POST", "/connect/sessions/reconnect", json=body))["data"])


class Records(_Part):
    """What syncs saved, in the order it changed."""

    def page(
        self,
        model: str,
        *,
        connection_id: str,
        integration_id: str,
        variant: str | None = None,
        cursor: str | None = None,
        limit: int = 100,
        filter: Sequence[Literal["added", "updated", "deleted"]] = (),  # noqa: A002 (the wire's name)
        modified_after: datetime | None = None,
        ids: Sequence[str] = (),
    ) -> t.RecordsPage:
        """One page of changes after `cursor`; `next_cursor` is None when you are caught up."""
        params: dict[str, Any] = {
            "model": model,
            "variant": variant,
            "cursor": cursor,
            "limit": limit,
            "filter": ",".join(filter) or None,
            "modified_after": modified_after,
            "ids": list(ids) or None,
        }
        headers = _wire.target(connection_id, integration_id)
        return cast("t.RecordsPage", self._call("GET", "/records", params=params, headers=headers))

    def list(
        self,
        model: str,
        *,
        connection_id: str,
        integration_id: str,
        cursor: str | None = None,
        page_size: int = 1000,
        **filters: Any,
    ) -> Iterator[dict[str, Any]]:
        """Every change after `cursor`. Keep the last record's `["_nango_metadata"]["cursor"]` to go on later."""
        while True:
            found = self.page(
                model,
                connection_id=connection_id,
                integration_id=integration_id,
                cursor=cursor,
                limit=page_size,
                **filters,
            )
            for record in found["records"]:
                yield record
            cursor = found["next_cursor"]
            if cursor is None:
                return

    def prune(
        self,
        model: str,
        *,
        connection_id: str,
        integration_id: str,
        until_cursor: str,
        variant: str | None = None,
        limit: int = 1000,
    ) -> t.PruneResult:
        """Empty the payloads of records up to `until_cursor`; ids and change detection stay."""
        body = _wire.given(model=model, variant=variant, until_cursor=until_cursor, limit=limit)
        headers = _wire.target(connection_id, integration_id)
        return cast("t.PruneResult", self._call("PATCH", "/records/prune", json=body, headers=headers))


class Syncs(_Part):
    """Scheduled functions of connections. A sync is named `name` or `name::variant`."""

    def trigger(
        self,
        integration_id: str,
        syncs: Sequence[SyncName] = (),
        *,
        connection_id: str | None = None,
        reset: bool = False,
        empty_cache: bool = False,
    ) -> t.SyncAnswer:
        """Run now. `reset` starts from scratch; `empty_cache` also forgets the records (they come back as added)."""
        body = _wire.given(
            provider_config_key=integration_id,
            connection_id=connection_id,
            syncs=list(syncs),
            opts={"reset": reset, "emptyCache": empty_cache} if reset or empty_cache else None,
        )
        return cast("t.SyncAnswer", self._call("POST", "/sync/trigger", json=body))

    def start(
        self, integration_id: str, syncs: Sequence[SyncName] = (), *, connection_id: str | None = None
    ) -> t.SyncAnswer:
        """Resume the schedule and run now."""
        return self._switch("/sync/start", integration_id, syncs, connection_id)

    def pause(
        self, integration_id: str, syncs: Sequence[SyncName] = (), *, connection_id: str | None = None
    ) -> t.SyncAnswer:
        """No new runs; one in progress finishes."""
        return self._switch("/sync/pause", integration_id, syncs, connection_id)

    def _switch(
        self, path: str, integration_id: str, syncs: Sequence[SyncName], connection_id: str | None
    ) -> t.SyncAnswer:
        body = _wire.given(provider_config_key=integration_id, connection_id=connection_id, syncs=list(syncs))
        return cast("t.SyncAnswer", self._call("POST", path, json=body))

    def status(
        self, integration_id: str, syncs: Sequence[str] | Literal["*"] = "*", *, connection_id: str | None = None
    ) -> list[t.SyncStatus]:
        params = {
            "provider_config_key": integration_id,
            "syncs": syncs if isinstance(syncs, str) else ",".join(syncs),
            "connection_id": connection_id,
        }
        return cast("list[t.SyncStatus]", (self._call("GET", "/sync/status", params=params))["syncs"])

    def set_frequency(
        self, integration_id: str, connection_id: str, sync: str, frequency: str | None, *, variant: str | None = None
    ) -> str | None:
        """`frequency` e.g. `every 5 minutes`, None for the function's own; return the one in force, if any."""
        body = {
            "provider_config_key": integration_id,
            "connection_id": connection_id,
            "sync_name": sync,
            "frequency": frequency,
        }
        if variant is not None:
            body["sync_variant"] = variant
        found = self._call("PUT", "/sync/update-connection-frequency", json=body)
        return cast("str | None", found["frequency"])

    def create_variant(self, integration_id: str, connection_id: str, sync: str, variant: str) -> str:
        """A second copy of a sync with its own schedule, checkpoint and records; return its id."""
        path = _wire.path("/sync/{sync}/variant/{variant}", sync=sync, variant=variant)
        body = {"provider_config_key": integration_id, "connection_id": connection_id}
        return str((self._call("POST", path, json=body))["id"])

    def delete_variant(self, integration_id: str, connection_id: str, sync: str, variant: str) -> None:
        path = _wire.path("/sync/{sync}/variant/{variant}", sync=sync, variant=variant)
        self._call("DELETE", path, json={"provider_config_key": integration_id, "connection_id": connection_id})


class Actions(_Part):
    """Functions you call."""

    def trigger(self, integration_id: str, connection_id: str, action: str, input: Any = None) -> Any:  # noqa: A002
        """Run it and return its output. `ActionError` in the function arrives as `ApiError` with its `payload`."""
        headers = _wire.target(connection_id, integration_id)
        body = {"action_name": action} if input is None else {"action_name": action, "input": input}
        return self._call("POST", "/action/trigger", json=body, headers=headers)

    def trigger_async(
        self,
        integration_id: str,
        connection_id: str,
        action: str,
        input: Any = None,  # noqa: A002 (the wire's name)
        *,
        max_retries: int = 0,
    ) -> t.AsyncAction:
        """Queue it; the webhook `async_action` tells when it is done, `result` gives its output."""
        headers = _wire.target(connection_id, integration_id, X_Async="true", X_Max_Retries=str(max_retries))
        body = {"action_name": action} if input is None else {"action_name": action, "input": input}
        return cast("t.AsyncAction", self._call("POST", "/action/trigger", json=body, headers=headers))

    def result(self, action_id: str) -> Any:
        """The output of an async action; `ApiError` 404 while it is pending."""
        return self._call("GET", _wire.path("/action/{id}", id=action_id))


class Functions(_Part):
    """Deployed functions."""

    def list(
        self,
        integration_id: str,
        *,
        type: Literal["sync", "action"] | None = None,  # noqa: A002 (the wire's name)
    ) -> list[t.Function]:
        path = _wire.path("/integrations/{key}/functions", key=integration_id)
        found: list[t.Function] = []
        while True:
            params = {"type": type, "limit": FUNCTIONS_A_PAGE, "page": len(found) // FUNCTIONS_A_PAGE}
            page = cast("list[t.Function]", (self._call("GET", path, params=params))["data"])
            found += page
            if len(page) < FUNCTIONS_A_PAGE:
                return found

    def get(
        self,
        integration_id: str,
        name: str,
        *,
        type: Literal["sync", "action"] | None = None,  # noqa: A002 (the wire's name)
    ) -> t.Function:
        """`type` is needed where a sync and an action share the name."""
        path = _wire.path("/integrations/{key}/functions/{name}", key=integration_id, name=name)
        return cast("t.Function", (self._call("GET", path, params={"type": type}))["data"])

    def preview(self, bundle: bytes, manifest: str) -> t.DeploymentDifference:
        """What deploying this bundle would change."""
        answer = self._call("POST", "/functions/deployments/bundle/preview", files=_bundle_files(bundle, manifest))
        return cast("t.DeploymentDifference", answer["data"])

    def deploy(self, bundle: bytes, manifest: str) -> dict[str, Any]:
        """Deploy a bundle: every function it holds, and none it does not."""
        answer = self._call("POST", "/functions/deployments/bundle", files=_bundle_files(bundle, manifest))
        return cast("dict[str, Any]", answer["data"])


def _bundle_files(bundle: bytes, manifest: str) -> dict[str, Any]:
    return {
        "manifest": ("manifest.json", manifest.encode(), "application/json"),
        "archive": ("bundle.tar.gz", bundle, "application/gzip"),
    }


class Environment(_Part):
    """Settings of the API key's environment."""

    def variables(self) -> list[t.Variable]:
        return cast("list[t.Variable]", self._call("GET", "/environment-variables"))

    def set_variable(self, name: str, value: str) -> None:
        self._call("PUT", _wire.path("/environment-variables/{name}", name=name), json={"value": value})

    def delete_variable(self, name: str) -> None:
        self._call("DELETE", _wire.path("/environment-variables/{name}", name=name))

    def webhooks(self) -> t.WebhookSettings:
        return cast("t.WebhookSettings", (self._call("GET", "/environment/webhooks"))["data"])

    def set_webhooks(self, **settings: Any) -> t.WebhookSettings:
        """Change any of primary_url, secondary_url and the on_… toggles."""
        return cast("t.WebhookSettings", (self._call("PUT", "/environment/webhooks", json=settings))["data"])

    def rotate_webhook_signing_key(self) -> str:
        """A new signing key; the old one still signs beside it for five minutes."""
        answer = self._call("POST", "/environment/webhook-signing-key/rotate")
        return str(answer["data"]["webhook_signing_key"])


class Account(_Part):
    """What wants an account key: environments and their API keys."""

    def environments(self) -> list[t.Environment]:
        return cast("list[t.Environment]", (self._call("GET", "/environments"))["data"])

    def create_environment(self, name: str, *, is_production: bool = False) -> t.Environment:
        body = {"name": name, "is_production": is_production}
        return cast("t.Environment", (self._call("POST", "/environments", json=body))["data"])

    def delete_environment(self, environment_id: int) -> None:
        self._call("DELETE", f"/environments/{environment_id}")

    def create_api_key(
        self, environment_id: int, display_name: str, *, scopes: Sequence[str] | None = None
    ) -> t.ApiKey:
        """The secret is in this answer only. `scopes` e.g. `["environment:records:read"]`; None: all."""
        body = _wire.given(
            environment_id=environment_id, display_name=display_name, scopes=None if scopes is None else list(scopes)
        )
        return cast("t.ApiKey", (self._call("POST", "/environment/api-keys", json=body))["data"])

    def delete_api_key(self, environment_id: int, key_id: int) -> None:
        """Refused everywhere within a second."""
        body = {"environment_id": environment_id, "key_id": key_id}
        self._call("DELETE", "/environment/api-keys", json=body)


class Logs(_Part):
    """What happened: operations and their messages."""

    def page(
        self,
        *,
        search: str | None = None,
        states: Sequence[str] = (),
        types: Sequence[str] = (),
        levels: Sequence[str] = (),
        integrations: Sequence[str] = (),
        connections: Sequence[str] = (),
        syncs: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> t.LogPage:
        """One page of operations, newest first."""
        params: dict[str, Any] = {
            "search": search,
            "states": ",".join(states) or None,
            "types": ",".join(types) or None,
            "levels": ",".join(levels) or None,
            "integrations": ",".join(integrations) or None,
            "connections": list(connections) or None,
            "syncs": ",".join(syncs) or None,
            "from": since,
            "to": until,
            "limit": limit,
            "cursor": cursor,
        }
        return cast("t.LogPage", self._call("GET", "/logs/operations", params=params))

    def operations(self, **filters: Any) -> Iterator[t.LogOperation]:
        """Every operation that matches, newest first; filters as in `page`."""
        cursor: str | None = None
        while True:
            found = self.page(cursor=cursor, **filters)
            for one in found["data"]:
                yield one
            cursor = found["pagination"]["cursor"]
            if cursor is None:
                return

    def operation(self, operation_id: str) -> t.LogOperation:
        path = _wire.path("/logs/operations/{id}", id=operation_id)
        return cast("t.LogOperation", (self._call("GET", path))["data"])

    def messages(
        self, operation_id: str, *, search: str | None = None, levels: Sequence[str] = (), page_size: int = 100
    ) -> Iterator[t.LogMessage]:
        """The messages of one operation, oldest first."""
        cursor: str | None = None
        path = _wire.path("/logs/operations/{id}/messages", id=operation_id)
        while True:
            params = {
                "search": search,
                "levels": ",".join(levels) or None,
                "limit": page_size,
                "cursor": cursor,
                "order": "asc",
            }
            found = cast("t.MessagePage", self._call("GET", path, params=params))
            for one in found["data"]:
                yield one
            cursor = found["pagination"]["cursor"]
            if cursor is None or len(found["data"]) < page_size:
                return


class WebhookDeliveries(_Part):
    """What was sent to your webhook URLs, and how it went."""

    def page(
        self,
        *,
        states: Sequence[str] = (),
        types: Sequence[str] = (),
        connections: Sequence[str] = (),
        webhook_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> t.DeliveryPage:
        params: dict[str, Any] = {
            "states": ",".join(states) or None,
            "types": ",".join(types) or None,
            "connections": list(connections) or None,
            "webhook_id": webhook_id,
            "limit": limit,
            "cursor": cursor,
        }
        return cast("t.DeliveryPage", self._call("GET", "/webhook-deliveries", params=params))

    def list(self, **filters: Any) -> Iterator[t.WebhookDelivery]:
        """Every delivery that matches, newest first; filters as in `page`."""
        cursor: str | None = None
        while True:
            found = self.page(cursor=cursor, **filters)
            for one in found["data"]:
                yield one
            cursor = found["pagination"]["cursor"]
            if cursor is None:
                return

    def get(self, delivery_id: str) -> t.WebhookDelivery:
        """One delivery with its `body` and the `history` of its attempts."""
        path = _wire.path("/webhook-deliveries/{id}", id=delivery_id)
        return cast("t.WebhookDelivery", (self._call("GET", path))["data"])

    def redeliver(self, delivery_id: str) -> str:
        """Send it again with the same `webhook-id`; return the new delivery's id."""
        path = _wire.path("/webhook-deliveries/{id}/redeliver", id=delivery_id)
        return str((self._call("POST", path))["data"]["id"])
