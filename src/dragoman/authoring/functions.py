"""`@sync` and `@action`: they describe a function, leave it as it is, and fail early when that cannot work."""

import inspect
import re
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Literal, TypeVar

from dragoman.authoring.errors import DefinitionError
from dragoman.authoring.intervals import seconds_of
from dragoman.authoring.models import Adapter, adapter_for, model_name

MANIFEST_VERSION = 1
ATTRIBUTE = "__dragoman__"
_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_-]{0,254}$")
_KEY = re.compile(r"^[A-Za-z0-9~:.@ _-]{1,255}$")
_MODEL = re.compile(r"^[A-Z][A-Za-z0-9_]{0,254}$")

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class FunctionDefinition:
    """All the platform knows about a function before it runs."""

    kind: Literal["sync", "action"]
    function: Callable[..., Any]
    name: str
    integration: str
    description: str | None = None
    version: str | None = None
    scopes: tuple[str, ...] = ()
    models: tuple[Any, ...] = ()
    every: str | None = None
    auto_start: bool = True
    track_deletes: bool = False
    input: Any = None
    output: Any = None
    checkpoint: Any = None
    metadata: Any = None
    idempotent: bool = True
    timeout_seconds: int | None = None
    is_async: bool = False
    takes_input: bool = False
    adapters: dict[str, Adapter] = field(default_factory=dict[str, Adapter], compare=False)

    def describe(self) -> dict[str, Any]:
        """The function's entry in the manifest; depends on nothing but the source."""
        entry: dict[str, Any] = {
            "type": self.kind,
            "integration": self.integration,
            "name": self.name,
            "description": self.description,
            "version": self.version,
            "module": self.function.__module__,
            "attribute": self.function.__name__,
            "scopes": list(self.scopes),
            "input": _schema(self.input),
            "output": _schema(self.output),
            "checkpoint": _schema(self.checkpoint),
            "metadata": _schema(self.metadata),
            "idempotent": self.idempotent,
            "timeout_seconds": self.timeout_seconds,
        }
        if self.kind == "sync":
            entry |= {
                "models": {model_name(model): _schema(model) for model in self.models},
                "every": self.every,
                "interval_seconds": seconds_of(self.every) if self.every else None,
                "auto_start": self.auto_start,
                "track_deletes": self.track_deletes,
            }
        return entry


def definition_of(value: Any) -> FunctionDefinition | None:
    """The definition a decorator left on `value`, if any."""
    found = getattr(value, ATTRIBUTE, None)
    return found if isinstance(found, FunctionDefinition) else None


def sync(
    *,
    integration: str,
    models: Sequence[Any],
    every: str | None = "1 hour",
    name: str | None = None,
    version: str | None = None,
    description: str | None = None,
    checkpoint: Any = None,
    metadata: Any = None,
    track_deletes: bool = False,
    auto_start: bool = True,
    scopes: Sequence[str] = (),
    timeout_seconds: int | None = None,
) -> Callable[[F], F]:
    """Make the function below a sync: it runs on a schedule for every connection and saves records of `models`.

    `every` None means only when triggered. `track_deletes` deletes, after a successful run, what the run did not see.
    """

    def mark(function: F) -> F:
        label = f"@sync {function.__name__}"
        if not models:
            raise DefinitionError(f"{label}: `models` names no model.")
        if every is not None:
            seconds_of(every)
        for model in models:
            if not _MODEL.match(model_name(model)):
                raise DefinitionError(f"{label}: model `{model_name(model)}` must start with an upper-case letter.")
            _adapt(model, label, "models")
        names = [model_name(model) for model in models]
        if len(set(names)) != len(names):
            raise DefinitionError(f"{label}: `models` names one model twice.")
        _parameters(function, label, at_most=1)
        definition = FunctionDefinition(
            kind="sync",
            function=function,
            name=_name(name, function, label),
            integration=_integration(integration, label),
            description=description or _doc(function),
            version=version,
            scopes=tuple(scopes),
            models=tuple(models),
            every=every,
            auto_start=auto_start,
            track_deletes=track_deletes,
            checkpoint=_adapt(checkpoint, label, "checkpoint"),
            metadata=_adapt(metadata, label, "metadata"),
            timeout_seconds=_timeout(timeout_seconds, label),
            is_async=inspect.iscoroutinefunction(function),
            adapters={model_name(model): adapter_for(model) for model in models},
        )
        setattr(function, ATTRIBUTE, definition)
        return function

    return mark


