"""The one error root: each class says its public code, its HTTP status and what a caller should do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar


class Reaction(StrEnum):
    """What a caller should do about an error."""

    GIVE_UP = "give_up"
    FIX = "fix"
    RETRY = "retry"
    RECONNECT = "reconnect"


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing wrong with an input: a code, a sentence, and where (keys and indexes from the root)."""

    code: str
    message: str
    path: tuple[str | int, ...] = ()


class DragomanError(Exception):
    """The root of every error we raise on purpose. The message is public: never a secret, a token or a response body.

    `status` and `code` may be overridden per instance where the same mistake answers differently by route.
    """

    code: ClassVar[str] = "server_error"
    default_status: ClassVar[int] = 500
    reaction: ClassVar[Reaction] = Reaction.GIVE_UP

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        public_code: str | None = None,
        issues: Sequence[Issue] = (),
        payload: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status or self.default_status
        self.public_code = public_code or self.code
        self.issues = tuple(issues)
        self.payload = payload
        self.headers = dict(headers or {})


class NotFoundError(DragomanError):
    """The thing named does not exist (or is not yours, which reads the same)."""

    code = "not_found"
    default_status = 404
    reaction = Reaction.FIX


class InvalidInputError(DragomanError):
    """A body, header, query, setting or file that cannot be taken; `issues` name each place."""

    code = "invalid_body"
    default_status = 400
    reaction = Reaction.FIX


class ConflictError(DragomanError):
    """The state does not allow it (anymore): a lost race, a duplicate name, an older attempt."""

    code = "conflict"
    default_status = 409
    reaction = Reaction.GIVE_UP


class UnavailableError(DragomanError):
    """Something we depend on does not answer; the same call may succeed later."""

    code = "server_error"
    default_status = 503
    reaction = Reaction.RETRY


class ForbiddenError(DragomanError):
    """The caller is known and may not do this."""

    code = "forbidden"
    default_status = 403
    reaction = Reaction.FIX
