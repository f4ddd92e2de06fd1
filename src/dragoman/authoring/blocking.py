"""The context of plain `def` functions: the coroutines of `context.py`, driven in place.

A plain function's transport does its I/O without suspending, so a coroutine over it runs to its end in one `send`.
Nothing is written twice: each class here is made from its twin.
"""

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from dragoman.authoring import context, response

_TWINS: dict[type[Any], type[Any]] = {}


def run_now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Drive `coroutine` to its end; it must never wait for an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        return _wrap(end.value)
    coroutine.close()
    raise RuntimeError("A plain function met something that waits for an event loop; write it as `async def`.")


class _BlockingBlock(AbstractContextManager[Any]):
    def __init__(self, block: AbstractAsyncContextManager[Any]) -> None:
        self._block = block

    def __enter__(self) -> Any:
        return run_now(_as_coroutine(self._block.__aenter__()))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return run_now(_as_coroutine(self._block.__aexit__(kind, error, trace)))


async def _as_coroutine(awaitable: Any) -> Any:
    return await awaitable


def _iterate(source: AsyncIterator[Any]) -> Iterator[Any]:
    try:
        while True:
            try:
                yield run_now(_as_coroutine(source.__anext__()))
            except StopAsyncIteration:
                return
    finally:
        close = getattr(source, "aclose", None)
        if close is not None:
            run_now(_as_coroutine(close()))


def _wrap(value: Any) -> Any:
    twin = _TWINS.get(type(value))  # pyright: ignore[reportUnknownArgumentType] - any value
    return value if twin is None else twin(value)


def _method(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        found = getattr(self._twin, name)(*args, **kwargs)
        if inspect.iscoroutine(found):
            return run_now(found)
        if isinstance(found, AbstractAsyncContextManager):
            return _BlockingBlock(found)  # pyright: ignore[reportUnknownArgumentType] - of anything
        if hasattr(found, "__anext__"):
            return _iterate(found)
        return found

    call.__name__, call.__doc__ = name, original.__doc__
    return call


def make_blocking(original: type[Any]) -> type[Any]:
    """Return the class whose methods are those of `original` without `await`."""

    def initialise(self: Any, twin: Any) -> None:
        self._twin = twin

    def get_attribute(self: Any, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _wrap(getattr(self._twin, name))

    def show(self: Any) -> str:
        return repr(self._twin)

    members: dict[str, Any] = {
        "__init__": initialise,
        "__getattr__": get_attribute,
        "__doc__": original.__doc__,
        "__module__": __name__,
        "__repr__": show,
    }
    for name, member in inspect.getmembers(original, inspect.isfunction):
        if not name.startswith("_"):
            members[name] = _method(name, member)
    made = type(f"Blocking{original.__name__}", (), members)
    _TWINS[original] = made
    return made


if TYPE_CHECKING:
    from dragoman.authoring._blocking_types import (  # pyright: ignore[reportMissingModuleSource] - types only
        BlockingActionContext,
        BlockingCheckpoint,
        BlockingMetadata,
        BlockingStreamedResponse,
        BlockingSyncContext,
    )
else:
    BlockingCheckpoint = make_blocking(context.Checkpoint)
    BlockingMetadata = make_blocking(context.Metadata)
    BlockingStreamedResponse = make_blocking(response.StreamedResponse)
    BlockingActionContext = make_blocking(context.ActionContext)
    BlockingSyncContext = make_blocking(context.SyncContext)

__all__ = [
    "BlockingActionContext",
    "BlockingCheckpoint",
    "BlockingMetadata",
    "BlockingStreamedResponse",
    "BlockingSyncContext",
    "make_blocking",
    "run_now",
]
