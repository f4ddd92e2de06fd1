import random
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.records import InvalidCursorError
from dragoman_server.records.canonical import canonical, change_hash, merge
from dragoman_server.records.cursors import cursor_maker, decode_cursor, encode_cursor

KEY = b"k" * 32
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)
RECORDS = st.dictionaries(TEXT, JSON, max_size=6)


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        items = [(k, shuffled(v, chance)) for k, v in cast("dict[str, Any]", value).items()]
        chance.shuffle(items)
        return dict(items)
    return [shuffled(v, chance) for v in cast("list[Any]", value)] if isinstance(value, list) else value


@given(RECORDS, st.randoms(use_true_random=False))
def test_the_hash_does_not_depend_on_the_order_of_keys(value: dict[str, Any], chance: random.Random) -> None:
    assert change_hash(KEY, shuffled(value, chance)) == change_hash(KEY, value)


@given(RECORDS, RECORDS)
def test_records_that_differ_as_json_differ_in_canonical_form(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert (canonical(one) == canonical(other)) == (
        msgspec.json.encode(one, order="sorted") == msgspec.json.encode(other, order="sorted")
    )
    assert msgspec.json.decode(canonical(one)) == one


@given(RECORDS)
def test_the_hash_is_keyed(value: dict[str, Any]) -> None:
    assert change_hash(KEY, value) != change_hash(b"o" * 32, value)


@given(RECORDS, RECORDS)
def test_merging_twice_is_merging_once(stored: dict[str, Any], update: dict[str, Any]) -> None:
    once = merge(stored, update)

    assert merge(once, update) == once
    assert set(once) == set(stored) | set(update)


@given(st.integers(1, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_a_cursor_gives_back_its_stream_and_position(stream_key: int, seq: int) -> None:
    cursor = encode_cursor(KEY, stream_key, seq)

    assert decode_cursor(KEY, cursor) == (stream_key, seq)
    assert cursor_maker(KEY, stream_key)(seq).decode() == cursor
    assert len(cursor) <= 1000


@given(st.integers(0, 65), st.sampled_from("0123456789abcdefABCDEF=+-é "))
def test_a_changed_cursor_is_refused(at: int, letter: str) -> None:
    cursor = encode_cursor(KEY, 7, 123)
    forged = cursor[:at] + letter + cursor[at + 1 :]

    if forged != cursor:
        with pytest.raises(InvalidCursorError):
            decode_cursor(KEY, forged)


@given(st.text(max_size=80) | st.binary(max_size=40).map(bytes.hex))
def test_anything_else_is_no_cursor(text: str) -> None:
    with pytest.raises(InvalidCursorError):
        decode_cursor(KEY, text)


def test_a_cursor_of_another_environment_is_refused() -> None:
    with pytest.raises(InvalidCursorError):
        decode_cursor(b"o" * 32, encode_cursor(KEY, 7, 1))
