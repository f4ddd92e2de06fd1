from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.control.errors import InvalidFrequencyError, SyncIntervalTooShortError
from dragoman_server.control.frequency import LONGEST, SHORTEST, describe_interval, parse_frequency


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        ("every 5 minutes", timedelta(minutes=5)),
        ("every 30s", timedelta(seconds=30)),
        ("Every 1 Hour", timedelta(hours=1)),
        ("every hour", timedelta(hours=1)),
        ("every day", timedelta(days=1)),
        ("every half day", timedelta(hours=12)),
        ("every half hour", timedelta(minutes=30)),
        ("every quarter hour", timedelta(minutes=15)),
        ("every week", timedelta(days=7)),
        ("every month", timedelta(days=30)),
        ("every  2 hrs ", timedelta(hours=2)),
        ("every minute", timedelta(minutes=1)),
    ],
)
def test_a_frequency_reads_as_people_mean_it(text: str, interval: timedelta) -> None:
    assert parse_frequency(text) == interval


@pytest.mark.parametrize(
    "text",
    [
        "",
        "every",
        "5 minutes",
        "every 5",
        "every 2 weeks",
        "every -5 minutes",
        "every 1.5h",
        "every 999999999 days",
        "every ５ minutes",
        "every five minutes",
        "every 0x5 minutes",
    ],
)
def test_what_is_no_frequency_is_refused(text: str) -> None:
    with pytest.raises(InvalidFrequencyError):
        parse_frequency(text)


@pytest.mark.parametrize("text", ["every 29 seconds", "every second", "every 0 minutes", "every 1s"])
def test_below_thirty_seconds_is_too_short(text: str) -> None:
    with pytest.raises(SyncIntervalTooShortError):
        parse_frequency(text)


@given(st.integers(30, int(LONGEST.total_seconds())))
def test_what_is_described_reads_back(seconds: int) -> None:
    assert parse_frequency(describe_interval(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@given(st.text() | st.from_regex(r"every [0-9]{0,12} ?[a-z ]{0,12}", fullmatch=True))
def test_any_text_is_an_interval_within_bounds_or_a_clear_refusal(text: str) -> None:
    try:
        interval = parse_frequency(text)
    except (InvalidFrequencyError, SyncIntervalTooShortError):
        return
    assert SHORTEST <= interval <= LONGEST
