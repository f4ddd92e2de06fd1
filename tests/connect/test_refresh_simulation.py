"""A few hundred seeded schedules of the real refresher; `python -m tests.support.refreshing.schedules 10000` plays more."""

import pytest

from tests.support.refreshing.schedules import KINDS, play, problems

SEEDS_A_FAULT = 30


@pytest.mark.parametrize("fault", range(len(KINDS)), ids=KINDS)
def test_no_schedule_loses_a_grant_or_calls_too_often(fault: int) -> None:
    seeds = range(fault, SEEDS_A_FAULT * len(KINDS), len(KINDS))

    found = {seed: problems(play(seed)) for seed in seeds}

    assert {seed: told for seed, told in found.items() if told} == {}
