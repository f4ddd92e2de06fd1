"""Checks of typed-in fields against an entry's field maps, shared by the modes without a protocol."""

import re
from collections.abc import Mapping
from typing import Any, cast

from dragoman_server.connect.errors import InvalidCredentialsError
from dragoman_server.kit.errors import Issue

LONGEST_FIELD = 10_000
"""Private keys fit."""


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


def declared(entry: Mapping[str, Any], given: Mapping[str, Any], group: str = "credentials") -> dict[str, str]:
    """Return the fields the entry declares, checked; raise InvalidCredentialsError naming the first that is wrong."""
    specs = cast("Mapping[str, Mapping[str, Any]]", entry.get(group) or {})
    unknown = sorted(set(given) - set(specs) - {"type"})
    if unknown:
        raise _invalid(unknown[0][:100], "is not one of this provider's fields")
    found: dict[str, str] = {}
    for name, spec in specs.items():
        if spec.get("automated"):
            continue
        rule = cast("Mapping[str, Any]", spec.get("visible_when") or {})
        wanted: Any = rule.get("equals")
        hidden = bool(rule) and given.get(str(rule.get("field"))) not in (
            wanted if isinstance(wanted, list) else [wanted]
        )
        needed = not (spec.get("optional") or hidden or spec.get("default_value") is not None)
        text = read_text(given, name, longest=LONGEST_FIELD, required=needed, lines=True)
        if not text and spec.get("default_value") is not None:
            text = str(spec["default_value"])
        if not text:
            continue
        choices = cast("list[Any]", spec.get("enum") or [])
        if choices and text not in [str(c) for c in choices]:
            raise _invalid(name, f"must be one of {', '.join(str(c) for c in choices)}")
        check_pattern(specs, name, text)
        found[name] = text
    return found


def _invalid(name: str, what: str) -> InvalidCredentialsError:
    return InvalidCredentialsError(
        f"Credential field `{name}` {what}.", issues=[Issue("custom", f"{name} {what}", ("credentials", name))]
    )
