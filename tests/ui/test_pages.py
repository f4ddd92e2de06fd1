"""The browser pages' own tests (vitest) pass."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_pages_own_tests_pass() -> None:
    done = subprocess.run(
        ["bash", str(ROOT / "scripts" / "ui.sh"), str(Path(sys.prefix)), "test"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env=os.environ | {"NO_COLOR": "1"},
    )

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "passed" in done.stdout
