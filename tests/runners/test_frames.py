# ruff: noqa: A002, SIM105, ARG005
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.runners.guest import frames

FRAME = st.builds(
    frames.Frame, st.integers(frames.START, frames.RESET), st.integers(0, 2**32 - 1), st.binary(max_size=300)
)


@given(st.lists(FRAME, max_size=20), st.integers(1, 40))
def test_frames_come_out_as_they_went_in_however_they_are_cut(sent: list[frames.Frame], size: int) -> None:
    data = b"".join(frames.frame(found.type, found.stream, found.payload) for found in sent)
    parser = frames.Parser()

    got = [found for start in range(0, len(data), size) for found in parser.feed(data[start : start + size])]

    assert got == sent


@given(st.binary(min_size=12, max_size=200))
def test_any_bytes_are_frames_or_a_frame_error(data: bytes) -> None:
    try:
        list(frames.Parser().feed(data))
    except frames.FrameError:
        pass


@given(st.dictionaries(st.text(max_size=10), st.integers(-(2**53), 2**53), max_size=5), st.binary(max_size=50))
def test_a_message_keeps_its_head_and_its_body(head: dict[str, int], body: bytes) -> None:
    (found,) = frames.Parser().feed(frames.message(frames.CALL, head, body))

    assert found.message() == (head, body)


@pytest.mark.parametrize(
    "payload", [b"", b"\0\0\0", b"\0\0\0\x05{}", b"\0\0\0\x02[]", b"\0\0\0\x01{", b"\xff\xff\xff\xff{}"]
)
def test_a_message_that_is_cut_short_or_no_object_is_refused(payload: bytes) -> None:
    with pytest.raises(frames.FrameError):
        frames.Frame(frames.CALL, 0, payload).message()


def test_a_frame_longer_than_allowed_is_never_sent() -> None:
    with pytest.raises(frames.FrameError):
        frames.frame(frames.DATA, 2, b"x" * (frames.LARGEST_FRAME + 1))
