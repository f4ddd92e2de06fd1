"""P16: what concurrent refreshes of one single-use refresh token cost, and what they lose.

Three ways: 10,000 seeded schedules in virtual time against a model of the store and an adversarial token endpoint; 200
against a real Postgres and a 30 ms endpoint; a real platform of four processes with a 3 s endpoint, in peace and with
the calling process killed. Targets: 1 call, 2 where a process or an answer was lost; no grant lost where the provider
allows 10 s of reuse; with strict single use, losses only in the window docs/explanation/refresh.md names.

A broken rule is a broken benchmark (exit code 1); P16_SEED is the first seed.
"""

import asyncio
import multiprocessing
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.refresh_real import Outcome, read_from_everywhere
from benchmarks.refresh_stack import LOSING, Played, play_all
from benchmarks.result import Result
from benchmarks.rig import Size, benchmark
from dragoman_server.db.embedded import EmbeddedPostgres
from dragoman_server.kit.telemetry import configure_logging
from tests.support.refreshing.schedules import Report, play, problems

FIRST_SEED = int(os.environ.get("P16_SEED", "0"))


@dataclass(frozen=True, slots=True)
class Kept:
    """What one schedule showed."""

    seed: int
    fault: str
    peaceful: bool
    calls: int
    lost: bool
    forgiving: bool
    wrong: tuple[str, ...]


def in_virtual_time(count: int) -> list[Kept]:
    """Play on every core."""
    seeds = range(FIRST_SEED, FIRST_SEED + count)
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"), _quiet) as pool:
        return [_kept(report) for report in pool.map(play, seeds, chunksize=20)]


def _quiet() -> None:
    configure_logging(level="error")


def _kept(report: Report) -> Kept:
    wrong = tuple(problems(report))
    return Kept(report.seed, report.fault, report.peaceful, report.most_calls, report.lost, report.grace >= 10, wrong)


def on_postgres(count: int) -> list[Kept]:
    """The refresher, its SQL and its lease as they are, in four processes' worth of parts on one loop."""
    _quiet()
    folder = Path(tempfile.mkdtemp(prefix="dgb-", dir="/tmp"))
    folder.chmod(0o755)
    server = EmbeddedPostgres(folder / "pg")
    server.start()
    try:
        seeds = range(FIRST_SEED, FIRST_SEED + count)
        return [_from_postgres(one) for one in asyncio.run(play_all(server.url("postgres"), folder, seeds))]
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def _from_postgres(one: Played) -> Kept:
    return Kept(
        one.seed, one.fault, one.fault not in LOSING, one.calls, one.lost, one.grace >= 10, tuple(one.problems())
    )


def figures(name: str, found: list[Kept]) -> Iterator[Result]:
    """Calls, lost grants; the seeds of what broke a rule are printed."""
    for one in found:
        for what in one.wrong:
            print(f"{name}: seed {one.seed} ({one.fault}): {what}")
    print(f"{name}: {len(found)} schedules, seeds {FIRST_SEED} to {FIRST_SEED + len(found) - 1}")
    peace, trouble = [k for k in found if k.peaceful], [k for k in found if not k.peaceful]
    said = f"{len(found):,} schedules, seeds from {FIRST_SEED}"
    yield Result("P16", f"{name}: calls in peace, worst", max(k.calls for k in peace), "calls", 1, conditions=said)
    if trouble:
        worst = max(k.calls for k in trouble)
        yield Result("P16", f"{name}: calls with a fault, worst", worst, "calls", 2, conditions=said)
    forgiven = [k for k in found if k.forgiving]
    lost = sum(k.lost for k in forgiven)
    yield Result("P16", f"{name}: grants lost, 10 s of reuse", lost, "grants", 0, conditions=f"of {len(forgiven):,}")
    strict = [k for k in found if not k.forgiving]
    by_fault = Counter(k.fault for k in strict if k.lost)
    told = f"of {len(strict):,}; by fault {dict(sorted(by_fault.items()))}"
    print(f"{name}: strict single use, in the named window: {told}")
    yield Result("P16", f"{name}: grants lost, strict single use", by_fault.total(), "grants", conditions=told)
    wrong = sum(bool(k.wrong) for k in found)
    yield Result("P16", f"{name}: schedules that broke a rule", wrong, "schedules", 0, conditions=said)


def real_figures(name: str, outcome: Outcome, calls: int) -> Iterator[Result]:
    said = f"{outcome.readers} readers in {outcome.processes} processes, {outcome.seconds:g} s endpoint"
    print(f"{name}: {outcome}")
    yield Result("P16", f"{name}: calls", outcome.calls, "calls", calls, conditions=said)
    yield Result("P16", f"{name}: grants lost", int(outcome.lost), "grants", 0, conditions=said)
    yield Result("P16", f"{name}: different tokens handed out", outcome.tokens, "tokens", 1, conditions=said)
    yield Result("P16", f"{name}: last reader answered", outcome.took, "s", conditions=said)


def run(size: Size) -> Iterator[Result]:
    """From the most schedules to the most real."""
    virtual = in_virtual_time(size.pick(8, 10_000, 10_000))
    yield from figures("virtual time", virtual)
    stacked = on_postgres(size.pick(3, 200, 1000))
    yield from figures("Postgres", stacked)
    seconds, readers = size.pick(0.5, 3.0, 3.0), size.pick(12, 200, 200)
    peace = read_from_everywhere(seconds=seconds, readers=readers, kill=False)
    yield from real_figures("four processes", peace, 1)
    killed = read_from_everywhere(seconds=seconds, readers=readers, kill=True)
    yield from real_figures("four processes, the caller killed", killed, 2)
    broken = [k.seed for k in (*virtual, *stacked) if k.wrong]
    if broken or peace.calls != 1 or peace.lost or killed.calls > 2 or killed.lost:
        raise SystemExit(f"refreshing broke its rules; seeds {broken[:20]}")


if __name__ == "__main__":
    benchmark(run)
