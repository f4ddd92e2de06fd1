"""Dragoman: what users of the platform import.

Authors of functions: `from dragoman import sync, action, SyncContext, ActionContext, ActionError`.
Applications: `from dragoman import Client, AsyncClient`.
Everything loads on first use; `import dragoman` itself imports no HTTP library and no pydantic.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dragoman.authoring.blocking import BlockingActionContext, BlockingSyncContext
    from dragoman.authoring.context import ActionContext, SyncContext
    from dragoman.authoring.errors import (
        ActionError,
        DefinitionError,
        DragomanFunctionError,
        InvalidValueError,
        PlatformError,
        ProviderError,
    )
    from dragoman.authoring.functions import action, sync
    from dragoman.authoring.response import Response
    from dragoman.client import (
        ApiError,
        AsyncClient,
        Client,
        ConnectionFailedError,
        InvalidSignatureError,
        signing_secret,
        verify_webhook,
    )

__version__ = "0.1.0"

_WHERE = {
    "sync": "dragoman.authoring.functions",
    "action": "dragoman.authoring.functions",
    "SyncContext": "dragoman.authoring.context",
    "ActionContext": "dragoman.authoring.context",
    "BlockingSyncContext": "dragoman.authoring.blocking",
    "BlockingActionContext": "dragoman.authoring.blocking",
    "ActionError": "dragoman.authoring.errors",
    "DefinitionError": "dragoman.authoring.errors",
    "DragomanFunctionError": "dragoman.authoring.errors",
    "InvalidValueError": "dragoman.authoring.errors",
    "PlatformError": "dragoman.authoring.errors",
    "ProviderError": "dragoman.authoring.errors",
    "Response": "dragoman.authoring.response",
    "ApiError": "dragoman.client.errors",
    "AsyncClient": "dragoman.client",
    "Client": "dragoman.client",
    "ConnectionFailedError": "dragoman.client.errors",
    "InvalidSignatureError": "dragoman.client.errors",
    "signing_secret": "dragoman.client.webhooks",
    "verify_webhook": "dragoman.client.webhooks",
}

__all__ = [
    "ActionContext",
    "ActionError",
    "ApiError",
    "AsyncClient",
    "BlockingActionContext",
    "BlockingSyncContext",
    "Client",
    "ConnectionFailedError",
    "DefinitionError",
    "DragomanFunctionError",
    "InvalidSignatureError",
    "InvalidValueError",
    "PlatformError",
    "ProviderError",
    "Response",
    "SyncContext",
    "__version__",
    "action",
    "signing_secret",
    "sync",
    "verify_webhook",
]


def __getattr__(name: str) -> Any:
    where = _WHERE.get(name)
    if where is None:
        raise AttributeError(f"module 'dragoman' has no attribute {name!r}")
    value = getattr(import_module(where), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
