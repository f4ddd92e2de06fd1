"""Strict parsing: FastAPI's and pydantic's complaints in the envelope, every place named, unknown keys refused."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict

from dragoman_server.kit.errors import InvalidInputError, Issue

_PLACES = {
    "body": "invalid_body",
    "query": "invalid_query_params",
    "header": "invalid_headers",
    "path": "invalid_uri_params",
}
_CODES: Mapping[str, str] = {
    "missing": "invalid_type",
    "extra_forbidden": "unrecognized_keys",
    "string_too_short": "too_small",
    "too_short": "too_small",
    "greater_than": "too_small",
    "greater_than_equal": "too_small",
    "string_too_long": "too_big",
    "too_long": "too_big",
    "less_than": "too_big",
    "less_than_equal": "too_big",
    "string_pattern_mismatch": "invalid_format",
    "uuid_parsing": "invalid_format",
    "url_parsing": "invalid_format",
    "datetime_parsing": "invalid_format",
    "datetime_from_date_parsing": "invalid_format",
    "value_error": "custom",
    "assertion_error": "custom",
}


class StrictModel(BaseModel):
    """A body or query of ours: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False)


def issue_of(error: Mapping[str, Any]) -> Issue:
    """One pydantic error as an issue; the place is cut off the path."""
    kind = str(error["type"])
    code = _CODES.get(kind) or ("invalid_type" if kind.endswith(("_type", "_parsing")) else "custom")
    path = tuple(part for part in error["loc"][1:] if isinstance(part, str | int))
    message = str(error["msg"]).removeprefix("Value error, ")
    if code == "unrecognized_keys":
        message = f"Unrecognized key: {path[-1] if path else ''!r}"
        path = path[:-1]
    elif kind == "missing":
        message = "Required"
    return Issue(code, message, path)


def invalid_input(errors: Sequence[Mapping[str, Any]]) -> InvalidInputError:
    """The refusal for pydantic's `errors` (locations start with body, query, header or path)."""
    place = str(errors[0]["loc"][0]) if errors and errors[0]["loc"] else "body"
    issues = [issue_of(e) for e in errors]
    first = issues[0]
    where = ".".join(str(p) for p in first.path)
    message = f"{where}: {first.message}" if where else first.message
    return InvalidInputError(message, public_code=_PLACES.get(place, "invalid_body"), issues=issues)


def refuse(place: str, code: str, message: str, *path: str | int) -> InvalidInputError:
    """A refusal found outside pydantic: `place` is body, query, header or path."""
    return InvalidInputError(
        f"{'.'.join(map(str, path))}: {message}" if path else message,
        public_code=_PLACES[place],
        issues=[Issue(code, message, path)],
    )
