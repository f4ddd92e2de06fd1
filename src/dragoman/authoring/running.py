"""Run one function to its end over a transport, and say how it ended; used by the sandbox's guest and by `dryrun`."""

import asyncio
import os
import traceback
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from dragoman.authoring.blocking import make_blocking, run_now
from dragoman.authoring.context import ActionContext, SyncContext
from dragoman.authoring.errors import ActionError, DefinitionError, InvalidValueError, PlatformError, ProviderError
from dragoman.authoring.functions import FunctionDefinition
from dragoman.authoring.jsons import dumps, loads
from dragoman.authoring.models import adapter_for
from dragoman.authoring.transport import Transport

UPSTREAM_BODY_BYTES = 16 * 1024
_SDK = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib is slow to import in a run

_BLOCKING: dict[type[Any], type[Any]] = {}


def run_function(
    definition: FunctionDefinition,
    transport: Transport,
    run: Mapping[str, Any],
    input_: bytes | None,
    *,
    last_act: bool = False,
) -> bytes | None:
    """Run a function and return its answer as JSON (None for a sync); whatever it raises passes through.

    `last_act` says that the process ends right after: an event loop is then left as it is.
    """
    coroutine = _run(definition, transport, run, input_)
    if not definition.is_async:
        return run_now(coroutine)
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        if not last_act:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


async def _run(
    definition: FunctionDefinition, transport: Transport, run: Mapping[str, Any], input_: bytes | None
) -> bytes | None:
    if definition.kind == "sync":
        context = SyncContext(transport, definition, run)
        async with AsyncExitStack() as tracked:
            if definition.track_deletes:
                for model in definition.models:
                    await tracked.enter_async_context(context.track_deletes(model))
            await _call(definition, context)
        return None
    action = ActionContext(transport, definition, run)
    answer = await (
        _call(definition, action, _input(definition, input_)) if definition.takes_input else _call(definition, action)
    )
    return _output(definition, answer)


async def _call(definition: FunctionDefinition, context: SyncContext | ActionContext, *values: Any) -> Any:
    if definition.is_async:
        return await definition.function(context, *values)
    blocking = _BLOCKING.get(type(context))
    if blocking is None:
        from dragoman.authoring import blocking as twins

        blocking = _BLOCKING[type(context)] = getattr(
            twins, f"Blocking{type(context).__name__}", None
        ) or make_blocking(type(context))
    return definition.function(blocking(context), *values)


def _input(definition: FunctionDefinition, raw: bytes | None) -> Any:
    data = raw or b"null"
    if definition.input is None or definition.input is Any:
        try:
            return loads(data)
        except ValueError as error:
            raise InvalidValueError("invalid_action_input", "The input is not JSON.") from error
    return adapter_for(definition.input).decode(data, "invalid_action_input", "The input")


def _output(definition: FunctionDefinition, answer: Any) -> bytes:
    if definition.output is None or definition.output is Any:
        try:
            return dumps(answer)
        except Exception as error:  # each library has its own words for what cannot be JSON
            raise InvalidValueError(
                "invalid_action_output", f"The answer cannot be written as JSON: {error}"
            ) from error
    adapter = adapter_for(definition.output)
    made = adapter.validate(answer, "invalid_action_output", "The answer")
    return adapter.encode(made)


def failure_of(error: BaseException) -> dict[str, Any]:
    """What a failed run says: code, message, payload, upstream, issues, the author's own frames."""
    failure: dict[str, Any] = {"code": "action_script_failure", "message": _message(error)}
    match error:
        case ActionError():
            failure |= {
                "code": "action_script_runtime_error",
                "message": error.message,
                "payload": _plain(error.payload),
            }
        case ProviderError():
            failure |= {
                "code": "script_http_error",
                "upstream": {
                    "status": error.status,
                    "headers": dict(error.headers),
                    "body": _upstream_body(error),
                },
            }
        case InvalidValueError():
            failure |= {
                "code": error.code,
                "message": error.message,
                "issues": [_plain(issue) for issue in error.issues],
            }
        case PlatformError():
            failure |= {
                "code": error.code,
                "message": error.message,
                "payload": _plain(error.payload),
                "status": error.status,
            }
        case DefinitionError():
            failure |= {"code": "script_invalid_error"}
        case MemoryError():
            failure |= {
                "code": "function_runtime_out_of_memory",
                "message": "The function used more memory than it may.",
            }
        case _:
            pass
    failure["traceback"] = own_frames(error)
    return failure


def own_frames(error: BaseException) -> str:
    """The traceback without the platform's own frames, at most 8 kB."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not _ours(frame.filename)]
    lines = ["Traceback (most recent call last):\n", *traceback.format_list(frames[-20:])]
    lines += traceback.format_exception_only(type(error), error)
    return "".join(lines)[-8192:]


def _ours(filename: str) -> bool:
    """Whether a frame is this SDK's, the guest's, or of the standard library's event loop and import system."""
    parts = filename.replace("\\", "/").split("/")
    return filename.startswith((f"{_SDK}/", "<")) or any(name in parts for name in ("guest", "asyncio", "importlib"))


def _message(error: BaseException) -> str:
    text = str(error).strip()
    return (f"{type(error).__name__}: {text}" if text else type(error).__name__)[:2000]


def _upstream_body(error: ProviderError) -> Any:
    if len(error.content) > UPSTREAM_BODY_BYTES:
        return error.content[:UPSTREAM_BODY_BYTES].decode("utf-8", "replace")
    try:
        return loads(error.content)
    except ValueError:
        return error.text


def _plain(value: Any) -> Any:
    try:
        return loads(dumps(value))
    except Exception:  # a payload may be anything; it must not hide the error that carries it
        return repr(value)[:2000]
