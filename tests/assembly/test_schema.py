"""What migrations make of an empty database is what each part's `schema.sql` shows."""

import importlib.util
import uuid
from pathlib import Path

import pytest

from dragoman_server.assembly.layout import MAIN_PARTS, ORCHESTRATOR_PARTS
from dragoman_server.db.embedded import EmbeddedPostgres

SCRIPT = Path(__file__).parents[2] / "scripts" / "dump_schema.py"


@pytest.mark.parametrize("packages", [MAIN_PARTS, ORCHESTRATOR_PARTS], ids=["main", "orchestrator"])
async def test_the_committed_schema_is_what_the_migrations_make(
    postgres: EmbeddedPostgres, packages: tuple[str, ...]
) -> None:
    spec = importlib.util.spec_from_file_location("dump_schema", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    url = postgres.url(f"schema_{uuid.uuid4().hex[:10]}")
    await script.make(postgres.url("postgres"), url, packages)

    for package in packages:
        shown = script.schema_file(package).read_text("utf-8")
        assert script.dump(url, script.part_of(package)) == shown, f"run scripts/dump_schema.py: {package} changed"
