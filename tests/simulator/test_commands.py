"""`dragoman providers list|new|test`, as a contributor types them."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from dragoman_server.cli.providers import providers


def run(*arguments: str) -> Result:
    return CliRunner().invoke(providers, arguments)


def test_list_finds_by_name_title_and_category() -> None:
    assert "github " in run("list", "github").output
    assert "zendesk " in run("list", "ticketing").output
    assert run("list", "no such thing").output.strip() == "0 providers"


@pytest.mark.parametrize("mode", ["API_KEY", "BASIC", "OAUTH2", "OAUTH2_CC"])
def test_a_scaffold_is_an_entry_that_already_lives(mode: str, tmp_path: Path) -> None:
    made = run("new", "acme-crm", "--mode", mode, "--title", "Acme CRM", "--folder", str(tmp_path))
    assert made.exit_code == 0, made.output
    tried = run("test", "--simulate", str(tmp_path / "acme-crm.yaml"))

    assert tried.exit_code == 0, tried.output
    assert tried.output.startswith(f"Acme CRM (acme-crm, {mode})")
    assert "ok     refuse a wrong credential" in tried.output


def test_a_scaffold_replaces_nothing_and_wants_a_plain_slug(tmp_path: Path) -> None:
    (tmp_path / "acme.yaml").write_text("mine")

    assert "is there already" in run("new", "acme", "--folder", str(tmp_path)).output
    assert (tmp_path / "acme.yaml").read_text() == "mine"
    assert "A slug is" in run("new", "Acme CRM", "--folder", str(tmp_path)).output


def test_a_mistake_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    run("new", "acme", "--folder", str(tmp_path))
    file.write_text(file.read_text().replace("base_url:", "base_ulr:"))
    done = run("test", "--simulate", str(file))

    assert done.exit_code == 1
    assert "acme.yaml:" in done.output
    assert "did you mean `base_url`?" in done.output


def test_an_entry_whose_credential_goes_nowhere_fails_its_rehearsal(tmp_path: Path) -> None:
    file = tmp_path / "acme.yaml"
    run("new", "acme", "--folder", str(tmp_path))
    file.write_text(file.read_text().replace("Bearer ${apiKey}", "Bearer ${connectionConfig.key}"))
    done = run("test", "--simulate", str(file))

    assert done.exit_code == 1
    assert "FAILED refuse a wrong credential" in done.output


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert "github" in run("test", "--simulate", "githib").output
