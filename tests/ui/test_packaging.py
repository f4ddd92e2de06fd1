"""What is published carries the built pages, and building from an sdist needs no Node.js."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = "dragoman_server/ui_dist/connect"
MOST_BYTES = 5_000_000


def build(source: Path, target: Path, kind: str, *, path: str = os.environ["PATH"]) -> Path:
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)],
        cwd=source,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    [made] = [p for p in target.iterdir() if p.suffix in {".whl", ".gz"}]
    return made


def missing_parts(names: set[str], page: str) -> set[str]:
    """What the start page names and the archive does not have."""
    wanted = {f"{PAGES}/{name}" for name in re.findall(r'(?:src|href)="\./([^"]+)"', page)}
    assert any(name.endswith(".js") for name in wanted), page
    return wanted - names


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sdist")
    subprocess.run(["tar", "xzf", build(ROOT, folder, "sdist")], cwd=folder, check=True)
    [unpacked] = [p for p in folder.iterdir() if p.is_dir()]
    return unpacked


def test_the_wheel_carries_the_pages_and_stays_small(tmp_path: Path) -> None:
    wheel = build(ROOT, tmp_path, "wheel")

    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        assert missing_parts(names, archive.read(f"{PAGES}/index.html").decode()) == set()
    assert not [n for n in names if n.endswith((".map", ".ts", ".tsx")) or "node_modules" in n]
    assert wheel.stat().st_size < MOST_BYTES


def test_an_sdist_is_built_where_there_is_no_node(sdist: Path, tmp_path: Path) -> None:
    wheel = build(sdist, tmp_path, "wheel", path=str(tmp_path))

    with zipfile.ZipFile(wheel) as archive:
        assert missing_parts(set(archive.namelist()), archive.read(f"{PAGES}/index.html").decode()) == set()


def test_an_sdist_has_the_sources_of_its_pages_and_nothing_installed(sdist: Path) -> None:
    assert (sdist / "ui" / "package-lock.json").is_file()
    assert (sdist / "ui" / "connect" / "src").is_dir()
    assert not list(sdist.rglob("node_modules"))
