"""The client, synchronous. Made from `_async` by `scripts/generate_client.py`: never edit by hand."""

from dragoman.client._sync.core import Client

__all__ = ["Client"]
