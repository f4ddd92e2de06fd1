# ruff: noqa: A002, SIM105, ARG005
import io
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any, cast

import pydantic
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from dragoman import DefinitionError, action, sync
from dragoman.authoring.functions import definition_of
from dragoman.authoring.intervals import seconds_of
from dragoman.bundling import Bundle, bundle_project, differences, pack, unpack
from dragoman.cli import main


class Contact(pydantic.BaseModel):
    id: str


class lower(pydantic.BaseModel):
    id: str


def test_importing_dragoman_loads_no_http_library_no_pydantic_and_no_web_framework() -> None:
    code = "import sys, dragoman, dragoman.connect; print([m for m in ('httpx','aiohttp','pydantic','msgspec','requests','fastapi','django') if m in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1 hour", 3600),
        ("every 5 minutes", 300),
        ("every hour", 3600),
        ("30s", 30),
        ("every half day", 43200),
        ("quarter hour", 900),
        ("every half an hour", 1800),
        ("2 weeks", 1209600),
        ("every month", 2592000),
    ],
)
def test_intervals_are_read_as_people_write_them(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "29 seconds", "soon", "every", "1 fortnight", "-5 minutes", "0 hours", "1.5 hours"]
)
def test_what_is_no_interval_is_refused(text: str) -> None:
    with pytest.raises(DefinitionError):
        seconds_of(text)


@given(st.text(max_size=30))
def test_any_text_is_an_interval_or_a_clear_error(text: str) -> None:
    try:
        assert seconds_of(text) >= 30
    except DefinitionError:
        pass


def test_an_action_reads_its_models_from_the_annotations() -> None:
    @action(integration="crm")
    async def create(ctx: Any, input: Contact) -> list[Contact]:
        """Make one."""
        return [input]

    definition = definition_of(create)

    assert definition is not None
    entry = definition.describe()
    assert entry["input"]["required"] == ["id"]
    assert entry["output"]["type"] == "array"
    assert entry["description"] == "Make one."
    assert entry["idempotent"] is False


@pytest.mark.parametrize(
    "arguments",
    [
        {"models": []},
        {"models": [lower]},
        {"models": [Contact, Contact]},
        {"models": [Contact], "every": "1 second"},
        {"models": [Contact], "name": "with space"},
        {"models": [Contact], "integration": ""},
        {"models": [Contact], "timeout_seconds": 0},
        {"models": [Contact], "checkpoint": object()},
    ],
)
def test_a_sync_that_cannot_work_is_refused_where_it_is_written(arguments: dict[str, Any]) -> None:
    with pytest.raises(DefinitionError):
        sync(**cast("dict[str, Any]", {"integration": "crm", **arguments}))(_does_nothing)


def _does_nothing(ctx: Any) -> None: ...


def _project(folder: Path) -> Path:
    CliRunner().invoke(main, ["init", str(folder)], catch_exceptions=False)
    return folder


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Bundle]:
    folder = _project(tmp_path_factory.mktemp("project"))
    return folder, bundle_project(folder)


def test_the_scaffold_bundles_and_names_its_functions(bundled: tuple[Path, Bundle]) -> None:
    _, bundle = bundled

    assert [(entry["type"], entry["name"]) for entry in bundle.manifest["functions"]] == [
        ("action", "create_contact"),
        ("sync", "contacts"),
    ]
    assert len(bundle.id) == 64


def test_the_same_files_give_the_same_archive_wherever_they_lie(bundled: tuple[Path, Bundle], tmp_path: Path) -> None:
    _, bundle = bundled
    elsewhere = _project(tmp_path / "other")
    (elsewhere / ".env").write_text("DRAGOMAN_SECRET_KEY_DEV=x")
    (elsewhere / "functions" / "__pycache__").mkdir()
    (elsewhere / "functions" / "__pycache__" / "x.pyc").write_bytes(b"x")

    assert pack(elsewhere) == bundle.archive


def test_an_archive_unpacks_to_what_was_packed(bundled: tuple[Path, Bundle], tmp_path: Path) -> None:
    folder, bundle = bundled

    unpack(bundle.archive, tmp_path)

    assert (tmp_path / "functions" / "contacts.py").read_bytes() == (folder / "functions" / "contacts.py").read_bytes()
    assert pack(tmp_path) == bundle.archive


@pytest.mark.parametrize("name", ["../escape", "/etc/escape", "a/../../escape", "a//b"])
def test_an_archive_cannot_write_outside_its_folder(name: str, tmp_path: Path) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo(name))

    with pytest.raises(DefinitionError):
        unpack(raw.getvalue(), tmp_path / "inside")


def test_an_archive_with_a_link_is_refused(tmp_path: Path) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as tar:
        entry = tarfile.TarInfo("link")
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)

    with pytest.raises(DefinitionError):
        unpack(raw.getvalue(), tmp_path)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_archive_or_a_clear_error(data: bytes) -> None:
    with pytest.raises(DefinitionError):
        unpack(data, Path("/nonexistent"))


def test_a_project_that_does_not_import_is_named_with_the_authors_line(tmp_path: Path) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "broken.py").write_text("x = 1\nraise ValueError('oh')\n")

    with pytest.raises(DefinitionError, match=r"functions\.broken(.|\n)*line 2(.|\n)*oh"):
        bundle_project(tmp_path)


def test_an_empty_project_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="No function"):
        bundle_project(tmp_path)


def test_manifests_differ_by_function_and_key(bundled: tuple[Path, Bundle]) -> None:
    _, bundle = bundled
    other = {
        "v": 1,
        "functions": [
            {**entry, "every": "2 hours"} for entry in bundle.manifest["functions"] if entry["type"] == "sync"
        ],
    }

    assert differences(bundle.manifest, bundle.manifest) == []
    assert differences(other, bundle.manifest) == [
        "action `create_contact` of `demo-crm` is missing in the manifest sent",
        "sync `contacts` of `demo-crm`: `every` differs",
    ]


def _no_entry_points(group: str) -> tuple[()]:
    return ()


def test_server_commands_without_the_server_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dragoman.cli.entry_points", _no_entry_points)

    ran = CliRunner().invoke(main, ["up", "--data-dir", "x"])

    assert ran.exit_code == 2
    assert "pip install 'dragoman[server]'" in ran.output
