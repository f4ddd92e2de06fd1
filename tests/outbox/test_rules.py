from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.outbox.rules import FIRST_WAIT, LONGEST_WAIT, wait_before_retry

chances = st.floats(0, 1, exclude_max=True)


@given(st.integers(0, 10_000), chances)
def test_a_wait_is_never_short_of_half_a_second_nor_longer_than_the_cap(attempts: int, chance: float) -> None:
    assert FIRST_WAIT / 2 <= wait_before_retry(attempts, chance) <= LONGEST_WAIT


@given(st.integers(1, 50), chances)
def test_waits_grow_with_the_attempts(attempts: int, chance: float) -> None:
    assert wait_before_retry(attempts + 1, chance) >= wait_before_retry(attempts, chance)


def test_facts_that_failed_together_part() -> None:
    assert wait_before_retry(5, 0.9) - wait_before_retry(5, 0.1) > timedelta(seconds=5)