def action(
    *,
    integration: str,
    name: str | None = None,
    version: str | None = None,
    description: str | None = None,
    input: Any = None,  # noqa: A002 - the word of the wire and of the manifest
    output: Any = None,
    metadata: Any = None,
    checkpoint: Any = None,
    idempotent: bool = False,
    scopes: Sequence[str] = (),
    timeout_seconds: int | None = None,
) -> Callable[[F], F]:
    """Make the function below an action: an application triggers it for one connection and gets its answer.

    Input and output models are read from the annotations unless given. `idempotent` allows a second attempt after a
    lost runner; without it such a run ends as interrupted.
    """

    def mark(function: F) -> F:
        label = f"@action {function.__name__}"
        parameters = _parameters(function, label, at_most=2)
        hints = _hints(function, label)
        wanted_input = input
        if wanted_input is None and len(parameters) > 1:
            wanted_input = hints.get(parameters[1], Any)
        wanted_output = output if output is not None else hints.get("return")
        if wanted_output is type(None):
            wanted_output = None
        definition = FunctionDefinition(
            kind="action",
            function=function,
            name=_name(name, function, label),
            integration=_integration(integration, label),
            description=description or _doc(function),
            version=version,
            scopes=tuple(scopes),
            input=_adapt(wanted_input, label, "input"),
            output=_adapt(wanted_output, label, "output"),
            checkpoint=_adapt(checkpoint, label, "checkpoint"),
            metadata=_adapt(metadata, label, "metadata"),
            idempotent=idempotent,
            timeout_seconds=_timeout(timeout_seconds, label),
            is_async=inspect.iscoroutinefunction(function),
            takes_input=len(parameters) > 1,
        )
        setattr(function, ATTRIBUTE, definition)
        return function

    return mark


def build_manifest(definitions: Sequence[FunctionDefinition]) -> dict[str, Any]:
    """Describe all functions of a project; raises DefinitionError when two share integration, type and name."""
    entries = sorted(
        (definition.describe() for definition in definitions),
        key=lambda entry: (entry["integration"], entry["type"], entry["name"]),
    )
    for before, after in pairwise(entries):
        if all(before[key] == after[key] for key in ("integration", "type", "name")):
            raise DefinitionError(
                f"Two {after['type']}s are called `{after['name']}` for `{after['integration']}`: "
                f"in {before['module']} and {after['module']}."
            )
    return {"v": MANIFEST_VERSION, "functions": entries}


def _schema(type_: Any) -> dict[str, Any] | None:
    return None if type_ is None else adapter_for(type_).schema()


def _adapt(type_: Any, label: str, argument: str) -> Any:
    if type_ is None or type_ is Any:
        return type_
    try:
        adapter_for(type_).schema()
    except Exception as error:  # pydantic and msgspec each have their own ways to say a type cannot be described
        raise DefinitionError(f"{label}: `{argument}` {model_name(type_)} has no JSON schema: {error}") from error
    return type_


def _parameters(function: Callable[..., Any], label: str, *, at_most: int) -> list[str]:
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise DefinitionError(f"{label}: a generator cannot be a function; call ctx.save(...) instead of yield.")
    names = [
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in {parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD}
    ]
    if not 1 <= len(names) <= at_most:
        wanted = "the context" if at_most == 1 else "the context and, if wanted, the input"
        raise DefinitionError(f"{label}: takes {len(names)} arguments; it is called with {wanted}.")
    return names


def _hints(function: Callable[..., Any], label: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except Exception as error:  # an annotation may be any expression of the author's
        raise DefinitionError(f"{label}: an annotation cannot be read: {error}") from error


def _name(name: str | None, function: Callable[..., Any], label: str) -> str:
    found = name or function.__name__
    if not _NAME.match(found):
        raise DefinitionError(f"{label}: `{found}` is no name; letters, digits, `_` and `-`, starting with a letter.")
    return found


def _integration(integration: str, label: str) -> str:
    if not _KEY.match(integration):
        raise DefinitionError(f"{label}: `{integration}` is no integration key.")
    return integration


def _timeout(seconds: int | None, label: str) -> int | None:
    if seconds is not None and not 1 <= seconds <= 86400:
        raise DefinitionError(f"{label}: `timeout_seconds` must be between 1 and 86400.")
    return seconds


def _doc(function: Callable[..., Any]) -> str | None:
    return inspect.getdoc(function) or None
