"""A function that floods its log is held up itself; it neither fills everybody's buffer nor delays anybody's calls."""

import asyncio
import time
from collections.abc import Sequence

from dragoman_server.runners.guest import frames
from dragoman_server.runners.host.connection import LINE_OVERHEAD, LINES_A_TURN, LINES_WAITING, GuestConnection
from dragoman_server.runners.host.nothing import NoCalls
from dragoman_server.runners.port import Limits, LogLine


class Listening(NoCalls):
    def __init__(self) -> None:
        self.batches: list[int] = []
        self.lines: list[LogLine] = []

    def log(self, lines: Sequence[LogLine]) -> None:
        self.batches.append(len(lines))
        self.lines.extend(lines)


class Pausable(asyncio.Transport):
    def __init__(self) -> None:
        super().__init__()
        self.paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False

    def is_closing(self) -> bool:
        return False

    def close(self) -> None: ...


def flood(lines: int, message: str = "") -> bytes:
    return frames.message(frames.LOG, {"message": message}) * lines


async def test_lines_are_handed_on_in_slices_while_the_guest_waits() -> None:
    calls, transport = Listening(), Pausable()
    connection = GuestConnection(calls, Limits())
    connection.connection_made(transport)

    connection.data_received(flood(LINES_WAITING + 10))

    assert calls.lines == []
    assert transport.paused
    before = time.perf_counter()
    while transport.paused and time.perf_counter() - before < 10:
        await asyncio.sleep(0)
    assert not transport.paused
    await connection.finish()
    assert len(calls.lines) == LINES_WAITING + 10
    assert max(calls.batches) == LINES_A_TURN


async def test_empty_lines_are_not_free() -> None:
    calls = Listening()
    connection = GuestConnection(calls, Limits(log_bytes=100 * LINE_OVERHEAD))
    connection.connection_made(Pausable())

    connection.data_received(flood(500))
    await connection.finish()

    assert len(calls.lines) < 102
    assert "what follows is dropped" in calls.lines[-1].message


async def test_long_lines_are_handed_on_one_by_one_and_their_meta_is_not_looked_at() -> None:
    calls = Listening()
    connection = GuestConnection(calls, Limits())
    connection.connection_made(Pausable())

    meta = {str(n): "%41" * 1000 for n in range(100)}
    connection.data_received(frames.message(frames.LOG, {"message": "long", "meta": meta}) * 3)
    await connection.finish()

    assert calls.batches == [1, 1, 1]
    assert calls.lines[0].meta is not None
    assert calls.lines[0].meta["cut"] is True


async def test_what_was_said_last_is_not_lost() -> None:
    calls = Listening()
    connection = GuestConnection(calls, Limits())
    connection.connection_made(Pausable())

    connection.data_received(flood(3, "bye"))
    await connection.finish()

    assert [line.message for line in calls.lines] == ["bye"] * 3
