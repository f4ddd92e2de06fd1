"""The how-to and the invariants page hold what they say."""

import re
from pathlib import Path

from dragoman_server.providers.catalogue import load_catalogue

ROOT = Path(__file__).parents[2]


def test_the_entries_of_the_howto_load(tmp_path: Path) -> None:
    page = (ROOT / "docs/howto/add-a-provider.md").read_text()
    entries = re.findall(r"```yaml\n# ([a-z-]+)\.yaml\n(.*?)```", page, re.DOTALL)
    for name, text in entries:
        (tmp_path / f"{name}.yaml").write_text(text)

    catalogue = load_catalogue(tmp_path)

    assert [name for name, _ in entries] == ["acme", "acme-oauth", "acme-store", "ghe"]
    assert catalogue.require("ghe").proxy.base_urls == ("https://git.acme.com/api/v3",)
    assert catalogue.require("ghe").proxy.origins == ()


def test_every_test_the_invariants_name_exists() -> None:
    page = (ROOT / "src/dragoman_server/providers/INVARIANTS.md").read_text()
    tests = "".join(
        path.read_text()
        for path in [*Path(__file__).parent.glob("test_*.py"), ROOT / "tests/contracts/test_catalogue.py"]
    )

    missing = [name for name in re.findall(r"`(test_\w+)`", page) if f"def {name}(" not in tests]

    assert missing == []
