"""Whether to try again, and when."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.providers.retry import (
    LONGEST_BACKOFF_SECONDS,
    LONGEST_STATED_SECONDS,
    RetryHeaders,
    backoff,
    check_pattern,
    wait_before_retry,
)
from tests.providers.samples import provider

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
EPOCH = int(NOW.timestamp())


def wait(
    hints: dict[str, Any] | None = None, status: int = 429, *, body: str | None = None, attempt: int = 0, **headers: str
) -> float | None:
    named = [(name.replace("_", "-"), value) for name, value in headers.items()]
    return wait_before_retry(provider(proxy={"retry": hints or {}}), status, named, body, attempt, NOW)


@pytest.mark.parametrize("status", [200, 201, 304, 400, 401, 403, 404, 422])
def test_an_answer_that_would_be_the_same_stands(status: int) -> None:
    assert wait(status=status) is None


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_overloaded_or_failing_server_is_tried_again_with_growing_waits(status: int) -> None:
    assert [wait(status=status, attempt=n) for n in range(4)] == [3, 6, 12, 24]
    assert wait(status=status, attempt=1000) == LONGEST_BACKOFF_SECONDS


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7),
        ("1.5", 1.5),
        ("-5", 0),
        ("0", 0),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
        ("Tue, 01-Jan-30 12:01:00 GMT", 60),
        ("1m30s", 90),
        ("120ms", 0.12),
        ("999999999", LONGEST_STATED_SECONDS),
        ("soon", 3),
        ("", 3),
        ("nan", 3),
        ("1e999", 3),
    ],
)
def test_retry_after_is_read_in_every_form(value: str, seconds: float) -> None:
    assert wait(retry_after=value) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "value",
    [
        str(EPOCH + 40),
        str((EPOCH + 40) * 1000),
        "2030-01-01T12:00:40Z",
        "40",
        format_datetime(NOW + timedelta(seconds=40), usegmt=True),
    ],
)
def test_a_reset_time_is_read_in_every_form(value: str) -> None:
    assert wait({"at": "x-reset"}, x_reset=value) == pytest.approx(40)


def test_the_longest_of_several_headers_counts() -> None:
    hints = {"at": "x-reset", "after": ["x-after", "x-other"]}

    assert wait(hints, x_reset=str(EPOCH + 10), x_after="25", x_other="5", retry_after="20") == 25


def test_a_reset_time_counts_only_when_the_quota_is_used_up() -> None:
    hints = {"at": "x-reset", "remaining": "x-left"}

    assert wait(hints, 502, x_reset=str(EPOCH + 3000), x_left="41") == 3
    assert wait(hints, 403, x_reset=str(EPOCH + 3000), x_left="0") == 3000
    assert wait(hints, 403, x_reset=str(EPOCH + 3000), x_left="1") is None
    assert wait(hints, 200, x_reset=str(EPOCH + 3000), x_left="0") is None


@pytest.mark.parametrize(
    ("codes", "status", "again"),
    [
        ("5xx", 503, True), ("5xx", 429, False), ("500-502", 502, True), ("500-502", 503, False), ("429", 429, True), (429, 429, True),
        (["403", "5xx"], 403, True), ("403, 429", 429, True), (["401"], 401, True), ("odd", 503, False),
    ],
)  # fmt: skip
def test_the_entrys_codes_replace_the_usual_ones(codes: Any, status: int, again: bool) -> None:
    assert (wait({"error_code": codes}, status) is not None) is again


def test_the_caller_may_add_statuses_and_name_headers() -> None:
    entry = provider()

    assert wait_before_retry(entry, 404, [], None, 0, NOW, retry_on={404}) == 3
    assert wait_before_retry(entry, 429, {"X-At": str(EPOCH + 9)}, None, 0, NOW, caller=RetryHeaders(at="x-at")) == 9


def test_a_message_in_the_body_may_ask_for_another_try() -> None:
    hints = {"in_body": {"path": "error.message", "value": r"try again in (\d+) s", "strategy": "after"}}

    assert wait(hints, 400, body=json.dumps({"error": {"message": "please try again in 12 s"}})) == 12
    assert wait(hints, 400, body=json.dumps({"error": {"message": "no such thing"}})) is None
    assert wait(hints, 400, body="not json") is None
    assert wait(hints, 400, body="[" * 100_000) is None
    assert wait(hints, 400) is None


def test_a_pattern_without_a_group_only_asks() -> None:
    hints = {"in_body": {"path": "e.0", "value": "limit"}}

    assert wait(hints, 400, body='{"e": ["rate limited"]}', attempt=1) == 6


@pytest.mark.parametrize("pattern", ["(a+)+", "(a*)*b", "(a|b+)*", "(.*x){5}", r"(a)\1", "(", "x" * 400])
def test_a_pattern_that_could_take_for_ever_is_refused(pattern: str) -> None:
    assert check_pattern(pattern)


@pytest.mark.parametrize("pattern", [r"in (\d+) seconds?", "rate.limit", r"(?i)retry after ([0-9.]+)s", "(a|b)c+"])
def test_an_ordinary_pattern_is_taken(pattern: str) -> None:
    assert check_pattern(pattern) is None


HINTS: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "at": st.sampled_from(["x-a", ["x-a", "x-b"]]),
        "after": st.sampled_from(["x-b", ["x-c"]]),
        "remaining": st.just("x-c"),
        "error_code": st.text(max_size=8) | st.integers() | st.lists(st.text(max_size=8), max_size=3),
        "in_body": st.fixed_dictionaries({"path": st.text(max_size=5), "value": st.just("(.+)")}),
    },
)
VALUES = st.text(max_size=30) | st.integers().map(str) | st.floats().map(str) | st.datetimes().map(str)


@given(HINTS, st.integers(100, 999), st.lists(st.tuples(st.sampled_from(["Retry-After", "X-A", "x-b", "x-c"]), VALUES), max_size=4),
       st.none() | st.text(max_size=40) | st.dictionaries(st.text(max_size=3), VALUES).map(json.dumps), st.integers(0, 10**6))  # fmt: skip
def test_whatever_a_server_says_the_wait_is_bounded(
    hints: dict[str, Any], status: int, headers: list[tuple[str, str]], body: str | None, attempt: int
) -> None:
    found = wait_before_retry(provider(proxy={"retry": hints}), status, headers, body, attempt, NOW)

    assert found is None or 0 <= found <= LONGEST_STATED_SECONDS


@given(st.integers(0, 100))
def test_waits_never_shrink(attempt: int) -> None:
    assert backoff(attempt) <= backoff(attempt + 1) <= LONGEST_BACKOFF_SECONDS
