import asyncio

import pytest

from dragoman_server.kit.loops import Loop, run_all


class Recorder:
    """A service that notes when it ended; `breaks` makes it end by itself."""

    def __init__(self, name: str, ended: list[str], *, breaks: bool = False) -> None:
        self._name = name
        self._ended = ended
        self._stopping = asyncio.Event()
        if breaks:
            self._stopping.set()
        self._breaks = breaks

    async def run(self) -> None:
        await self._stopping.wait()
        await asyncio.sleep(0)
        self._ended.append(self._name)
        if self._breaks:
            raise RuntimeError(self._name)

    async def stop(self) -> None:
        self._stopping.set()


async def test_services_end_one_after_the_other_the_last_started_first() -> None:
    ended: list[str] = []
    stopping = asyncio.Event()
    stopping.set()

    await run_all([Recorder(name, ended) for name in "abc"], stopping)

    assert ended == ["c", "b", "a"]


async def test_a_service_that_breaks_ends_the_others_and_is_told() -> None:
    ended: list[str] = []

    with pytest.raises(RuntimeError, match="b"):
        await run_all([Recorder("a", ended), Recorder("b", ended, breaks=True)], asyncio.Event())

    assert ended == ["b", "a"]


async def test_a_service_that_does_not_end_is_cancelled() -> None:
    class Deaf:
        async def run(self) -> None:
            await asyncio.Event().wait()

        async def stop(self) -> None:
            return

    stopping = asyncio.Event()
    stopping.set()

    await asyncio.wait_for(run_all([Deaf()], stopping, patience=0.01), 10)


async def test_one_bad_turn_never_ends_a_loop() -> None:
    turns: list[int] = []

    async def once() -> float | None:
        turns.append(len(turns))
        if len(turns) == 1:
            raise ValueError("bad turn")
        await loop.stop()
        return None

    loop = Loop("test", once, every=0.0)

    await asyncio.wait_for(loop.run(), 10)

    assert len(turns) == 2
