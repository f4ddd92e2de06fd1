"""The soak: ten minutes of mixed traffic over 200 customers in two environments, a process killed every 20 s.

What is lost, doubled, mixed up or fails in peace is a broken benchmark (exit code 1), not a figure. SOAK_SECONDS says
how long, CHAOS_SEED repeats a run's choices.
"""

import asyncio
import os
import random
import time
from collections.abc import Iterator

from benchmarks.result import Result, percentile
from benchmarks.rig import Size, benchmark, running_platform
from tests.support.platform import make_data_dir, remove_data_dir
from tests.support.soak.bazaar import open_bazaar, write_entry
from tests.support.soak.measuring import Tally
from tests.support.soak.play import Soak, run, set_up


def soak(size: Size) -> Iterator[Result]:
    seconds = float(os.environ.get("SOAK_SECONDS") or size.pick(8, 600, 1800))
    customers = size.pick(10, 200, 200)
    seed = os.environ.get("CHAOS_SEED") or str(time.time_ns())
    print(f"soak: CHAOS_SEED={seed}, {seconds:.0f} s, {customers} customers")
    folder = make_data_dir()
    try:
        extra = {"DRAGOMAN_PROVIDERS_DIR": str(write_entry(folder / "providers"))}
        with open_bazaar() as bazaar, running_platform(extra) as platform:
            made = set_up(platform, bazaar, customers=customers, wares=30)
            playing = Soak(platform, bazaar, random.Random(seed), made)
            try:
                asyncio.run(run(playing, seconds=seconds, kill_every=size.pick(3.0, 20.0, 20.0)))
            finally:
                bazaar.closing.set()
            tally = playing.tally
            print(f"done {dict(tally.done)}; failed in outages {dict(tally.excused)}")
            yield from figures(tally, seconds)
    finally:
        remove_data_dir(folder)
    if tally.faults:
        raise SystemExit("the soak found faults:\n" + "\n".join(tally.faults[:20]))


def figures(tally: Tally, seconds: float) -> Iterator[Result]:
    """Faults, recoveries, memory, latency."""
    kills = len(tally.outages)
    said = f"{seconds:.0f} s, {kills} kills, load average {os.getloadavg()[0]:.1f}"
    yield Result(
        "P18", "soak: lost, doubled, mixed up, or failed in peace", len(tally.faults), "cases", 0, conditions=said
    )
    asked = sum(n for kind, n in tally.done.items() if kind != "stock") + sum(tally.excused.values())
    share = 100 * sum(tally.excused.values()) / max(1, asked)
    yield Result("P18", "soak: requests that failed in outages", share, "%", conditions=said)
    for kind, target in (("postgres", 5.0), ("work", 10.0), ("zygote", 5.0)):
        found = tally.recoveries(kind)
        if found:
            yield Result(
                "P18", f"soak: {kind} killed to an action answered, worst of {len(found)}", max(found), "s", target
            )
    for kind in ("proxy", "action"):
        yield Result("P18", f"soak: {kind} p50 over all", percentile(tally.latencies.get(kind, []), 0.5) * 1000, "ms")
    third = max(1, len(tally.memory) // 3)
    before, after = sorted(tally.memory[:third]), sorted(tally.memory[-third:])
    if before and after:
        grown = after[len(after) // 2] / max(before[len(before) // 2], 1.0)
        yield Result("P18", "soak: memory of the work process, last third against first", grown, "times", 1.15)


if __name__ == "__main__":
    benchmark(soak)
