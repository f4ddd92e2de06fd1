"""P11, P13: the whole platform at rest, Postgres included; and how long `dragoman up` takes to its first answer.

python -m benchmarks.p11_idle [seconds]
"""

import sys
import time

from benchmarks.process_tree import cpu_seconds, pss_megabytes
from tests.support.platform import make_data_dir, remove_data_dir, start_platform


def main(seconds: float = 30.0) -> None:
    folder = make_data_dir()
    try:
        started = time.perf_counter()
        start_platform(folder / "data").stop()
        print(f"P13 first start to first answer, and stop: {time.perf_counter() - started:.1f} s (target <= 8)")
        started = time.perf_counter()
        platform = start_platform(folder / "data")
        print(f"P13 warm start to first answer: {time.perf_counter() - started:.1f} s (target <= 3)")
        try:
            pid = platform.commands[0].popen.pid
            time.sleep(5)  # let the start settle
            before = cpu_seconds(pid)
            time.sleep(seconds)
            share = (cpu_seconds(pid) - before) / seconds * 100
            print(f"P11 idle: {pss_megabytes(pid):.0f} MB PSS, {share:.1f} % of a core (target 260 MB, 1 %)")
        finally:
            platform.stop()
    finally:
        remove_data_dir(folder)


if __name__ == "__main__":
    main(*(float(a) for a in sys.argv[1:]))
