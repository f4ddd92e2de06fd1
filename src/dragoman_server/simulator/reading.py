"""Templates read backwards: which values a rendered text carries, or that it was not made from that template. Pure.

Deliberately not built on `providers.templating`: this is the second opinion on what that one writes.
"""

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

CREDENTIAL_NAMES = frozenset({"accessToken", "refreshToken", "apiKey", "token", "username", "password", "credentials"})
_WORD = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*")


@dataclass(frozen=True, slots=True)
class _Hole:
    """A placeholder: the names it may take its value from, or a function over an inner template."""

    names: tuple[str, ...]
    function: str | None = None
    inner: str = ""


@lru_cache(maxsize=4096)
def pieces(template: str) -> tuple[str | _Hole, ...]:
    """Split a template into its literal text and its holes."""
    found: list[str | _Hole] = []
    start = 0
    while (opening := template.find("${", start)) >= 0:
        if opening > start:
            found.append(template[start:opening])
        depth, index = 1, opening + 2
        while index < len(template) and depth:
            depth += template.startswith("${", index) - (template[index] == "}")
            index += 1
        found.append(_hole(template[opening + 2 : index - 1].strip()))
        start = index
    if start < len(template):
        found.append(template[start:])
    return tuple(found)


def _hole(text: str) -> _Hole:
    call = re.fullmatch(r"(\w+)\((.*)\)", text, re.DOTALL)
    if call is None:
        return _Hole(tuple(piece.strip() for piece in text.split("||")))
    name, inner = call[1], call[2].strip()
    if "${" not in inner:
        inner = ":".join(f"${{{p}}}" if _WORD.fullmatch(p) else p for p in inner.split(":"))
    return _Hole(tuple(_names(inner)), name, inner)


def _names(template: str) -> list[str]:
    return [name for piece in pieces(template) if isinstance(piece, _Hole) for name in piece.names]


def names_in(template: str) -> list[str]:
    """Return every name a template takes values from, e.g. `connectionConfig.subdomain`."""
    return _names(template)


def carries_credential(template: str) -> bool:
    return any(name.split(".", 1)[0] in CREDENTIAL_NAMES for name in names_in(template))


def values_in(template: str, text: str) -> dict[str, str] | None:
    """Return what `text` carries for each placeholder of `template`; None when it was not made from it."""
    parts = pieces(template)
    pattern = "".join(re.escape(part) if isinstance(part, str) else "(.*)" for part in parts)
    found = re.fullmatch(pattern, text, re.DOTALL)
    if found is None:
        return None
    values: dict[str, str] = {}
    for hole, value in zip((p for p in parts if isinstance(p, _Hole)), found.groups(), strict=True):
        if hole.function == "base64":
            inner = _decoded(value)
            more = None if inner is None else values_in(hole.inner, inner)
            if more is None:
                return None
            values |= more
        elif hole.function is None:
            values |= {name: value for name in hole.names if _WORD.fullmatch(name)}
    return values


def _decoded(text: str) -> str | None:
    try:
        return base64.b64decode(text, validate=True).decode()
    except (binascii.Error, ValueError):
        return None


@lru_cache(maxsize=8192)
def url_pattern(template: str, *, prefix: bool) -> "re.Pattern[str]":
    """Return the pattern of URLs, without query, made from a template; with `prefix` everything below it too."""
    parts = list(pieces(template.partition("?")[0] if "${" not in template.partition("?")[2] else template))
    pattern = ""
    for part in parts:
        if isinstance(part, str):
            pattern += re.escape(part)
        else:
            pattern += r"https?://[^?#]+?" if not pattern else r"[^/?#]*"
    pattern = pattern.removesuffix("/")
    return re.compile(pattern + (r"(?:/.*)?" if prefix else r"/?"), re.IGNORECASE)


def literal_length(template: str) -> int:
    """How specific a template is."""
    return sum(len(part) for part in pieces(template) if isinstance(part, str))


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """Set `a.b.0.c` inside `body`, making what is missing."""
    here: Any = body
    steps: Sequence[str] = path.split(".")
    for step, following in zip(steps, [*steps[1:], None], strict=True):
        key: Any = step
        if isinstance(here, list):
            items, key = cast("list[Any]", here), int(step)
            items.extend({} for _ in range(key + 1 - len(items)))
        elif step not in here:
            here[step] = {}
        if following is None:
            here[key] = value
        elif not here[key] and following.isdigit():
            here[key] = []
        here = cast("Any", here[key])
