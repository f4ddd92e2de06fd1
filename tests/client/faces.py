"""Both clients behind one face, so that one test speaks for both; every answer's status is kept."""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast

import httpx

from dragoman import AsyncClient, Client


class Face:
    """`await api.part.method()` and `async for x in api.part.list()`, whichever client is behind."""

    def __init__(self, behind: Any, statuses: list[tuple[str, str, int]]) -> None:
        self._behind = behind
        self._statuses = statuses

    @property
    def last(self) -> tuple[str, str, int]:
        """Method, path and status of the last answer."""
        return self._statuses[-1]

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._behind, name)
        if not callable(found):
            return Face(found, self._statuses)

        def call(*args: Any, **kwargs: Any) -> Any:
            made = found(*args, **kwargs)
            if isinstance(made, Iterator):
                return _each(cast("Iterator[Any]", made))
            return made if hasattr(made, "__await__") or hasattr(made, "__aiter__") else _now(made)

        return call

    @asynccontextmanager
    async def proxy_stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[tuple[int, bytes]]:
        """The status and the whole body, read in pieces."""
        made = self._behind.proxy_stream(*args, **kwargs)
        if hasattr(made, "__aenter__") and isinstance(self._behind, AsyncClient):
            async with made as response:
                yield response.status_code, b"".join([piece async for piece in response.aiter_bytes()])
        else:
            with made as response:
                yield response.status_code, b"".join(response.iter_bytes())


async def _now(value: Any) -> Any:
    return value


async def _each(values: Iterator[Any]) -> AsyncIterator[Any]:
    for value in values:
        yield value


@asynccontextmanager
async def face(kind: str, url: str, api_key: str) -> AsyncGenerator[Face]:
    statuses: list[tuple[str, str, int]] = []

    def note(response: httpx.Response) -> None:
        statuses.append((response.request.method, response.request.url.path, response.status_code))

    async def note_later(response: httpx.Response) -> None:
        note(response)

    if kind == "sync":
        with (
            httpx.Client(timeout=30, event_hooks={"response": [note]}) as http,
            Client(url=url, api_key=api_key, http=http) as client,
        ):
            yield Face(client, statuses)
    else:
        async with (
            httpx.AsyncClient(timeout=30, event_hooks={"response": [note_later]}) as http,
            AsyncClient(url=url, api_key=api_key, http=http) as client,
        ):
            yield Face(client, statuses)
