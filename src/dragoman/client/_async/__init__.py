"""The client, asynchronous. `_sync` is made from this folder by `scripts/generate_client.py`: change only this one."""

from dragoman.client._async.core import AsyncClient

__all__ = ["AsyncClient"]
