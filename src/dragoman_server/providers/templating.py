"""The catalogue's interpolation language: `Bearer ${accessToken}`, `${base64(${username}:)}`, `${now+5:minutes:X}`.

A template is parsed once into parts; values are inserted as they are and never parsed, so no text of a user is ever
evaluated. Time, randomness and the request at hand are arguments. Whatever the text, only `TemplateError` is raised.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Protocol, cast

from dragoman_server.providers import functions
from dragoman_server.providers.errors import TemplateError, UnresolvedTemplateError
from dragoman_server.providers.sigv4 import Signable
from dragoman_server.providers.times import format_time, shift_time

_DEEPEST = 8
_LONGEST = 20_000
_PATH = re.compile(r"[A-Za-z_][\w-]*(?:\.[\w-]+)*", re.ASCII)
_ROOT = re.compile(
    r"connectionConfig|credentials|metadata|accessToken|refreshToken|apiKey|token|clientId|clientSecret|username|password"
    r"|integrationConfig|custom|assertionOption|step\d+|endpoint|host|path|method|params|urlCanonicalParams"
    r"|bodyCanonicalParams|contentType|now|random"
)
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_CALL = re.compile(r"([A-Za-z]\w*)\((.*)\)", re.DOTALL | re.ASCII)
_NOW = re.compile(r"now(?:([+-]\d{1,12}):([A-Za-z]+))?(?::(.+))?", re.DOTALL | re.ASCII)


class Moment:
    """The time and the random id of one header set: read at most once, so that both stay the same inside it."""

    __slots__ = ("_clock", "_now", "_random", "_random_id")

    def __init__(self, clock: Callable[[], datetime], random_id: Callable[[], str]) -> None:
        self._clock, self._random_id = clock, random_id
        self._now: datetime | None = None
        self._random: str | None = None

    @property
    def now(self) -> datetime:
        if self._now is None:
            self._now = self._clock()
        return self._now

    @property
    def random(self) -> str:
        if self._random is None:
            self._random = self._random_id()
        return self._random


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a template may use besides its scope."""

    moment: Moment | None = None
    request: Signable | None = None


class _Node(Protocol):
    @property
    def roots(self) -> frozenset[str]: ...

    def value(self, scope: Mapping[str, Any], around: Surroundings) -> str | None: ...


@dataclass(frozen=True, slots=True)
class _Text:
    text: str
    roots: frozenset[str] = frozenset()

    def value(self, scope: Mapping[str, Any], around: Surroundings) -> str | None:
        return self.text


@dataclass(frozen=True, slots=True)
class _Path:
    keys: tuple[str, ...]
    roots: frozenset[str]

    def value(self, scope: Mapping[str, Any], around: Surroundings) -> str | None:
        value: Any = scope
        for key in self.keys:
            if isinstance(value, Mapping):
                value = cast("Mapping[str, Any]", value).get(key)
            elif isinstance(value, list | tuple) and key.isdecimal() and len(key) < 6:
                items = cast("Sequence[Any]", value)
                value = items[int(key)] if int(key) < len(items) else None
            else:
                return None
        return _as_text(value, blank_counts=self.keys[0] in _MAY_BE_BLANK)


_MAY_BE_BLANK = frozenset({"credentials", "username", "password"})


def _as_text(value: Any, *, blank_counts: bool) -> str | None:
    """Return a scalar as text. A blank form field is no value, but a blank password is one."""
    if isinstance(value, str):
        return value if value or blank_counts else None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return None


@dataclass(frozen=True, slots=True)
class _FirstOf:
    alternatives: tuple[_Node, ...]
    roots: frozenset[str]

    def value(self, scope: Mapping[str, Any], around: Surroundings) -> str | None:
        for alternative in self.alternatives:
            if found := alternative.value(scope, around):
                return found
        return self.alternatives[-1].value(scope, around)


