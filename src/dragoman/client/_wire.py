"""What both clients share: building a request's pieces and reading an answer. No I/O here."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, cast
from urllib.parse import quote

import httpx

from dragoman.client.errors import ApiError

DEFAULT_URL = "http://127.0.0.1:3003"
USER_AGENT = f"dragoman-python/{version('dragoman')}"


def base_url(given: str | None) -> str:
    """The server's address: the argument, DRAGOMAN_URL, or the local default; raise ValueError when it is none."""
    chosen = (given or os.environ.get("DRAGOMAN_URL") or DEFAULT_URL).rstrip("/")
    try:
        url = httpx.URL(chosen)
    except httpx.InvalidURL:
        url = None
    if url is None or url.scheme not in ("http", "https") or not url.host:
        raise ValueError(f"`{chosen}` is no server's address; expected for example {DEFAULT_URL}")
    return chosen


def api_key(given: str | None) -> str:
    """The API key: the argument or DRAGOMAN_API_KEY; raise ValueError when there is neither."""
    key = given or os.environ.get("DRAGOMAN_API_KEY")
    if not key:
        raise ValueError("pass api_key= or set DRAGOMAN_API_KEY")
    return key


def path(template: str, **values: str) -> str:
    """Fill `{name}`s with percent-encoded values."""
    return template.format(**{k: quote(v, safe="") for k, v in values.items()})


def clean(values: Mapping[str, Any]) -> dict[str, Any]:
    """Drop what was not given; booleans and dates as the API writes them."""
    return {k: _plain(v) for k, v in values.items() if v is not None}


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value


def url(address: str, params: Mapping[str, Any]) -> httpx.URL:
    """An address with `params` after the query it has already."""
    found = httpx.URL(address)
    return found.copy_merge_params(clean(params)) if params else found


def proxied(base: str, path: str, params: Mapping[str, Any], override: str | None) -> tuple[httpx.URL, str | None]:
    """The address below `/proxy` and the base-URL header for a path, or for a whole URL such as a next page's."""
    if path.startswith(("https://", "http://")):
        whole = httpx.URL(path)
        override, path = str(whole.copy_with(raw_path=b"/")).rstrip("/"), whole.raw_path.decode()
    return url(f"{base}/proxy/{path.lstrip('/')}", params), override


def proxy_error(response: httpx.Response) -> bool:
    """Whether the platform answered, not the third party."""
    return "x-dragoman-error" in response.headers


def given(**values: Any) -> dict[str, Any]:
    """A JSON body of what was given."""
    return {k: v for k, v in values.items() if v is not None}


def target(connection_id: str, integration_id: str, **more: str | None) -> dict[str, str]:
    """The headers that name a connection."""
    named = {"Connection-Id": connection_id, "Provider-Config-Key": integration_id}
    return named | {k.replace("_", "-"): v for k, v in more.items() if v is not None}


def answer(response: httpx.Response) -> Any:
    """The decoded body (None for 204); raise `ApiError` for an error status, or for what is no answer of the API."""
    if not response.is_success:
        raise error_of(response)
    if response.status_code == 204 or not response.content:
        return None
    try:
        return response.json()
    except ValueError:
        raise error_of(response) from None


def error_of(response: httpx.Response) -> ApiError:
    """The envelope as an exception; also for an answer that has none."""
    where = response.url.copy_with(query=None)
    error: Mapping[str, Any] = {
        "code": "unexpected_answer",
        "message": f"{where} answered {response.status_code} without an envelope; is it Dragoman?",
    }
    try:
        found: Any = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        found = None
    if isinstance(found, Mapping):
        error = cast("Mapping[str, Any]", found)
    wait = response.headers.get("retry-after", "")
    return ApiError(
        status=response.status_code,
        code=str(error.get("code", "unknown")),
        message=str(error.get("message", "")),
        errors=error.get("errors", ()),
        payload=error.get("payload"),
        upstream=error.get("upstream"),
        retry_after=float(wait) if wait.isdigit() else None,
    )
