"""The client: `Client` and `AsyncClient`, the same surface; and the webhook verifier."""

from dragoman.client._async import AsyncClient
from dragoman.client._sync import Client
from dragoman.client._wire import base_url
from dragoman.client.errors import ApiError, ConnectionFailedError, InvalidSignatureError
from dragoman.client.webhooks import signing_secret, verify_webhook

__all__ = [
    "ApiError",
    "AsyncClient",
    "Client",
    "ConnectionFailedError",
    "InvalidSignatureError",
    "base_url",
    "signing_secret",
    "verify_webhook",
]
