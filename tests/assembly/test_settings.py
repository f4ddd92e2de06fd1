"""Settings are read once, strictly, and every bad one is named; a data folder is private."""

import stat
from pathlib import Path

import pytest

from dragoman_server.assembly.layout import (
    MAIN_PARTS,
    ORCHESTRATOR_PARTS,
    DataFolder,
    database_name,
    databases_of,
    resolve_databases,
)
from dragoman_server.assembly.settings import InvalidSettingsError, Settings, read_settings


def test_an_empty_environment_gives_the_documented_defaults() -> None:
    settings = read_settings({})

    assert (settings.edition, settings.bind, settings.sandbox, settings.database_url) == (
        "full",
        "127.0.0.1",
        "auto",
        None,
    )
    assert read_settings({"DRAGOMAN_EDITION": ""}).edition == "full", "an empty value is none"
    assert read_settings({"PATH": "/bin", "DRAGOMAN_URL": "x", "DRAGOMAN_API_KEY": "y"}) == settings


def test_an_unknown_name_is_refused_with_the_one_that_was_meant() -> None:
    with pytest.raises(
        InvalidSettingsError, match="DRAGOMAN_PUBLIC_URLS: unknown setting; did you mean DRAGOMAN_PUBLIC_URL"
    ):
        read_settings({"DRAGOMAN_PUBLIC_URLS": "https://x"})
    with pytest.raises(InvalidSettingsError, match="DRAGOMAN_QQQQQQ: unknown setting$"):
        read_settings({"DRAGOMAN_QQQQQQ": "1"})


BAD = {
    "DATABASE_POOL_SIZE": ("1", "x", "201"),
    "PUBLIC_URL": ("example.com", "ftp://x", "https://x?y=1", "/path"),
    "EDITION": ("free",),
    "EGRESS_ALLOW": ("not a cidr", "10.0.0.0/33"),
    "TRUSTED_PROXIES": ("10.0.0.0/99",),
    "SANDBOX": ("none",),
    "RATE_LIMIT_PER_MINUTE": ("59", "many"),
    "LOG_LEVEL": ("loud",),
    "LOGS_RETENTION_DAYS": ("0", "366"),
    "ERASE_LOGS_WITH_CONNECTION": ("perhaps",),
    "RECORDS_PRUNE_AFTER_DAYS": ("-1",),
    "SYNC_SLOTS": ("0",),
    "RUN_MEMORY_MB": ("63",),
    "SYNC_TIMEOUT_SECONDS": ("9",),
    "DRAIN_SECONDS": ("-1", "soon"),
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in BAD.items() for v in values])
def test_a_bad_value_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        read_settings({f"DRAGOMAN_{name}": value})

    assert [issue.path for issue in caught.value.issues] == [(f"DRAGOMAN_{name}",)]


def test_every_mistake_is_told_at_once() -> None:
    with pytest.raises(InvalidSettingsError) as caught:
        read_settings({"DRAGOMAN_EDITION": "x", "DRAGOMAN_SYNC_SLOTS": "x", "DRAGOMAN_NONSENSE": "x"})

    assert len(caught.value.issues) == 3


def test_secrets_are_not_shown() -> None:
    settings = read_settings(
        {"DRAGOMAN_DATABASE_URL": "postgresql://u:hidden@h/d", "DRAGOMAN_ENCRYPTION_KEY": "hidden"}
    )

    assert "hidden" not in repr(settings) + str(settings)
    with pytest.raises(InvalidSettingsError) as caught:
        read_settings({"DRAGOMAN_DATABASE_URL": "postgresql://u:hidden@h/d", "DRAGOMAN_SYNC_SLOTS": "x"})
    assert "hidden" not in str(caught.value)


def test_every_setting_is_described() -> None:
    assert [n for n, field in Settings.model_fields.items() if not field.description] == []


def test_databases_are_derived_from_one_url() -> None:
    found = resolve_databases("postgresql://u:p@h:5432/main?sslmode=require")

    assert database_name(found.orchestrator) == "main_orchestrator"
    assert found.orchestrator.endswith("?sslmode=require")
    assert found.main == found.main_direct
    pooled = resolve_databases("postgresql://pool/main", direct="postgresql://real/main")
    assert (pooled.main_direct, pooled.orchestrator_direct) == (
        "postgresql://real/main",
        "postgresql://real/main_orchestrator",
    )
    assert pooled.orchestrator == "postgresql://pool/main_orchestrator"
    with pytest.raises(ValueError, match="DRAGOMAN_DATABASE_URL"):
        databases_of(read_settings({}))


def test_the_parts_that_migrate_are_those_with_migrations() -> None:
    source = Path(__file__).parents[2] / "src" / "dragoman_server"
    with_tables = {f"dragoman_server.{p.parent.name}" for p in source.glob("*/migrations") if any(p.glob("*.sql"))}

    assert with_tables - {"dragoman_server.db"} == {*MAIN_PARTS, *ORCHESTRATOR_PARTS}


def test_a_data_folder_is_its_owners_and_held_once(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path / "deep" / "data")
    folder.make()
    folder.make()

    for path in (folder.blobs, folder.spill):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE(folder.root.stat().st_mode) & 0o066 == 0
    folder.lock()
    with pytest.raises(BlockingIOError):
        folder.lock()
