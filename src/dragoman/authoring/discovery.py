"""Find the functions of a project: import its modules, collect what the decorators left behind.

Runs where the author's code may run: in the sandbox, and in a process of its own on the author's machine. Never in
the server.
"""

import importlib
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from dragoman.authoring.errors import DefinitionError
from dragoman.authoring.functions import FunctionDefinition, build_manifest, definition_of

PACKAGE = "functions"
_NEVER = {"setup", "conftest", "noxfile", "fabfile"}


def module_names(folder: Path) -> list[str]:
    """The modules that may hold functions: all under `functions/`, or without that folder the top-level files."""
    root = folder / PACKAGE
    if root.is_dir():
        found: list[str] = []
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            if any(part.startswith(".") or not part.isidentifier() for part in parts):
                continue
            found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
        return found
    return [
        path.stem
        for path in sorted(folder.glob("*.py"))
        if path.stem.isidentifier() and not path.stem.startswith(("_", "test_")) and path.stem not in _NEVER
    ]


def load_definitions(folder: Path, modules: Sequence[str] | None = None) -> list[FunctionDefinition]:
    """Import the project's modules (its folder must be on sys.path) and return their functions, in order.

    Raises DefinitionError naming the module that does not import.
    """
    found: dict[int, FunctionDefinition] = {}
    for name in module_names(folder) if modules is None else modules:
        for value in list(vars(_import(name)).values()):
            definition = definition_of(value)
            if definition is not None:
                found.setdefault(id(value), definition)
    return list(found.values())


def describe_project(folder: Path) -> dict[str, Any]:
    """The manifest of the project in `folder`; raises DefinitionError."""
    return build_manifest(load_definitions(folder))


def add_to_path(folder: Path) -> None:
    """Let the project's own modules be imported."""
    text = str(folder)
    if text not in sys.path:
        sys.path.insert(0, text)
    importlib.invalidate_caches()


def _import(name: str) -> ModuleType:
    from dragoman.authoring.running import own_frames

    try:
        return importlib.import_module(name)
    except DefinitionError:
        raise
    except Exception as error:  # an author's module may raise anything at import
        raise DefinitionError(
            f"`{name}` does not import: {type(error).__name__}: {error}\n{own_frames(error)}"
        ) from error
