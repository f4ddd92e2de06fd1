"""`make bench`: every benchmark one after the other, or one of them (`make bench P=p1_proxy`).

Figures are CPU per operation over all processes, Postgres included, with the load stated beside; benchmarks are not
tests, and a slow machine fails nothing. What each measured is printed and kept in `benchmarks/results/<date>.txt`.
"""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def names(wanted: str | None) -> list[str]:
    found = sorted((p.stem for p in HERE.glob("p[0-9]*_*.py")), key=lambda n: int(n.partition("_")[0][1:]))
    if wanted is None:
        return found
    chosen = [n for n in found if n.lower() == wanted.lower() or n.partition("_")[0] == wanted.lower()]
    if not chosen:
        sys.exit(f"there is no benchmark {wanted}; there are {', '.join(found)}")
    return chosen


def main() -> None:
    chosen = names(sys.argv[1] if len(sys.argv) > 1 else None)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    path = results / f"{dt.datetime.now(dt.UTC):%Y-%m-%d-%H%M}.txt"
    with path.open("w", encoding="utf-8") as kept:
        for name in chosen:
            title = f"== {name} (load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)"
            print(title, flush=True)
            done = subprocess.run(
                [sys.executable, "-m", f"benchmarks.{name}"], stdout=subprocess.PIPE, text=True, check=False
            )
            print(done.stdout, flush=True)
            kept.write(f"{title}\n{done.stdout}\n")
            if done.returncode:
                print(f"{name} ended with {done.returncode}", flush=True)
    print(f"kept in {path}")


if __name__ == "__main__":
    main()
