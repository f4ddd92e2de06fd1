"""Run the suite: all cores and one worker more (many tests wait for processes), random order. Arguments go to pytest."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    started = time.monotonic()
    arguments = sys.argv[1:]
    command = [sys.executable, "-m", "pytest", "-q"]
    if not any(a.startswith("-n") for a in arguments):
        command += ["-n", str(min(6, (os.cpu_count() or 2) + 1)), "--dist", "loadgroup"]
    # As in an activated environment: `node` is linked there where the machine has none.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    screenshots = ROOT / ".cache" / "screenshots"
    shutil.rmtree(screenshots, ignore_errors=True)
    code = subprocess.run([*command, *arguments], check=False, env=os.environ | {"PATH": path}).returncode
    if screenshots.is_dir():
        print(
            f"what the browser tests saw: {screenshots.relative_to(ROOT)}/ ({len(list(screenshots.iterdir()))} pictures)"
        )
    print(f"took {time.monotonic() - started:.0f} s", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
