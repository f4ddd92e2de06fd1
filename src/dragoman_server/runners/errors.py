"""The runners' branch of the error tree."""

from collections.abc import Sequence
from typing import Any

from dragoman_server.kit.errors import DragomanError, Issue, Reaction


class RunnerError(DragomanError):
    """The runner could not do its work."""

    code = "function_runtime_other"


class SandboxUnavailableError(RunnerError):
    """No tier that is safe enough exists on this machine."""

    code = "function_runtime_other"
    default_status = 503
    reaction = Reaction.GIVE_UP


class BundleError(RunnerError):
    """The uploaded project does not import, or its functions are not well formed."""

    code = "script_invalid_error"
    default_status = 400
    reaction = Reaction.FIX

    def __init__(self, message: str, *, issues: Sequence[Issue] = (), payload: Any = None) -> None:
        super().__init__(message, issues=issues, payload=payload)


class DependencyError(BundleError):
    """The project's requirements.lock cannot be installed."""


class RunnerBusyError(RunnerError):
    """As many runners as the host allows are at work; the same call may succeed later."""

    default_status = 503
    reaction = Reaction.RETRY


class ProtocolError(RunnerError):
    """The guest sent something that is no frame of ours."""
