"""The rules that need no database."""

from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.orchestrator.model import lane
from dragoman_server.orchestrator.pg.hints import packed
from dragoman_server.orchestrator.rules import Pair, Patience, admit
from dragoman_server.orchestrator.states import FINAL, MOVES, IllegalMoveError, TaskState, is_final, move

LEASE = timedelta(seconds=6)
START = datetime(2030, 1, 1, tzinfo=UTC)
PAIRS: list[Pair] = [("a", 1), ("a", 2), ("b", 1)]


@given(st.lists(st.sampled_from(TaskState)))
def test_any_sequence_of_requests_ends_in_at_most_one_final_state(wishes: list[TaskState]) -> None:
    seen = [TaskState.CREATED]
    for wish in wishes:
        with suppress(IllegalMoveError):
            seen.append(move(seen[-1], wish))

    assert sum(is_final(s) for s in seen) <= 1


@given(st.sampled_from(sorted(FINAL)), st.sampled_from(TaskState))
def test_a_final_state_is_never_left(final: TaskState, wish: TaskState) -> None:
    with pytest.raises(IllegalMoveError):
        move(final, wish)


def test_every_state_can_be_reached_and_every_open_one_left() -> None:
    reachable = {TaskState.CREATED, *(s for moves in MOVES.values() for s in moves)}

    assert reachable == set(TaskState)
    assert all(MOVES[s] & FINAL for s in MOVES)


@given(
    st.lists(st.dictionaries(st.sampled_from(PAIRS), st.integers(1, 5), min_size=1), max_size=10),
    st.fixed_dictionaries({p: st.integers(0, 10) for p in PAIRS}),
)
def test_admission_never_overfills_and_refuses_only_what_does_not_fit(
    requests: list[dict[Pair, int]], room: dict[Pair, int]
) -> None:
    answers = admit(requests, room)

    used: Counter[Pair] = Counter()
    for wanted, full in zip(requests, answers, strict=True):
        if full is None:
            used.update(wanted)
        else:
            assert used[full] + wanted[full] > room[full]
    assert all(used[p] <= room[p] for p in PAIRS)


@given(st.lists(st.floats(0.1, 60), min_size=1, max_size=40))
def test_a_reaper_trusts_silence_only_after_a_lease_without_a_gap(gaps: list[float]) -> None:
    patience = Patience(LEASE)
    now = start = START

    for gap in gaps:
        now += timedelta(seconds=gap)
        start = start if gap <= 3 and start != START else now
        assert patience.watched_long_enough(now) == (now - start >= LEASE)


def test_a_clock_that_goes_back_and_a_lost_connection_start_the_watch_anew() -> None:
    patience = Patience(LEASE)
    steady = [patience.watched_long_enough(START + timedelta(seconds=s)) for s in range(8)]

    backwards = patience.watched_long_enough(START + timedelta(seconds=6))
    for second in range(7, 13):
        patience.watched_long_enough(START + timedelta(seconds=second))
    patience.forget()

    assert steady == [False] * 6 + [True] * 2
    assert not backwards
    assert not patience.watched_long_enough(START + timedelta(seconds=13))


def test_an_interactive_lane_has_a_name_of_its_own() -> None:
    assert lane("action", interactive=True) != lane("action", interactive=False) == "action"


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters=","), min_size=1, max_size=500), max_size=100))
def test_packed_hints_fit_a_notification_and_lose_nothing(tokens: list[str]) -> None:
    payloads = packed("me", tokens)

    assert all(len(p.encode()) < 8000 for p in payloads)
    assert [t for p in payloads for t in p.split(",")[1:]] == tokens
