"""Run the suite: all cores and one worker more (many tests wait for processes), random order. Arguments go to pytest."""

import os
import subprocess
import sys
import time
from pathlib import Path


def main() -> int:
    started = time.monotonic()
    arguments = sys.argv[1:]
    command = [sys.executable, "-m", "pytest", "-q"]
    if not any(a.startswith("-n") for a in arguments):
        command += ["-n", str(min(6, (os.cpu_count() or 2) + 1)), "--dist", "loadgroup"]
    # As in an activated environment: `node` is linked there where the machine has none.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    code = subprocess.run([*command, *arguments], check=False, env=os.environ | {"PATH": path}).returncode
    print(f"took {time.monotonic() - started:.0f} s", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
