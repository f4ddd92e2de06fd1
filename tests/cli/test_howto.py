"""The how-to names only commands, options, routes and errors that exist."""

import re
from pathlib import Path

from dragoman.cli.import_nango import nango
from dragoman_server.api.demands import DEMANDS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/howto/move-from-nango.md").read_text("utf-8")


def test_every_option_in_the_howto_exists() -> None:
    known = {name for parameter in nango.params for name in (*parameter.opts, *parameter.secondary_opts)}
    used = {
        word for line in PAGE.splitlines() if "dragoman import nango" in line for word in re.findall(r"--[a-z-]+", line)
    }

    assert used
    assert used <= known


def test_every_error_in_the_howto_is_one_of_ours() -> None:
    source = "".join(path.read_text("utf-8") for path in (ROOT / "src").rglob("*.py"))
    codes = re.findall(r"`([a-z]+(?:_[a-z]+)+)`", PAGE)
    errors = {c for c in codes if c.startswith(("invalid_", "base_url_", "function_managed"))}

    assert len(errors) >= 4
    assert {e for e in errors if f'"{e}"' not in source} == set()


def test_what_the_howto_calls_missing_is_missing() -> None:
    paths = {path for _, path in DEMANDS}

    assert not paths & {"/mcp", "/functions/compile", "/functions/dryruns"}


def test_every_page_the_howto_links_to_is_there() -> None:
    links = re.findall(r"\]\(([a-z./-]+\.md)\)", PAGE)

    assert links
    assert [link for link in links if not (ROOT / "docs/howto" / link).is_file()] == []
