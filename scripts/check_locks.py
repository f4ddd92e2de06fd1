"""Lock files name neither an index host nor a path of a machine, pin every line with a hash, and hold what is asked for."""

import json
import re
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
REGISTRIES = ("pypi" + ".org", "python" + "hosted", "npm" + "js.org", "file:" + "//", "npm" + "mirror")


def main() -> int:
    wrong: list[str] = []
    for file in sorted((ROOT / "requirements").glob("*.txt")):
        text = file.read_text("utf-8")
        wrong += [f"{file.name}: names {word}" for word in REGISTRIES if word in text]
        for block in re.split(r"\n(?=\S)", text.strip()):
            if "--hash=sha256:" not in block:
                wrong.append(f"{file.name}: no hash for {block.splitlines()[0]}")
    for lock in ROOT.rglob("package-lock.json"):
        if "node_modules" in lock.parts:
            continue
        wrong += [
            f"{lock.relative_to(ROOT)}: names an address ({w})"
            for w in ('"resolved": "http', *REGISTRIES)
            if w in lock.read_text("utf-8")
        ]
        wrong += [f"{lock.relative_to(ROOT)}: {name} is missing; `npm ci` would refuse it" for name in _holes(lock)]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = [*project["project"]["dependencies"], *project["project"]["optional-dependencies"]["server"]]
    wrong += _missing("server.txt", wanted)
    wrong += _missing("dev.txt", [*wanted, *project["dependency-groups"]["dev"]])
    for line in wrong:
        print(line)
    return 1 if wrong else 0


def _holes(lock: Path) -> list[str]:
    """Packages for other platforms that a package may need and the lock has not: npm leaves out what it cannot find."""
    packages: dict[str, dict[str, Any]] = json.loads(lock.read_text("utf-8"))["packages"]
    held = {path.rpartition("node_modules/")[2] for path in packages}
    return sorted({name for package in packages.values() for name in package.get("optionalDependencies", {})} - held)


def _missing(name: str, wanted: list[str]) -> list[str]:
    held = {
        line.partition("==")[0].lower().replace("_", "-").partition("[")[0]
        for line in (ROOT / "requirements" / name).read_text("utf-8").splitlines()
        if "==" in line
    }
    asked = {re.split(r"[\[><=; ]", w, maxsplit=1)[0].lower().replace("_", "-") for w in wanted}
    return [f"{name}: {one} is missing; run `make lock`" for one in sorted(asked - held)]


if __name__ == "__main__":
    sys.exit(main())
