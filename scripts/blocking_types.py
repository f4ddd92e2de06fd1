"""Write the types of the blocking context from the awaited one: scripts/blocking_types.py [--check]."""

import ast
import sys
from pathlib import Path

HOME = Path(__file__).parent.parent / "src" / "dragoman" / "authoring"
TARGET = HOME / "_blocking_types.pyi"
CLASSES = {
    "context.py": ("Checkpoint", "Metadata", "Context", "ActionContext", "SyncContext"),
    "response.py": ("StreamedResponse",),
}
NAMES = {name: f"Blocking{name}" for names in CLASSES.values() for name in names}
HEAD = """# Made by scripts/blocking_types.py from context.py and response.py; do not edit.
# ruff: noqa: A002, E501
# fmt: off

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from dragoman.authoring.context import Body, Logger
from dragoman.authoring.response import Response
"""


class Blocking(ast.NodeTransformer):
    def visit_arguments(self, node: ast.arguments) -> ast.arguments:
        made = self.generic_visit(node)
        assert isinstance(made, ast.arguments)
        made.defaults = [ast.Constant(...) for _ in made.defaults]
        made.kw_defaults = [None if default is None else ast.Constant(...) for default in made.kw_defaults]
        return made

    def visit_Name(self, node: ast.Name) -> ast.Name:
        renamed = {**NAMES, "AsyncIterator": "Iterator", "AsyncGenerator": "Iterator"}
        return ast.Name(renamed.get(node.id, node.id), node.ctx)


def method(node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.FunctionDef:
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    returns = Blocking().visit(node.returns) if node.returns is not None else ast.Constant(None)
    if "asynccontextmanager" in decorators:
        inner = ast.unparse(returns.slice).strip("()").partition(",")[0]
        returns = ast.parse(f"AbstractContextManager[{inner}]", mode="eval").body
    kept = [decorator for decorator in node.decorator_list if ast.unparse(decorator) == "property"]
    body: list[ast.stmt] = [ast.Expr(ast.Constant(...))]
    return ast.FunctionDef(node.name, Blocking().visit(node.args), body, kept, returns, lineno=0)


def render() -> str:
    text = HEAD
    for file, names in CLASSES.items():
        tree = ast.parse((HOME / file).read_text())
        for node in tree.body:
            if not isinstance(node, ast.ClassDef) or node.name not in names:
                continue
            members: list[ast.stmt] = []
            if node.name == "Context":
                for attribute, type_ in (
                    ("log", "Logger"),
                    ("metadata", "BlockingMetadata"),
                    ("checkpoint", "BlockingCheckpoint"),
                ):
                    members += ast.parse(f"{attribute}: {type_}").body
            if node.name == "StreamedResponse":
                members += ast.parse("status: int\nheaders: Mapping[str, str]").body
            members += [
                method(item)
                for item in node.body
                if isinstance(item, (ast.FunctionDef, ast.AsyncFunctionDef)) and not item.name.startswith("_")
            ]
            bases = [Blocking().visit(base) for base in node.bases]
            made = ast.ClassDef(NAMES[node.name], bases, [], members, [])
            text += "\n" + ast.unparse(ast.fix_missing_locations(made)) + "\n"
    return text


if __name__ == "__main__":
    wanted = render()
    if "--check" in sys.argv:
        sys.exit(0 if TARGET.read_text() == wanted else f"{TARGET} is not in step: run scripts/blocking_types.py")
    TARGET.write_text(wanted)
