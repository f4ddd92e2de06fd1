"""Making databases ready: idempotent, clear when it may not, and a first account that no crash can lose."""

import json
import stat
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from dragoman_server.assembly import bootstrap as bootstrapping
from dragoman_server.assembly.bootstrap import bootstrap
from dragoman_server.assembly.layout import Databases, DataFolder, resolve_databases, with_database
from dragoman_server.assembly.prepare import PrepareError, prepare_databases
from dragoman_server.cli.migrate import migrate
from dragoman_server.db.driver import connect
from dragoman_server.db.embedded import EmbeddedPostgres


async def run(url: str, *statements: str) -> None:
    connection = await connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def name(postgres: EmbeddedPostgres) -> AsyncIterator[str]:
    made = f"prepare_{uuid.uuid4().hex[:10]}"
    yield made
    for database in (made, f"{made}_orchestrator"):
        await run(postgres.url("postgres"), f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')


@pytest.fixture
async def databases(postgres: EmbeddedPostgres, name: str) -> Databases:
    found = resolve_databases(postgres.url(name))
    await prepare_databases(found)
    return found


async def test_preparing_twice_applies_nothing_twice(postgres: EmbeddedPostgres, name: str) -> None:
    found = resolve_databases(postgres.url(name))

    first = await prepare_databases(found)
    assert "orchestrator/0001_" in " ".join(first)
    assert await prepare_databases(found) == []


async def test_a_role_that_may_not_make_the_database_is_told_what_to_do(postgres: EmbeddedPostgres, name: str) -> None:
    role = f"role_{name}"
    await run(
        postgres.url("postgres"), f"CREATE ROLE {role} LOGIN PASSWORD 'p'", f'CREATE DATABASE "{name}" OWNER {role}'
    )
    url = postgres.url(name)
    user = url.partition("//")[2].partition("@")[0]
    own = resolve_databases(url.replace(user, f"{role}:p", 1))
    try:
        with pytest.raises(PrepareError, match="DRAGOMAN_ORCHESTRATOR_DATABASE_URL") as caught:
            await prepare_databases(own)
        assert f"{name}_orchestrator" in str(caught.value)
        assert ":p@" not in str(caught.value)
    finally:
        await run(postgres.url("postgres"), f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f"DROP ROLE {role}")


async def test_a_server_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(PrepareError, match="DRAGOMAN_DATABASE_URL") as caught:
        await prepare_databases(resolve_databases("postgresql://u:hidden@127.0.0.1:1/x"))

    assert "hidden" not in str(caught.value)


def test_migrate_without_a_database_says_so() -> None:
    done = CliRunner().invoke(migrate)

    assert done.exit_code != 0
    assert "DRAGOMAN_DATABASE_URL is not set" in done.output


def test_migrate_runs_again(postgres: EmbeddedPostgres, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DRAGOMAN_DATABASE_URL", postgres.url(name))
    first, second = CliRunner().invoke(migrate), CliRunner().invoke(migrate)

    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    assert "applied control/0001_" in first.output
    assert second.output == "up to date\n"


async def test_the_first_start_makes_an_account_and_the_second_nothing(databases: Databases, tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)

    assert await bootstrap(databases, folder, url="http://x") is True
    told = json.loads(folder.credentials.read_text())
    assert await bootstrap(databases, folder, url="http://y") is False
    assert json.loads(folder.credentials.read_text()) == told
    assert set(told) == {"url", "account_key", "environments"}
    assert {n: set(e) for n, e in told["environments"].items()} == {
        n: {"id", "api_key", "webhook_signing_key"} for n in ("dev", "prod")
    }
    for path in (folder.credentials, folder.key_file):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_a_crash_before_the_commit_leaves_nothing(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = DataFolder(tmp_path)
    real = bootstrapping.write_private

    def write_and_die(path: Path, text: str) -> None:
        real(path, text)
        raise KeyboardInterrupt

    monkeypatch.setattr(bootstrapping, "write_private", write_and_die)
    with pytest.raises(KeyboardInterrupt):
        await bootstrap(databases, folder, url="http://x")
    stale = json.loads(folder.credentials.with_name("credentials.pending.json").read_text())
    monkeypatch.setattr(bootstrapping, "write_private", real)

    assert not folder.credentials.exists()
    assert await bootstrap(databases, folder, url="http://x") is True, "the next start begins anew"
    assert json.loads(folder.credentials.read_text())["account_key"] != stale["account_key"]


async def test_a_crash_after_the_commit_keeps_the_keys(databases: Databases, tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    await bootstrap(databases, folder, url="http://x")
    told = folder.credentials.read_text()
    folder.credentials.rename(folder.credentials.with_name("credentials.pending.json"))

    assert await bootstrap(databases, folder, url="http://x") is False
    assert folder.credentials.read_text() == told


def test_with_database_changes_only_the_name() -> None:
    assert with_database("postgresql://u:p@h/a?x=1", "b c") == "postgresql://u:p@h/b%20c?x=1"
