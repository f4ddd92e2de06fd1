"""The seal is bound to its place, and any change breaks it."""

from uuid import UUID

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dragoman_server.vault import SealBrokenError, Sealer, UnknownDataKeyError, data_key_of
from dragoman_server.vault.envelope import EnvironmentKeys, unwrap_key, wrap_key

KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
keys = st.binary(min_size=32, max_size=32)
record_keys = st.binary(max_size=40)
subjects = st.none() | st.uuids()


def sealer(
    purpose: str = "credentials",
    environment_id: int = 1,
    subject: UUID | None = None,
    salt: bytes = b"",
    data_keys: dict[int, bytes] | None = None,
) -> Sealer:
    held = data_keys or {7: KEY}
    return Sealer(EnvironmentKeys(environment_id, max(held), held), purpose, subject, salt)


@given(st.binary(max_size=2000), record_keys, st.text(max_size=30), subjects, st.binary(max_size=32))
def test_what_is_sealed_opens_again(
    plaintext: bytes, record_key: bytes, purpose: str, subject: UUID | None, salt: bytes
) -> None:
    sealed = sealer(purpose, 1, subject, salt).seal(plaintext, record_key)

    assert sealer(purpose, 1, subject, salt).open(sealed, record_key) == plaintext
    assert data_key_of(sealed) == 7


@given(
    st.tuples(st.text(max_size=9), st.integers(0, 9), subjects, record_keys),
    st.tuples(st.text(max_size=9), st.integers(0, 9), subjects, record_keys),
)
def test_a_seal_opens_only_where_it_was_made(
    here: tuple[str, int, UUID | None, bytes], there: tuple[str, int, UUID | None, bytes]
) -> None:
    assume(here != there)
    sealed = sealer(*here[:3]).seal(b"secret", here[3])

    with pytest.raises(SealBrokenError):
        sealer(*there[:3]).open(sealed, there[3])


@given(st.binary(max_size=100), st.data())
def test_any_changed_bit_is_noticed(plaintext: bytes, data: st.DataObject) -> None:
    sealed = bytearray(sealer().seal(plaintext, b"r"))
    position = data.draw(st.integers(0, len(sealed) * 8 - 1))
    sealed[position // 8] ^= 1 << position % 8

    with pytest.raises((SealBrokenError, UnknownDataKeyError)):
        sealer().open(bytes(sealed), b"r")


@given(st.binary(max_size=40))
def test_rubbish_is_refused_as_a_broken_seal(rubbish: bytes) -> None:
    with pytest.raises((SealBrokenError, UnknownDataKeyError)):
        sealer().open(rubbish)


def test_two_seals_of_the_same_text_differ() -> None:
    assert sealer().seal(b"same") != sealer().seal(b"same")


def test_another_salt_reads_nothing() -> None:
    subject = UUID(int=5)
    sealed = sealer(subject=subject, salt=b"one").seal(b"secret")

    with pytest.raises(SealBrokenError):
        sealer(subject=subject, salt=b"two").open(sealed)


def test_a_newer_data_key_is_named_not_guessed() -> None:
    newer = sealer(data_keys={7: KEY, 8: OTHER_KEY}).seal(b"secret")

    with pytest.raises(UnknownDataKeyError) as caught:
        sealer().open(newer)
    assert caught.value.data_key_id == 8


def test_older_data_keys_still_open() -> None:
    older = sealer().seal(b"secret")

    assert sealer(data_keys={7: KEY, 8: OTHER_KEY}).open(older) == b"secret"


@given(keys, keys, st.text(max_size=20), st.text(max_size=20))
def test_a_wrapped_key_unwraps_only_with_its_kek_and_label(kek: bytes, other: bytes, label: str, wrong: str) -> None:
    assume(kek != other and label != wrong)
    wrapped = wrap_key(kek, KEY, label)

    assert unwrap_key(kek, wrapped, label) == KEY
    for bad_kek, bad_label in ((other, label), (kek, wrong)):
        with pytest.raises(SealBrokenError):
            unwrap_key(bad_kek, wrapped, bad_label)
