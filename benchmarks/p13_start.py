"""P13: from `dragoman up` to the first answered request: the first start ever, then warm.

Target: <= 8 s, <= 3 s.
"""

import time
from collections.abc import Iterator

import httpx

from benchmarks.result import Result
from benchmarks.rig import Size, Spent, benchmark
from tests.support.platform import make_data_dir, remove_data_dir, start_platform


def run(size: Size) -> Iterator[Result]:
    """On one data folder."""
    folder = make_data_dir()
    try:
        for name, target in (("first ever", 8), ("warm", 3))[: size.pick(1, 2, 2)]:
            load, began = Spent(), time.perf_counter()
            platform = start_platform(folder / "data")
            try:
                key = platform.environment()["api_key"]
                answer = httpx.get(f"{platform.url}/integrations", headers={"Authorization": f"Bearer {key}"})
                took = time.perf_counter() - began
                assert answer.status_code == 200, answer.text
            finally:
                platform.stop()
            yield Result("P13", f"start to the first answer, {name}", took, "s", target, conditions=load.conditions)
    finally:
        remove_data_dir(folder)


if __name__ == "__main__":
    benchmark(run)
