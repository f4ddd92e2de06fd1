"""Reading one YAML file, and finding the line of a key in it when something is wrong."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from dragoman_server.providers.errors import CatalogueError

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,98}[a-z0-9])?")
_LARGEST = 1_000_000
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Entry:
    """What one file says, before aliases are merged."""

    name: str
    file: Path
    data: Mapping[str, Any]

    def error(self, reason: str, keys: tuple[str | int, ...] = ()) -> CatalogueError:
        """Return the error to raise, with the line found by reading the file once more."""
        return CatalogueError(self.file, reason, line=line_of(self.file, keys), keys=keys)


def slug_of(file: Path) -> str:
    """Return the provider a file describes: its name without the suffix."""
    if not _SLUG.fullmatch(file.stem):
        raise CatalogueError(
            file, "the file is named by the provider: lower-case letters, digits and hyphens, then .yaml"
        )
    return file.stem


def read_entry(file: Path) -> Entry:
    """Return the mapping in `file`; a file holding `{<its own name>: {...}}` is taken as that inner mapping."""
    try:
        text = file.read_text("utf-8")
        if len(text) > _LARGEST:
            raise CatalogueError(file, "the file is too large")
        data: Any = yaml.load(text, _Loader)  # noqa: S506  # the C form of the safe loader
    except (OSError, UnicodeDecodeError) as error:
        raise CatalogueError(file, f"cannot be read: {type(error).__name__}") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or "this is no YAML"
        raise CatalogueError(file, f"not readable as YAML: {reason}", line=mark.line + 1 if mark else None) from error
    except (ValueError, RecursionError) as error:  # e.g. a timestamp that is no date, nesting without end
        raise CatalogueError(file, "not readable as YAML: a value is out of range or nested too deeply") from error
    inner = cast("dict[Any, Any]", data) if isinstance(data, dict) else {}
    if list(inner) == [file.stem] and isinstance(inner[file.stem], dict):
        data = inner[file.stem]
    if not isinstance(data, dict):
        raise CatalogueError(file, "the file must hold a mapping", line=1)
    return Entry(file.stem, file, cast("dict[str, Any]", data))


def duplicate_key(file: Path) -> tuple[str | int, ...] | None:
    """Return the path of a key written twice in one mapping, if there is one (YAML itself keeps the last)."""
    root = _compose(file)
    return _duplicate_in(root, ()) if root is not None else None


def line_of(file: Path, keys: tuple[str | int, ...]) -> int | None:
    """Return the line, from 1, of the deepest of `keys` the file itself has."""
    node = _compose(file)
    line = 1 if node is not None else None
    if isinstance(node, yaml.MappingNode) and keys and keys[0] != file.stem:
        only = [k.value for k, _ in node.value]
        node = node.value[0][1] if only == [file.stem] else node
    for key in keys:
        if isinstance(node, yaml.MappingNode):
            pairs = [(k, v) for k, v in node.value if k.value == str(key)]
            if not pairs:
                break
            line, node = pairs[-1][0].start_mark.line + 1, pairs[-1][1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(key, int) and key < len(node.value):
            node = node.value[key]
            line = node.start_mark.line + 1
        else:
            break
    return line


def _compose(file: Path) -> yaml.Node | None:
    try:
        return yaml.compose(file.read_text("utf-8"), _Loader)
    except (yaml.YAMLError, OSError, ValueError, RecursionError):
        return None


def _duplicate_in(node: Any, path: tuple[str | int, ...]) -> tuple[str | int, ...] | None:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            here = (*path, str(key.value))
            if key.value in seen:
                return here
            seen.add(key.value)
            if (found := _duplicate_in(value, here)) is not None:
                return found
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            if (found := _duplicate_in(item, (*path, index))) is not None:
                return found
    return None
