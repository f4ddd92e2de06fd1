"""The blob store: put, get, delete by key, whatever holds them (a folder, S3, GCS, Azure)."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, from_url

from dragoman_server.scripts.errors import BlobStoreUnavailableError

TIMEOUT_SECONDS = 60.0


def open_blobs(url: str | None, default_folder: Path) -> "Blobs":
    """Return the store at `file:///…`, `s3://…`, `gs://…` or `az://…`, or a folder. ValueError if unknown."""
    if url is None:
        return Blobs(LocalStore(default_folder, mkdir=True, automatic_cleanup=True))
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Blobs(LocalStore(Path(unquote(parts.path)), mkdir=True, automatic_cleanup=True))
    try:
        return Blobs(from_url(url))
    except BaseError:  # its text may repeat the URL, and that may hold a key
        raise ValueError(f"no blob store can be opened at a `{parts.scheme}` URL like this one") from None


class Blobs:
    """An obstore store with deadlines and our errors."""

    def __init__(self, store: Any) -> None:
        self._store = store

    async def put(self, key: str, data: bytes) -> None:
        """Store `data` whole or not at all."""
        async with _guarded():
            await obstore.put_async(self._store, key, data)

    async def get(self, key: str) -> bytes | None:
        """Return what is stored, or None."""
        async with _guarded():
            try:
                found = await obstore.get_async(self._store, key)
            except FileNotFoundError:
                return None
            return bytes(await found.bytes_async())

    async def delete(self, key: str) -> None:
        """Remove it; nothing happens when it is not there."""
        async with _guarded():
            try:
                await obstore.delete_async(self._store, key)
            except FileNotFoundError:
                return

    async def keys(self, prefix: str) -> list[str]:
        """Return every key under a prefix."""
        async with _guarded():
            found: list[str] = []
            async for batch in cast("Any", obstore).list(
                self._store, prefix=prefix
            ):  # its overloads are partly untyped
                found.extend(str(entry["path"]) for entry in batch)
            return found


@asynccontextmanager
async def _guarded() -> AsyncGenerator[None, None]:
    try:
        async with asyncio.timeout(TIMEOUT_SECONDS):
            yield
    except (BaseError, OSError, TimeoutError) as error:
        raise BlobStoreUnavailableError from error
