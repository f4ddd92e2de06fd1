"""Saving, updating and deleting records.

A save first compares hashes without a lock; where nothing differs it writes nothing. Else it takes the stream's lock
and compares again in a later statement (records.write), so that positions follow the order of commits.
"""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from uuid import UUID

import msgspec

from dragoman_server import outbox
from dragoman_server.db import Conn
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.records import _store
from dragoman_server.records.canonical import (
    Prepared,
    Preparer,
    check_checkpoint,
    check_external_id,
    last_of_each,
    merge_raw,
)
from dragoman_server.records.core import PART, PART_BYTES, Breather, Core, place_of, writer_of
from dragoman_server.records.errors import CheckpointConflictError, ConnectionErasedError, StaleAttemptError
from dragoman_server.records.model import DeleteResult, Fence, Merging, SaveResult, StreamKey


def _parts(prepared: Sequence[Prepared]) -> Iterator[Sequence[Prepared]]:
    """Cut a batch into what one statement carries."""
    start = size = 0
    for index, item in enumerate(prepared):
        if index > start and (index - start == PART or size + len(item.raw) > PART_BYTES):
            yield prepared[start:index]
            start, size = index, 0
        size += len(item.raw)
    if start < len(prepared):
        yield prepared[start:]


class _RepeatedBatchError(Exception):
    """Another request of the same batch committed first; carries nothing, its answer is read anew."""


