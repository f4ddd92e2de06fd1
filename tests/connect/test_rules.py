"""When tokens are refreshed and how failures add up."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.connect import rules
from dragoman_server.connect.model import Failures

NOW = datetime(2030, 1, 1, tzinfo=UTC)
lives = st.timedeltas(timedelta(seconds=1), timedelta(days=400))


@given(lives)
def test_the_margin_is_a_fifth_of_the_life_and_never_over_a_quarter_of_an_hour(life: timedelta) -> None:
    assert rules.margin(life) == min(timedelta(minutes=15), life * 0.2)


@given(lives, st.none() | st.timedeltas(timedelta(0), timedelta(days=1)))
def test_a_token_is_never_stale_or_due_before_it_is_issued(life: timedelta, buffer: timedelta | None) -> None:
    times = rules.times(NOW, NOW + life, None, buffer)

    assert times.stale_at is not None
    assert times.due_at is not None
    assert NOW <= times.stale_at <= NOW + life
    assert NOW <= times.due_at <= times.stale_at


def test_a_token_without_a_stated_or_learned_life_is_never_stale() -> None:
    assert rules.times(NOW, None, None).stale_at is None


def test_a_learned_life_only_shrinks_and_not_below_five_minutes() -> None:
    assert rules.learn(None, timedelta(hours=2)) == timedelta(hours=2)
    assert rules.learn(timedelta(hours=1), timedelta(hours=2)) == timedelta(hours=1)
    assert rules.learn(timedelta(hours=1), timedelta(seconds=3)) == timedelta(minutes=5)


def test_an_outage_of_three_days_does_not_exhaust_a_connection_and_one_of_four_does() -> None:
    failures = Failures()
    for minute in range(0, 3 * 24 * 60, 1):
        failures = rules.after_failure(failures, NOW + timedelta(minutes=minute), dead=False)
    assert not failures.exhausted

    failures = rules.after_failure(failures, NOW + timedelta(days=3), dead=False)
    assert failures.exhausted


def test_a_refused_grant_is_given_up_after_hours_not_minutes() -> None:
    failures = Failures()
    for second in range(0, 3 * 3600, 30):
        failures = rules.after_failure(failures, NOW + timedelta(seconds=second), dead=True)
    assert not failures.exhausted

    assert rules.after_failure(failures, NOW + timedelta(hours=3), dead=True).exhausted


def test_background_attempts_are_spread_up_to_an_hour_and_end_with_exhaustion() -> None:
    assert rules.next_background_attempt(Failures(attempts=1), NOW) == NOW + timedelta(seconds=30)
    assert rules.next_background_attempt(Failures(attempts=3), NOW) == NOW + timedelta(seconds=120)
    assert rules.next_background_attempt(Failures(attempts=99), NOW) == NOW + timedelta(hours=1)
    assert rules.next_background_attempt(Failures(attempts=99, exhausted=True), NOW) is None
