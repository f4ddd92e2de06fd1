"""Delete tracking: records a run did not see are deleted at its end.

While a generation is open every writer of the stream leaves the rids it saw (records.write). Closing marks live rows
deleted that nobody saw and that were not changed since the start, in chunks: a crash in between goes on where it was.
"""

import asyncio

from dragoman_server.db import Conn
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.records import _store
from dragoman_server.records.core import Core, place_of, writer_of
from dragoman_server.records.errors import ConnectionErasedError
from dragoman_server.records.model import Closed, Fence, Stream, StreamKey

SWEEP = 5000
"""Rows per chunk of a close."""
_RANGES = 500
"""Seen chunks read at once."""


class SeenSet:
    """A growing bitmap of rids, bit n as Postgres' get_bit counts them."""

    __slots__ = ("_bits", "last_chunk")

    def __init__(self, last_chunk: int) -> None:
        self._bits = bytearray()
        self.last_chunk = last_chunk

    def add(self, low: int, high: int) -> None:
        """Add low … high-1."""
        if len(self._bits) * 8 < high:
            self._bits.extend(bytes(max(high // 8 + 1 - len(self._bits), len(self._bits))))
        bits = self._bits
        while low < high and low % 8:
            bits[low >> 3] |= 1 << (low & 7)
            low += 1
        whole = (high - low) // 8
        if whole > 0:
            bits[low >> 3 : (low >> 3) + whole] = b"\xff" * whole
            low += whole * 8
        while low < high:
            bits[low >> 3] |= 1 << (low & 7)
            low += 1

    def __bytes__(self) -> bytes:
        return bytes(self._bits)

    def __contains__(self, rid: int) -> bool:
        return rid < len(self._bits) * 8 and bool(self._bits[rid >> 3] & 1 << (rid & 7))


class Tracking(Core):
    """The verbs of generations."""

    async def open_generation(self, environment_id: EnvironmentId, fence: Fence, stream: StreamKey) -> None:
        """Start tracking what is seen. Safe to repeat.

        An attempt that goes on from a checkpoint goes on with the seen set too; one that starts over starts it over.
        """
        await self._ensure_stream(environment_id, stream)
        async with self._database.transaction() as conn:
            await self._hold(conn, environment_id, fence)
            found = await self._locked(conn, environment_id, stream)
            generation = await _store.find_generation(conn, environment_id, found.key, fence.owner)
            if generation is not None and generation.stream_id == found.stream_id:
                if (generation.run_id, generation.attempt) == (fence.run_id, fence.attempt) and not generation.closing:
                    return
                body, _ = await _store.read_checkpoint(conn, environment_id, fence.owner)
                if body is not None:
                    await _store.resume_generation(conn, environment_id, found.key, fence)
                    return
            await _store.open_generation(conn, environment_id, found, fence)

    async def close_generation(
        self,
        environment_id: EnvironmentId,
        fence: Fence,
        stream: StreamKey,
        *,
        allow_empty: bool = False,
        rows: int = SWEEP,
    ) -> Closed:
        """Delete what was not seen; call only after the run has seen everything. Repeating goes on where it stopped.

        A run that saw nothing at all deletes nothing (`refused_empty`) unless `allow_empty`.
        """
        async with self._database.transaction() as conn:
            await self._hold(conn, environment_id, fence)
            found = await _store.find_stream(conn, environment_id, place_of(stream), lock=True)
            generation = found and await _store.find_generation(conn, environment_id, found.key, fence.owner)
            if found is None or generation is None:
                return Closed()
            first_chunk = generation.first_chunk
            saw = await _store.saw_anything(conn, environment_id, found.key, first_chunk, fence.owner)
            emptied = generation.stream_id != found.stream_id
            if emptied or not (saw or allow_empty):
                await _store.drop_generation(conn, environment_id, found.key, fence.owner)
                return Closed(refused_empty=not emptied)
            await _store.mark_closing(conn, environment_id, found.key, fence.owner)
        seen = SeenSet(first_chunk - 1)
        async with self._database.connection() as conn:
            await self._gather(conn, environment_id, found.key, seen)
        while True:
            closed = await self._sweep(environment_id, fence, stream, seen, rows)
            if closed is not None:
                return closed

    async def abandon_generation(self, environment_id: EnvironmentId, fence: Fence, stream: StreamKey) -> None:
        """End tracking without deleting anything. Safe to repeat."""
        async with self._database.transaction() as conn:
            await self._hold(conn, environment_id, fence)
            found = await _store.find_stream(conn, environment_id, place_of(stream), lock=True)
            if found is not None:
                await _store.drop_generation(conn, environment_id, found.key, fence.owner)

    async def _locked(self, conn: Conn, environment_id: EnvironmentId, stream: StreamKey) -> Stream:
        found = await _store.find_stream(conn, environment_id, place_of(stream), lock=True)
        if found is None:
            raise ConnectionErasedError
        return found

    async def _gather(self, conn: Conn, environment_id: EnvironmentId, stream_key: int, seen: SeenSet) -> None:
        """Bring the bitmap up to the chunks that are visible."""
        while rows := await _store.seen_ranges(conn, environment_id, stream_key, seen.last_chunk, _RANGES):
            for index, (chunk, low, high) in enumerate(rows):
                seen.add(low, high)
                seen.last_chunk = max(seen.last_chunk, chunk)
                if index % 5000 == 4999:
                    await asyncio.sleep(0)

    async def _sweep(
        self, environment_id: EnvironmentId, fence: Fence, stream: StreamKey, seen: SeenSet, rows: int
    ) -> Closed | None:
        """One chunk in its own transaction; the answer when it was the last."""
        async with self._database.transaction() as conn:
            await self._hold(conn, environment_id, fence)
            found = await _store.find_stream(conn, environment_id, place_of(stream), lock=True)
            generation = found and await _store.find_generation(conn, environment_id, found.key, fence.owner)
            if found is None or generation is None:
                return Closed()
            await self._gather(conn, environment_id, found.key, seen)
            swept, deleted = await _store.sweep_unseen(
                conn, environment_id, found.key, fence.owner, bytes(seen), writer_of(fence), rows
            )
            if deleted:
                await _store.add_totals(conn, environment_id, fence.run_id, stream.label, 0, 0, deleted)
            if swept == rows:
                return None
            await _store.drop_generation(conn, environment_id, found.key, fence.owner)
            return Closed(generation.deleted + deleted)
