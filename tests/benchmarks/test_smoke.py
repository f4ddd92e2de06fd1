"""Every benchmark but the two longest still runs, in its smallest size, and says what it measured in a form that can be kept."""

import importlib
import json
from collections.abc import Generator

import pytest

from benchmarks.__main__ import about_this_run, names
from benchmarks.result import Result, Verdict, growth, table
from benchmarks.rig import PROVIDERS, Size, lend
from tests.support.platform import RunningPlatform, make_data_dir, remove_data_dir, start_platform

pytestmark = pytest.mark.xdist_group("benchmarks")
SETTINGS = {"DRAGOMAN_PROVIDERS_DIR": str(PROVIDERS), "DRAGOMAN_RUNNER_IDLE_SECONDS": "1"}
LONG = {"p14_logs", "p16_refresh"}
"""Half a minute each even in their smallest size; `make bench ARGS=--smoke` runs them. What P16 plays is tested in
`tests/connect/test_refresh_simulation.py` and `tests/real`, what P14 measures in `tests/logs`."""


@pytest.fixture(scope="module")
def lent() -> Generator[RunningPlatform]:
    """One platform for all benchmarks that do not need one of their own."""
    folder = make_data_dir()
    running = start_platform(folder / "data", extra=SETTINGS)
    try:
        with lend(running):
            yield running
    finally:
        running.stop()
        remove_data_dir(folder)


@pytest.mark.parametrize("name", [name for name in names([]) if name not in LONG])
@pytest.mark.usefixtures("lent")
def test_a_benchmark_runs_and_says_what_it_measured(name: str) -> None:
    module = importlib.import_module(f"benchmarks.{name}")

    results: list[Result] = list(module.run(Size.SMOKE))

    assert results
    assert all(one.benchmark.startswith("P") and one.figure and one.value is not None for one in results)
    assert len({one.figure for one in results}) == len(results)
    kept = json.loads(json.dumps([one.as_dict() for one in results], allow_nan=False))
    assert [Result.from_dict(one) for one in kept] == [Result.from_dict(one.as_dict()) for one in results]
    assert all(one.figure in table(results) for one in results)


def test_a_verdict_says_met_missed_or_not_measured() -> None:
    def verdict(value: float | None, *, at_least: bool = False) -> Verdict:
        return Result("P0", "x", value, "ms", 5, at_least=at_least).verdict

    assert [verdict(5), verdict(6), verdict(None), verdict(float("nan"))] == [
        Verdict.MET,
        Verdict.MISSED,
        Verdict.NOT_MEASURED,
        Verdict.NOT_MEASURED,
    ]
    assert [verdict(5, at_least=True), verdict(4, at_least=True)] == [Verdict.MET, Verdict.MISSED]
    assert Result("P0", "x", 1, "ms").verdict is Verdict.NO_TARGET


def test_growth_may_be_as_large_as_the_logarithms_and_no_larger() -> None:
    small = Result("P0", "x", 1.0, "ms")

    def verdict(value: float) -> Verdict:
        return growth(small, Result("P0", "x", value, "ms"), of="rows", n=(999, 999_999)).verdict

    assert [verdict(1.9), verdict(2.1)] == [Verdict.MET, Verdict.MISSED]


def test_a_rate_that_falls_is_growth_too() -> None:
    small = Result("P0", "x", 100.0, "rows/s", at_least=True)
    large = Result("P0", "x", 25.0, "rows/s", at_least=True)

    assert growth(small, large, of="rows", n=(999, 999_999)).verdict is Verdict.MISSED


def test_a_run_tells_versions_commit_and_cores() -> None:
    about = about_this_run(Size.SMOKE)

    assert about["cores"] >= 1
    assert about["versions"]["asyncpg"]
    assert about["size"] == "smoke"