@dataclass(frozen=True, slots=True)
class _Now:
    amount: int
    unit: str
    layout: str | None
    roots: frozenset[str] = frozenset({"now"})

    def value(self, scope: Mapping[str, Any], around: Surroundings) -> str | None:
        if around.moment is None:
            raise TemplateError("A template uses the time where none is given.")
        return format_time(shift_time(around.moment.now, self.amount, self.unit), self.layout)


@dataclass(frozen=True, slots=True)
class _Random:
    roots: frozenset[str] = frozenset({"random"})

    def value(self, scope: Mapping[str, Any], around: Surroundings) -> str | None:
        if around.moment is None:
            raise TemplateError("A template uses a random id where none is given.")
        return around.moment.random


@dataclass(frozen=True, slots=True)
class _Call:
    name: str
    arguments: tuple["Template", ...]
    roots: frozenset[str]

    def value(self, scope: Mapping[str, Any], around: Surroundings) -> str | None:
        values = [argument.value(scope, around) for argument in self.arguments]
        if None in values:
            return None
        texts = cast("list[str]", values)
        if self.name == "awsSigV4":
            return functions.aws_sig_v4(texts, around.request, around.moment.now if around.moment else None)
        return functions.PURE[self.name](*texts)


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template: text and placeholders in order. `roots` are the first keys of every path it names."""

    source: str
    parts: tuple[_Node, ...]
    roots: frozenset[str]

    def value(self, scope: Mapping[str, Any], around: Surroundings) -> str | None:
        """Return the text, or None when a placeholder stays unresolved."""
        found: list[str] = []
        for part in self.parts:
            text = part.value(scope, around)
            if text is None:
                return None
            found.append(text)
        return "".join(found)


@lru_cache(maxsize=8192)
def parse_template(source: str) -> Template:
    """Parse `source`; raise `TemplateError` where it cannot be read."""
    return _parse(source, 0)


def render(
    template: str,
    scope: Mapping[str, Any],
    *,
    moment: Moment | None = None,
    request: Signable | None = None,
) -> str:
    """Return `template` filled from `scope`; raise `UnresolvedTemplateError` when a placeholder is missing."""
    text = render_or_none(template, scope, moment=moment, request=request)
    if text is None:
        raise UnresolvedTemplateError(template)
    return text


def render_or_none(
    template: str,
    scope: Mapping[str, Any],
    *,
    moment: Moment | None = None,
    request: Signable | None = None,
) -> str | None:
    """Return `template` filled from `scope`, or None when a placeholder is missing."""
    return parse_template(template).value(scope, Surroundings(moment, request))


def render_tree(
    value: Any, scope: Mapping[str, Any], *, moment: Moment | None = None, request: Signable | None = None
) -> Any:
    """Return a JSON value with every string in it rendered; entries and items that stay unresolved are left out."""
    if isinstance(value, str):
        return render_or_none(value, scope, moment=moment, request=request)
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).items()
        done = {k: (v, render_tree(v, scope, moment=moment, request=request)) for k, v in items}
        return {k: new for k, (old, new) in done.items() if new is not None or old is None}
    if isinstance(value, list | tuple):
        old_items = cast("Sequence[Any]", value)
        pairs = [(v, render_tree(v, scope, moment=moment, request=request)) for v in old_items]
        return [new for old, new in pairs if new is not None or old is None]
    return value


def _parse(source: str, depth: int) -> Template:
    if depth > _DEEPEST or len(source) > _LONGEST:
        raise TemplateError("A template is nested too deeply or too long.")
    parts: list[_Node] = []
    start = 0
    while (opening := source.find("${", start)) >= 0:
        if opening > start:
            parts.append(_Text(source[start:opening]))
        closing = _closing_brace(source, opening + 2)
        parts.append(_parse_expression(source[opening + 2 : closing], depth + 1))
        start = closing + 1
    if start < len(source) or not parts:
        parts.append(_Text(source[start:]))
    return Template(source, tuple(parts), frozenset[str]().union(*(p.roots for p in parts)))


def _closing_brace(source: str, start: int) -> int:
    depth, index = 0, start
    while index < len(source):
        if source.startswith("${", index):
            depth, index = depth + 1, index + 2
            continue
        if source[index] == "}":
            if depth == 0:
                return index
            depth -= 1
        index += 1
    raise TemplateError(f"`{source[:200]}` opens a placeholder that never closes.")


def _split(text: str, separator: str) -> list[str]:
    """Split at `separator` outside quotes, parentheses and nested placeholders."""
    pieces: list[str] = []
    depth, start, index, quote = 0, 0, 0, ""
    while index < len(text):
        char = text[index]
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"" and text.find(char, index + 1) > 0:
            quote = char
        elif text.startswith("${", index) or char == "(":
            depth += 1
        elif char in "})":
            depth -= 1
        elif depth == 0 and text.startswith(separator, index):
            pieces.append(text[start:index].strip())
            start = index = index + len(separator)
            continue
        index += 1
    pieces.append(text[start:].strip())
    return pieces


def _parse_expression(text: str, depth: int) -> _Node:
    if depth > _DEEPEST:
        raise TemplateError("A template is nested too deeply.")
    pieces = _split(text, "||")
    nodes = tuple(_parse_single(piece, depth) for piece in pieces)
    if len(nodes) == 1:
        return nodes[0]
    return _FirstOf(nodes, frozenset[str]().union(*(n.roots for n in nodes)))


def _parse_single(text: str, depth: int) -> _Node:
    if _QUOTED.fullmatch(text):
        return _Text(text[1:-1])
    if text == "random":
        return _Random()
    if text.startswith("now") and (found := _NOW.fullmatch(text)):
        amount, unit, layout = found.groups()
        shift_time(_EPOCH, 0, unit or "seconds")  # an unknown unit is refused when the entry is read
        return _Now(int(amount or 0), unit or "seconds", layout)
    if found := _CALL.fullmatch(text):
        return _parse_call(found[1], found[2], depth)
    if _PATH.fullmatch(text):
        keys = tuple(text.split("."))
        return _Path(keys, frozenset({keys[0]}))
    raise TemplateError(f"`${{{text[:200]}}}` is neither a path nor a function we know.")


_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _parse_call(name: str, inside: str, depth: int) -> _Node:
    arity = functions.ARITY.get(name)
    if arity is None:
        raise TemplateError(f"There is no function `{name[:100]}`; known are {', '.join(sorted(functions.ARITY))}.")
    raw = [inside.strip()] if arity == (1, 1) else _split(inside, ",")
    if not arity[0] <= len(raw) <= arity[1]:
        raise TemplateError(f"`{name}` takes {arity[0]} to {arity[1]} values, not {len(raw)}.")
    arguments = tuple(_parse_argument(text, depth + 1) for text in raw)
    extra = frozenset({"request"}) if name == "awsSigV4" else frozenset[str]()
    return _Call(name, arguments, extra.union(*(a.roots for a in arguments)))


def _parse_argument(text: str, depth: int) -> Template:
    """Read quoted text, a template, paths of known roots (`username:password`), a call, or text (`us-east-1`)."""
    if depth > _DEEPEST:
        raise TemplateError("A template is nested too deeply.")
    call = _CALL.fullmatch(text)
    quoted = _QUOTED.fullmatch(text) is not None
    bare = _is_known_path(text)
    timed = _NOW.fullmatch(text) is not None
    if quoted or bare or timed or (call is not None and call[1] in functions.ARITY):
        node = _parse_single(text, depth)
        return Template(text, (node,), node.roots)
    if "||" in text and "${" not in text:
        node = _parse_expression(text, depth)
        return Template(text, (node,), node.roots)
    pieces = text.split(":")
    if len(pieces) > 1 and all(not piece or _is_known_path(piece) for piece in pieces) and any(pieces):
        return _parse(":".join(f"${{{piece}}}" if piece else "" for piece in pieces), depth)
    return _parse(text, depth)


def _is_known_path(text: str) -> bool:
    return _PATH.fullmatch(text) is not None and _ROOT.fullmatch(text.split(".", 1)[0]) is not None
