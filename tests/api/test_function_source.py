"""The source of a deployed function: what its author named, and never a file outside its bundle."""

from pathlib import Path

import pytest

from dragoman_server.api.function_routes import read_module


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    (folder / "functions" / "pack").mkdir(parents=True)
    (folder / "functions" / "crm.py").write_text("crm = 1")
    (folder / "functions" / "pack" / "__init__.py").write_text("pack = 1")
    (tmp_path / "secret.py").write_text("key")
    (folder / "functions" / "link.py").symlink_to(tmp_path / "secret.py")
    return folder


@pytest.mark.parametrize(("module", "text"), [("functions.crm", "crm = 1"), ("functions.pack", "pack = 1")])
def test_a_module_is_found_by_its_name(bundle: Path, module: str, text: str) -> None:
    assert read_module(bundle, module) == text


@pytest.mark.parametrize(
    "module",
    ["", ".", "..secret", "functions...secret", "/etc/passwd", "functions/crm", "functions.gone", "functions.link"],
)
def test_no_name_leads_out_of_the_bundle(bundle: Path, module: str) -> None:
    assert read_module(bundle, module) is None
