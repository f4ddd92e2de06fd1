"""Find the error codes that no class has as its own: those given where an error is raised, as `public_code=`.

Understood are a literal, a constant of the module, a value of a dictionary of the module, a parameter of the enclosing
function (its callers in the module are looked at), and the `problem=` of a grant.
"""

import ast
import importlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import dragoman_server
from dragoman_server.kit.errors import DragomanError

ROOT = Path(dragoman_server.__path__[0])


@dataclass(frozen=True)
class Raised:
    """`kind` is the class that is raised, None where only the code is known."""

    code: str
    status: int
    kind: type[DragomanError] | None
    message: str


def raised_codes() -> Iterator[Raised]:
    """Every code given at a raise, with the literal part of its message."""
    for path in sorted(ROOT.rglob("*.py")):
        text = path.read_text("utf-8")
        if ("public_code=" in text or "problem=" in text) and "guest" not in path.parts:
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield from _in_module(ast.parse(text), importlib.import_module(".".join(("dragoman_server", *parts))))


def _in_module(tree: ast.Module, module: ModuleType) -> Iterator[Raised]:
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    for call in calls:
        given = {k.arg: k.value for k in call.keywords if k.arg}
        value = given.get("public_code") or given.get("problem")
        if value is None:
            continue
        kind = getattr(module, call.func.id, None) if isinstance(call.func, ast.Name) else None
        if not (isinstance(kind, type) and issubclass(kind, DragomanError)):
            kind = None
        if kind is None and "problem" not in given:
            continue
        own = next((f for f in functions if call in ast.walk(f)), None)
        message = _words(call.args[0]) if call.args and kind is not None else ""
        status = given.get("status")
        number = status.value if isinstance(status, ast.Constant) else kind.default_status if kind else 400
        for code in _codes(value, module, own, calls):
            yield Raised(code, number if isinstance(number, int) else 400, kind, message)


def _codes(value: ast.expr, module: ModuleType, own: Any, calls: list[ast.Call]) -> Iterator[str]:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.Name) and isinstance(getattr(module, value.id, None), str):
        yield getattr(module, value.id)
    elif isinstance(value, ast.Name) and own is not None:
        names = [a.arg for a in own.args.args]
        for call in calls:
            if isinstance(call.func, ast.Name) and call.func.id == own.name and value.id in names:
                place = names.index(value.id)
                yield from _codes(call.args[place], module, None, []) if place < len(call.args) else ()
    else:
        for inner in ast.walk(value):
            table = getattr(module, inner.id, None) if isinstance(inner, ast.Name) else None
            if isinstance(table, Mapping):
                yield from (v for v in table.values() if isinstance(v, str))


def _words(message: ast.expr) -> str:
    if isinstance(message, ast.Constant):
        return str(message.value)
    if isinstance(message, ast.JoinedStr) and isinstance(message.values[0], ast.Constant):
        return "".join(str(v.value) if isinstance(v, ast.Constant) else "…" for v in message.values)
    return ""
