"""POST /action/trigger as raw ASGI: the input goes on as the JSON it came as, and so does the output.

Its OpenAPI operation is hand-written in `action_openapi.py`. What is wrong with a request is found by the same models
and told in the same words as everywhere else; only a request that is right takes the short way. Errors are raised;
the front renders them.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Protocol

import msgspec
from pydantic import BaseModel, Field, ValidationError
from starlette.requests import Request

from dragoman_server.api.app import check_content_type, check_texts
from dragoman_server.api.common import FUNCTION_NAME, INTEGRATION_KEY, query_truth
from dragoman_server.flows.actions import Actions
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.web.asgi import App, Receive, Scope, Send, bounded
from dragoman_server.web.errors import FeatureDisabledError, InvalidJsonError
from dragoman_server.web.strict import StrictModel, invalid_input, refuse

PATH = "/action/trigger"
SCOPE = "environment:actions:execute"
_NAME = re.compile(FUNCTION_NAME)
_JSON = b"application/json"


class PrincipalLike(Protocol):
    """What we need of a caller."""

    @property
    def environment_id(self) -> EnvironmentId: ...


Authenticate = Callable[[Scope, str], Awaitable[PrincipalLike]]


class TriggerHeaders(BaseModel):
    """The headers of the operation."""

    connection_id: Annotated[str, Field(alias="connection-id", min_length=1, max_length=255)]
    integration_key: Annotated[
        str, Field(alias="provider-config-key", min_length=1, max_length=255, pattern=INTEGRATION_KEY)
    ]
    queued: Annotated[str, Field(alias="x-async")] = "false"
    max_retries: Annotated[int, Field(alias="x-max-retries", ge=0, le=5)] = 0


class Trigger(StrictModel):
    """`input` is whatever the action takes; leaving it out is not the same as null."""

    action_name: str = Field(min_length=1, max_length=255, pattern=FUNCTION_NAME)
    input: Any = None


class _Right(msgspec.Struct, forbid_unknown_fields=True):
    """A body that is right."""

    action_name: str
    input: msgspec.Raw = msgspec.Raw()


_decode = msgspec.json.Decoder(_Right).decode
_HEADERS = {str(field.alias).encode(): str(field.alias) for field in TriggerHeaders.model_fields.values()}
_SPELLED = {"connection-id": "Connection-Id", "provider-config-key": "Provider-Config-Key",
            "x-async": "X-Async", "x-max-retries": "X-Max-Retries"}  # fmt: skip
"""As people write them, by how servers hand them over."""


class ActionDoor:
    """The raw ASGI app of POST `PATH`; other methods of that path are for `rest`."""

    def __init__(self, *, actions: Actions, authenticate: Authenticate, rest: App, disabled: bool = False) -> None:
        self._actions = actions
        self._authenticate = authenticate
        self._rest = rest
        self._disabled = disabled

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        receive = bounded(scope, receive)
        if scope["method"] != "POST":
            await self._rest(scope, receive, send)
            return
        principal = await self._authenticate(scope, SCOPE)
        if self._disabled:
            raise FeatureDisabledError
        given: dict[str, str] = {}
        kind = b""
        for name, value in scope["headers"]:
            known = _HEADERS.get(name)
            if known is not None:
                given.setdefault(known, value.decode("latin-1"))
            elif name == b"content-type":
                kind = value
        if scope["query_string"] or kind != _JSON:
            request = Request(scope)
            check_content_type(request)
            check_texts(request, frozenset())
        body = await _read(receive)
        if body is None:
            return  # the caller left
        headers, name, input_ = parse(given, body)
        try:
            queued = query_truth(headers.queued)
        except ValueError as error:
            raise refuse("header", "invalid_type", str(error), "x-async") from None
        environment_id, key, connection_id = principal.environment_id, headers.integration_key, headers.connection_id
        if queued:
            action_id = await self._actions.trigger_async(
                environment_id, key, connection_id, name, input_, max_retries=headers.max_retries
            )
            told = msgspec.json.encode({"id": str(action_id), "statusUrl": f"/action/{action_id}"})
            await _answer(send, 202, told)
            return
        output = await self._actions.trigger(environment_id, key, connection_id, name, input_)
        await _answer(send, 200, output if output is not None else b"null")


def parse(given: Mapping[str, str], body: bytes) -> tuple[TriggerHeaders, str, bytes | None]:
    """Return headers, the action's name and its input as JSON; raise 400 naming each place that is wrong."""
    try:
        headers = TriggerHeaders.model_validate(given)
        right = _decode(body)
        name, input_ = right.action_name, bytes(right.input)
        input_.decode()
    except (ValidationError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _refusal(given, body, error) from None
    if len(name) > 255 or _NAME.fullmatch(name) is None:
        raise _refusal(given, body, None)
    return headers, name, input_ or None


def _refusal(given: Mapping[str, str], body: bytes, error: Exception | None) -> Exception:
    """What is wrong with it, in the words of every other route."""
    value: Any = None
    if body:
        try:
            value = json.loads(body)
        except RecursionError:
            return InvalidJsonError("it is nested too deeply")
        except json.JSONDecodeError as unreadable:
            return InvalidJsonError(unreadable.msg)
        except ValueError:
            return InvalidJsonError("it cannot be read as UTF-8 text")
    issues = _issues("header", TriggerHeaders, given)
    if body:
        issues += _issues("body", Trigger, value)
    else:
        issues.append({"type": "missing", "loc": ("body",), "msg": "Field required"})
    if issues:
        return invalid_input(issues)
    try:
        msgspec.json.encode(value)
    except UnicodeEncodeError as unwritable:
        return unwritable
    return InvalidJsonError(str(error))


def _issues(place: str, model: type[BaseModel], value: Any) -> list[dict[str, Any]]:
    try:
        model.model_validate(value, from_attributes=True)
    except ValidationError as error:
        return [
            {**issue, "loc": (place, *(_SPELLED.get(str(part), part) for part in issue["loc"]))}
            for issue in error.errors(include_url=False, include_input=False)
        ]
    return []


async def _read(receive: Receive) -> bytes | None:
    pieces: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        pieces.append(message.get("body", b""))
        if not message.get("more_body", False):
            return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", _JSON), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
