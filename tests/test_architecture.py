"""What a reviewer would say twice, said by a test."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SERVER = ROOT / "src" / "dragoman_server"
PARTS = sorted(p.name for p in SERVER.iterdir() if (p / "__init__.py").exists())
FILES = sorted(SERVER.rglob("*.py"))
SQL = sorted(SERVER.rglob("sql/*.sql"))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                yield node.lineno, f"{node.module}.{name.name}"
        elif isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name


@pytest.mark.parametrize("part", PARTS)
def test_every_part_says_what_it_is_for(part: str) -> None:
    tree = ast.parse((SERVER / part / "__init__.py").read_text("utf-8"))

    assert len(ast.get_docstring(tree) or "") > 60, (
        f"{part}/__init__.py needs: what it does, who calls it, what it stores, where it runs"
    )


def test_private_modules_stay_in_their_part() -> None:
    strangers = [
        f"{relative(path)}:{line} imports {name}"
        for path in FILES
        for line, name in imports(path)
        if name.startswith("dragoman_server.")
        and any(piece.startswith("_") for piece in name.split(".")[2:-1])
        and name.split(".")[1] != path.relative_to(SERVER).parts[0]
    ]

    assert strangers == []


def tenant_tables() -> dict[str, set[str]]:
    """Tables that have an environment_id, by schema, read from the migrations."""
    found: dict[str, set[str]] = {}
    for path in SERVER.rglob("migrations/*.sql"):
        text = re.sub(r"--[^\n]*", "", path.read_text("utf-8"))
        for match in re.finditer(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)\.(\w+)\s*\((.*?)\n\)", text, re.S | re.I):
            schema, table, body = match.groups()
            if re.search(r"\benvironment_id\b", body):
                found.setdefault(schema, set()).add(table)
    return found


def test_every_query_on_a_tenant_table_names_the_environment() -> None:
    tables = [f"{schema}.{table}" for schema, names in tenant_tables().items() for table in names]
    assert tables, "no tenant table found: this test has gone blind"
    careless: list[str] = []
    for path in SQL:
        text = path.read_text("utf-8")
        code = re.sub(r"--[^\n]*", "", text)
        if re.search(r"^--.*\b(every|all|any) environment", text, re.M | re.I):
            continue  # housekeeping over every tenant says so in its opening comment
        for table in tables:
            if re.search(rf"\b{re.escape(table)}\b", code) and "environment_id" not in code:
                careless.append(f"{relative(path)} touches {table}")

    assert careless == []


@pytest.mark.parametrize("path", SQL, ids=relative)
def test_every_statement_opens_with_why_it_is_safe(path: Path) -> None:
    assert path.read_text("utf-8").lstrip().startswith("--")


def test_no_session_state_reaches_pooled_connections() -> None:
    bad = [
        relative(p)
        for p in SQL
        if re.search(
            r"^\s*(SET\s+(SESSION|LOCAL|\w+\s*=|\w+\s+TO)\b|PREPARE\s|LISTEN\s|DECLARE\s)|pg_advisory_lock|pg_try_advisory_lock\b",
            re.sub(r"--[^\n]*", "", p.read_text("utf-8")),
            re.M | re.I,
        )
    ]

    assert bad == []


def test_a_broad_except_says_why_or_raises_again() -> None:
    silent: list[str] = []
    for path in FILES:
        lines = path.read_text("utf-8").splitlines()
        for node in ast.walk(ast.parse("\n".join(lines))):
            if not isinstance(node, ast.ExceptHandler) or not isinstance(node.type, ast.Name):
                continue
            said = "#" in lines[node.lineno - 1] or "#" in lines[node.lineno - 2]
            raises = any(isinstance(inner, ast.Raise) for inner in ast.walk(node))
            if node.type.id in {"Exception", "BaseException"} and not said and not raises:
                silent.append(f"{relative(path)}:{node.lineno}")

    assert silent == []


def test_only_the_egress_part_opens_connections_to_others() -> None:
    clients = ("aiohttp", "httpx", "requests", "urllib.request", "http.client", "websockets")
    callers = [
        f"{relative(path)}:{line} imports {name}"
        for path in FILES
        for line, name in imports(path)
        if name.startswith(clients) and path.relative_to(SERVER).parts[0] != "egress"
    ]

    assert callers == []


def test_only_assembly_and_cli_read_settings_or_the_environment() -> None:
    readers = [
        relative(path)
        for path in FILES
        if path.relative_to(SERVER).parts[0] not in {"assembly", "cli"}
        and re.search(r"os\.environ|os\.getenv|assembly\.settings", path.read_text("utf-8"))
        and "runners" not in path.parts  # builds the environment of sandboxed processes
    ]

    assert readers == []


def test_a_sleep_in_a_test_says_whom_it_plays() -> None:
    sleepers = [
        f"{relative(path)}:{n}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for n, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if re.search(r"\b(time|asyncio)\.sleep\((?!0\))", line)
        and "#" not in line
        and not line.strip().startswith(('"', "'"))
    ]

    assert sleepers == []
