"""What the pages promise exists."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"


def test_every_guarantee_about_refreshes_names_a_test_that_exists() -> None:
    page = (DOCS / "explanation" / "refresh.md").read_text("utf-8")
    rows = re.findall(r"^\| (?!You can|---)(.+) \| (.+) \|$", page, re.M)
    sources = "\n".join(p.read_text("utf-8") for p in (ROOT / "tests").rglob("test_*.py"))
    there = set(re.findall(r"def (test_\w+)\(", sources))

    unshown = [promise for promise, shown_by in rows if not re.fullmatch(r"`test_\w+`", shown_by)]
    missing = set(re.findall(r"`(test_\w+)`", page)) - there

    assert len(rows) > 8
    assert unshown == []
    assert missing == set()


def test_every_code_given_where_an_error_is_raised_is_in_the_reference() -> None:
    page = (DOCS / "reference" / "errors.md").read_text("utf-8")
    sources = (p.read_text("utf-8") for p in (ROOT / "src" / "dragoman_server").rglob("*.py"))
    given = {code for text in sources for code in re.findall(r'public_code(?:: str)?\s?=\s?"(\w+)"', text)}

    assert len(given) > 5
    assert {code for code in given if f"`{code}`" not in page} == set()


def test_no_page_links_to_a_file_that_is_not_there() -> None:
    pages = [*DOCS.rglob("*.md"), *(ROOT / "examples").rglob("*.md"), ROOT / "README.md", ROOT / "CHANGELOG.md"]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8"))
        if not (page.parent / target).exists()
    ]

    assert broken == []
