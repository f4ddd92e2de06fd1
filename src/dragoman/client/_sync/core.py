"""The client itself: one connection pool, one key, and the parts."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import httpx

from dragoman.client import _wire
from dragoman.client._sync.actions import Actions, Functions
from dragoman.client._sync.connections import Connect, Connections
from dragoman.client._sync.observing import Logs, WebhookDeliveries
from dragoman.client._sync.setup import Account, Environment, Integrations, Providers
from dragoman.client._sync.syncing import Records, Syncs
from dragoman.client.errors import ConnectionFailedError


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
