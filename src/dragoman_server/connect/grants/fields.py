"""Checks of typed-in fields against an entry's field maps, shared by the modes without a protocol."""

import re
from collections.abc import Mapping
from typing import Any, cast

from dragoman_server.connect.errors import InvalidCredentialsError
from dragoman_server.kit.errors import Issue


def read_text(values: Mapping[str, Any], name: str, *, longest: int, required: bool = True, lines: bool = False) -> str:
    """Return the text `name`; raise InvalidCredentialsError naming it."""
    value = values.get(name)
    if value is None and not required:
        return ""
    if not isinstance(value, str) or (required and not value):
        raise _invalid(name, "is required and must be text")
    if len(value) > longest:
        raise _invalid(name, f"has more than {longest} characters")
    if any((ord(c) < 32 or ord(c) == 127) and not (lines and c in "\r\n") for c in value):
        raise _invalid(name, "contains control characters")
    return value


def check_pattern(fields: object, name: str, value: str) -> None:
    """Raise InvalidCredentialsError when the entry's field `name` has a pattern and `value` does not match it."""
    if not isinstance(fields, Mapping):
        return
    spec = cast("Mapping[str, Any]", fields).get(name)
    pattern = cast("Mapping[str, Any]", spec).get("pattern") if isinstance(spec, Mapping) else None
    if pattern and value and re.search(str(pattern), value) is None:
        example = cast("Mapping[str, Any]", spec).get("example")
        hint = f", e.g. `{example}`" if example else ""
        raise _invalid(name, f"does not look like what this provider expects{hint}")


def _invalid(name: str, what: str) -> InvalidCredentialsError:
    return InvalidCredentialsError(
        f"Credential field `{name}` {what}.", issues=[Issue("custom", f"{name} {what}", ("credentials", name))]
    )
