"""What a function may raise or catch."""

from collections.abc import Mapping, Sequence
from typing import Any


class DragomanFunctionError(Exception):
    """The root of what this SDK raises inside functions."""


class DefinitionError(DragomanFunctionError):
    """A decorator was used in a way that cannot work; the message names the function and the argument."""


class ActionError(DragomanFunctionError):
    """Raise it to end a function with a message and a payload that reach the caller unchanged."""

    def __init__(self, message: Any = "The function refused.", payload: Any = None) -> None:
        if not isinstance(message, str):
            message, payload = "The function refused.", message
        super().__init__(message)
        self.message: str = message
        self.payload: Any = payload


class ProviderError(DragomanFunctionError):
    """The provider answered with a status of 400 or more."""

    def __init__(self, method: str, endpoint: str, status: int, headers: Mapping[str, str], content: bytes) -> None:
        super().__init__(f"{method} {endpoint.partition('?')[0]} answered {status}.")
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def text(self) -> str:
        return self.content.decode("utf-8", "replace")

    def json(self) -> Any:
        """The answer's body; raises ValueError when it is not JSON."""
        from dragoman.authoring.jsons import loads

        return loads(self.content)


class PlatformError(DragomanFunctionError):
    """The platform refused a call: `code` never changes meaning, `status` is the HTTP status it stands for."""

    def __init__(self, code: str, message: str, status: int = 500, payload: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status
        self.payload = payload


class InvalidValueError(DragomanFunctionError):
    """An input, output, record, checkpoint or metadata that does not fit its model; `issues` name each place."""

    def __init__(self, code: str, message: str, issues: Sequence[Mapping[str, Any]] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.issues: Sequence[Mapping[str, Any]] = list(issues)
