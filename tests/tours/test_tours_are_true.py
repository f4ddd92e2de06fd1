"""`docs/explanation/tours.md` names only what is there, and every tour has a test of its name."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "explanation" / "tours.md").read_text("utf-8")
STEPS = sorted(set(re.findall(r"`((?:src/)?[a-z_]+/[\w/.]+\.(?:py|sql)(?::[\w.]+)?)`", TEXT)))
TOURS = re.findall(r"^## (.+)$", TEXT, re.MULTILINE)


@cache
def names_in(path: Path) -> frozenset[str]:
    """Functions, classes and `Class.method`s of a file."""
    found: set[str] = set()
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            inner = (n for n in node.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))
            found |= {f"{node.name}.{n.name}" for n in inner}
    return frozenset(found)


@pytest.mark.parametrize("step", STEPS)
def test_a_step_names_what_is_there(step: str) -> None:
    file, _, name = step.partition(":")
    path = ROOT / file if file.startswith("src/") else ROOT / "src" / "dragoman_server" / file

    assert path.is_file()
    assert not name or name in names_in(path)


def test_there_are_the_six_tours_of_about_ten_files_each() -> None:
    parts = re.split(r"^## .+$", TEXT, flags=re.MULTILINE)[1:]
    counts = {
        t: len({s.partition(":")[0] for s in STEPS if f"`{s}`" in part}) for t, part in zip(TOURS, parts, strict=True)
    }

    assert len(TOURS) == 6
    assert all(6 <= count <= 18 for count in counts.values()), counts


def test_every_tour_has_a_test_of_its_name() -> None:
    tests = names_in(Path(__file__).parent / "test_tours.py")

    assert {"test_" + tour.lower().replace(" ", "_") for tour in TOURS} <= tests