class Saving(Core):
    """The verbs that write records."""

    async def save(
        self,
        environment_id: EnvironmentId,
        fence: Fence | None,
        batch: int,
        stream: StreamKey,
        records: Sequence[tuple[str, bytes]],
        *,
        checkpoint: bytes | None = None,
        merging: Merging | None = None,
        facts: Sequence[outbox.Fact] = (),
    ) -> SaveResult:
        """Store (external id, JSON object) pairs; of one id the last counts. All or nothing, with checkpoint and facts.

        `fence` None: a writer that is no run. A repeated `batch` of the same attempt returns the first one's answer.
        Raises `StaleAttemptError`, `InvalidRecordError`, `InvalidCheckpointError`, `ConnectionErasedError`.
        """
        prepared = await self._prepare(environment_id, records)
        body = None if checkpoint is None else check_checkpoint(checkpoint)
        stored = await self._answer(environment_id, fence, batch)
        if stored is not None:
            return msgspec.json.decode(stored, type=SaveResult)
        not_after = await self._not_after(environment_id, stream, merging)
        work = _Save(environment_id, fence, batch, stream, not_after)
        parts = list(_parts(prepared))
        looked = await self._look(work, parts)
        quiet = all(not seen.changed and not seen.tracked for seen in looked)
        if quiet and body is None and not facts:
            await self._touch(environment_id, looked)
            return SaveResult(unchanged=len(prepared))
        sealed = [
            await self._seal_changed(environment_id, part, seen) for part, seen in zip(parts, looked, strict=True)
        ]
        try:
            async with self._database.transaction() as conn:
                await self._hold(conn, environment_id, fence)
                added, updated, ignored = await self._write(conn, work, parts, looked, sealed)
                version = await self._save_checkpoint(conn, environment_id, fence, body)
                unchanged = len(prepared) - added - updated - ignored
                result = SaveResult(added, updated, unchanged, ignored, version)
                await self._finish(conn, work, result, added, updated, 0, facts)
        except _RepeatedBatchError:
            stored = await self._answer(environment_id, fence, batch)
            if stored is None:
                raise StaleAttemptError from None
            return msgspec.json.decode(stored, type=SaveResult)
        return result

    async def update(
        self,
        environment_id: EnvironmentId,
        fence: Fence | None,
        batch: int,
        stream: StreamKey,
        records: Sequence[tuple[str, bytes]],
        *,
        merging: Merging | None = None,
    ) -> SaveResult:
        """Deep-merge partial objects into live records (arrays are replaced); ids not found come back as `missing`.

        The stream is locked from the reading to the commit, so no concurrent change is lost.
        """
        await self._prepare(environment_id, records)  # refuses what is not an object, before anything is locked
        stored = await self._answer(environment_id, fence, batch)
        if stored is not None:
            return msgspec.json.decode(stored, type=SaveResult)
        not_after = await self._not_after(environment_id, stream, merging)
        work = _Save(environment_id, fence, batch, stream, not_after)
        changes = [(external_id, raw) for _, external_id, raw in last_of_each(records)]
        try:
            async with self._database.transaction() as conn:
                await self._hold(conn, environment_id, fence)
                result = await self._update_locked(conn, work, changes)
                await self._finish(conn, work, result, result.added, result.updated, 0, ())
        except _RepeatedBatchError:
            stored = await self._answer(environment_id, fence, batch)
            if stored is None:
                raise StaleAttemptError from None
            return msgspec.json.decode(stored, type=SaveResult)
        return result

    async def delete(
        self,
        environment_id: EnvironmentId,
        fence: Fence | None,
        batch: int,
        stream: StreamKey,
        ids: Sequence[str],
        *,
        checkpoint: bytes | None = None,
        merging: Merging | None = None,
        facts: Sequence[outbox.Fact] = (),
    ) -> DeleteResult:
        """Mark records deleted, keeping their last payload; unknown and deleted ids are passed over."""
        for index, external_id in enumerate(ids):
            check_external_id(index, external_id)
        body = None if checkpoint is None else check_checkpoint(checkpoint)
        stored = await self._answer(environment_id, fence, batch)
        if stored is not None:
            return msgspec.json.decode(stored, type=DeleteResult)
        not_after = await self._not_after(environment_id, stream, merging)
        work = _Save(environment_id, fence, batch, stream, not_after)
        unique = list(dict.fromkeys(ids))
        try:
            async with self._database.transaction() as conn:
                await self._hold(conn, environment_id, fence)
                found = await _store.find_stream(conn, environment_id, place_of(stream))
                deleted = 0
                for start in range(0, len(unique) if found else 0, PART):
                    assert found is not None  # else the range is empty
                    deleted += await _store.delete(
                        conn,
                        environment_id,
                        found.key,
                        unique[start : start + PART],
                        writer=work.writer,
                        not_after=not_after,
                    )
                await self._save_checkpoint(conn, environment_id, fence, body)
                result = DeleteResult(deleted)
                await self._finish(conn, work, result, 0, 0, deleted, facts)
        except _RepeatedBatchError:
            stored = await self._answer(environment_id, fence, batch)
            if stored is None:
                raise StaleAttemptError from None
            return msgspec.json.decode(stored, type=DeleteResult)
        return result

    async def _prepare(
        self, environment_id: EnvironmentId, records: Sequence[tuple[str, bytes]], conn: Conn | None = None
    ) -> list[Prepared]:
        hash_key = await self._vault.hash_key(environment_id, conn=conn)
        preparer = Preparer(hash_key)
        prepared: list[Prepared] = []
        breather = Breather()
        for index, external_id, raw in last_of_each(records):
            prepared.append(preparer.prepare(index, external_id, raw))
            if breather.full(len(raw)):
                await asyncio.sleep(0)
        return prepared

    async def _answer(self, environment_id: EnvironmentId, fence: Fence | None, batch: int) -> str | None:
        """Raise `StaleAttemptError`, or return the batch's stored answer."""
        if fence is None:
            return None
        async with self._database.connection() as conn:
            current, answer = await _store.read_fence(conn, environment_id, fence, batch)
        if not current:
            raise StaleAttemptError
        return answer

    async def _look(self, work: "_Save", parts: Sequence[Sequence[Prepared]]) -> list[_store.Looked]:
        looked: list[_store.Looked] = []
        for part in parts:
            seen = await self._look_up(work, part)
            if seen is None:
                await self._open_stream(work.environment_id, work.stream)
                seen = await self._look_up(work, part)
            if seen is None:
                raise ConnectionErasedError
            looked.append(seen)
        return looked

    async def _look_up(self, work: "_Save", part: Sequence[Prepared], conn: Conn | None = None) -> _store.Looked | None:
        if conn is None:
            async with self._database.connection() as own:
                return await self._look_up(work, part, own)
        return await _store.look_up(
            conn, work.environment_id, work.stream, part, writer=work.writer, not_after=work.not_after
        )

    async def _seal_changed(
        self, environment_id: EnvironmentId, part: Sequence[Prepared], seen: _store.Looked, conn: Conn | None = None
    ) -> dict[int, bytes]:
        batch = [part[i] for i in seen.changed]
        sealed = await self._seal(environment_id, seen.connection_uuid, seen.stream_key, batch, conn=conn)
        return dict(zip(seen.changed, sealed, strict=True))

    async def _write(
        self,
        conn: Conn,
        work: "_Save",
        parts: Sequence[Sequence[Prepared]],
        looked: Sequence[_store.Looked],
        sealed: Sequence[dict[int, bytes]],
    ) -> tuple[int, int, int]:
        added = updated = ignored = 0
        own_seq: int | None = None  # where our own earlier parts left the stream, whose lock we hold
        for part, first, seals in zip(parts, looked, sealed, strict=True):
            seen = first if own_seq is None else replace(first, last_seq=own_seq)
            if not seen.changed and not seen.tracked:
                continue
            written = await self._write_part(conn, work, part, seen, seals)
            if written.outcome == "moved":
                again = await self._look_up(work, part, conn)  # records.write holds the lock now: this look stands
                if again is None:
                    raise ConnectionErasedError
                missing = replace(again, changed=tuple(i for i in again.changed if i not in seals))
                seals.update(await self._seal_changed(work.environment_id, part, missing, conn))
                written = await self._write_part(conn, work, part, again, seals)
            if written.outcome != "written":
                raise ConnectionErasedError
            own_seq = written.last_seq
            added += written.added
            updated += written.updated
            ignored += written.ignored
        return added, updated, ignored

    async def _write_part(
        self,
        conn: Conn,
        work: "_Save",
        part: Sequence[Prepared],
        seen: _store.Looked,
        seals: dict[int, bytes],
    ) -> _store.Written:
        return await _store.write(
            conn,
            work.environment_id,
            stream_key=seen.stream_key,
            stream_id=seen.stream_id,
            last_seq=seen.last_seq,
            batch=[part[i] for i in seen.changed],
            sealed=[seals[i] for i in seen.changed],
            writer=work.writer,
            not_after=work.not_after,
            owner=work.owner,
            seen=seen.rids,
        )

    async def _update_locked(self, conn: Conn, work: "_Save", changes: Sequence[tuple[str, bytes]]) -> SaveResult:
        environment_id = work.environment_id
        place = place_of(work.stream)
        found = await _store.find_stream(conn, environment_id, place, lock=True)
        if found is None:
            return SaveResult(missing=tuple(external_id for external_id, _ in changes))
        rows = await _store.by_ids(conn, environment_id, place, [external_id for external_id, _ in changes])
        live = [(row["external_id"], row["payload"]) for row in rows[1:] if row["action"] != 3 and row["payload"]]
        opened = await self._unseal(environment_id, found.connection_uuid, found.key, live, conn=conn)
        current = {external_id: raw for (external_id, _), raw in zip(live, opened, strict=True)}
        merged = [(i, merge_raw(current[i], raw)) for i, raw in changes if i in current]
        prepared = await self._prepare(environment_id, merged, conn)
        parts = list(_parts(prepared))
        looked: list[_store.Looked] = []
        for part in parts:
            seen = await self._look_up(work, part, conn)
            assert seen is not None  # its row is locked
            looked.append(seen)
        sealed = [
            await self._seal_changed(environment_id, part, seen, conn) for part, seen in zip(parts, looked, strict=True)
        ]
        added, updated, ignored = await self._write(conn, work, parts, looked, sealed)
        missing = tuple(external_id for external_id, _ in changes if external_id not in current)
        return SaveResult(added, updated, len(merged) - added - updated - ignored, ignored, missing=missing)

    async def _save_checkpoint(
        self, conn: Conn, environment_id: EnvironmentId, fence: Fence | None, body: str | None
    ) -> int | None:
        if body is None:
            return None
        if fence is None:
            raise CheckpointConflictError
        return await _store.save_checkpoint(conn, environment_id, fence.owner, body, None)

    async def _finish(
        self,
        conn: Conn,
        work: "_Save",
        result: SaveResult | DeleteResult,
        added: int,
        updated: int,
        deleted: int,
        facts: Sequence[outbox.Fact],
    ) -> None:
        """The rest of a batch's transaction: totals, facts, and the answer to a repeat."""
        fence = work.fence
        if fence is not None:
            if added or updated or deleted:
                await _store.add_totals(
                    conn, work.environment_id, fence.run_id, work.stream.label, added, updated, deleted
                )
            answer = msgspec.json.encode(result).decode()
            if not await _store.keep_answer(conn, work.environment_id, fence, work.batch, answer):
                raise _RepeatedBatchError
        await outbox.put(conn, facts)

    async def _touch(self, environment_id: EnvironmentId, looked: Sequence[_store.Looked]) -> None:
        """Note once a day that an unchanged stream is still being saved."""
        stale = {seen.stream_key for seen in looked if seen.stale}
        if stale:
            async with self._database.connection() as conn:
                for stream_key in stale:
                    await _store.touch_stream(conn, environment_id, stream_key)


class _Save:
    """What stays the same through one batch."""

    __slots__ = ("batch", "environment_id", "fence", "not_after", "owner", "stream", "writer")

    def __init__(
        self,
        environment_id: EnvironmentId,
        fence: Fence | None,
        batch: int,
        stream: StreamKey,
        not_after: int | None,
    ) -> None:
        self.environment_id = environment_id
        self.fence = fence
        self.batch = batch
        self.stream = stream
        self.not_after = not_after
        self.writer = writer_of(fence)
        self.owner: UUID | None = None if fence is None else fence.owner
