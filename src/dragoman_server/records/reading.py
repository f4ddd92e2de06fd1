"""Reading the feed, records by id, and counts."""

import asyncio
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from dragoman_server.db import Row
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, RunId
from dragoman_server.records import _store
from dragoman_server.records.core import SLICE, SLICE_BYTES, Core, Opener, record_key
from dragoman_server.records.cursors import cursor_maker, decode_cursor, encode_cursor
from dragoman_server.records.errors import InvalidCursorError
from dragoman_server.records.model import (
    BASE_VARIANT,
    Action,
    Page,
    Stream,
    StreamKey,
    StreamSize,
    Totals,
    label_of,
)
from dragoman_server.records.pages import EMPTY_PAGE, PageWriter, micros
from dragoman_server.vault import UnknownDataKeyError

MAX_PAGE = 10_000
MAX_PAGE_BYTES = 10 * 1024 * 1024
"""Payload bytes after which a page ends early (with `next_cursor`)."""
FILTER_BUDGET = 20_000
"""Rows a filtered page looks at before it ends early (with `next_cursor`)."""
EMPTY = Page(EMPTY_PAGE, 0, None)


class Reading(Core):
    """The verbs that only read."""

    async def resolve(
        self, environment_id: EnvironmentId, connection_row_id: int, model: str, variant: str = BASE_VARIANT
    ) -> Stream | None:
        """Return the stream, or None when nothing was ever saved there."""
        async with self._database.connection() as conn:
            return await _store.find_stream(conn, environment_id, (connection_row_id, model, variant))

    async def page(
        self,
        environment_id: EnvironmentId,
        connection_row_id: int,
        model: str,
        variant: str = BASE_VARIANT,
        *,
        cursor: str | None = None,
        limit: int = 100,
        filter: Collection[Action] | None = None,  # noqa: A002  (the wire's word)
        modified_after: datetime | None = None,
        ids: Sequence[str] | None = None,
        max_bytes: int = MAX_PAGE_BYTES,
        budget: int = FILTER_BUDGET,
    ) -> Page:
        """Return the records after `cursor` in the order of their last change, as ready JSON.

        A page may be shorter than `limit` (even empty) while `next_cursor` is set; None means caught up. Nothing
        saved is an empty page. Raises `InvalidCursorError` for a cursor that is not of this stream.
        """
        place = (connection_row_id, model, variant)
        hash_key = await self._vault.hash_key(environment_id)
        wanted_key, after = (None, 0) if cursor is None else decode_cursor(hash_key, cursor)
        actions = sorted(set(filter)) if filter else None
        since = None if modified_after is None else micros(modified_after)
        if actions is not None and len(actions) == len(Action):
            actions = None
        async with self._database.connection() as conn:
            if ids is None:
                rows = await _store.page(
                    conn,
                    environment_id,
                    place,
                    after=after,
                    limit=limit,
                    actions=actions,
                    modified_after=since,
                    max_bytes=max_bytes,
                    budget=max(budget, limit + 1),
                )
            else:
                rows = await _store.by_ids(conn, environment_id, place, ids)
        if wanted_key is not None and (not rows or rows[0]["seq"] != wanted_key):
            raise InvalidCursorError
        if len(rows) < 2:
            return EMPTY
        if ids is not None:
            rows = [rows[0], *_select(rows[1:], after, actions, since, limit, max_bytes)]
        return await self._build(environment_id, hash_key, rows, unfiltered=ids is None and actions is None)

    async def by_ids(
        self,
        environment_id: EnvironmentId,
        connection_row_id: int,
        model: str,
        ids: Sequence[str],
        variant: str = BASE_VARIANT,
    ) -> dict[str, bytes]:
        """Return the JSON objects of the live, unpruned records among `ids`, by id."""
        async with self._database.connection() as conn:
            rows = await _store.by_ids(conn, environment_id, (connection_row_id, model, variant), ids)
        if not rows:
            return {}
        live = [(r["external_id"], r["payload"]) for r in rows[1:] if r["payload"] and r["action"] != Action.DELETED]
        uuid = UUID(bytes=rows[0]["payload"])
        opened = await self._unseal(environment_id, uuid, rows[0]["seq"], live)
        return {external_id: raw for (external_id, _), raw in zip(live, opened, strict=True)}

    async def position(self, environment_id: EnvironmentId, stream: StreamKey) -> str:
        """Return a cursor for where the stream stands now (the merging strategy's)."""
        found = await self._ensure_stream(environment_id, stream)
        return encode_cursor(await self._vault.hash_key(environment_id), found.key, found.last_seq)

    async def counts(
        self, environment_id: EnvironmentId, connection_row_ids: Sequence[ConnectionRowId]
    ) -> dict[ConnectionRowId, dict[str, int]]:
        """Return the live records of each connection by model (`Model`, or `Model::variant`)."""
        result: dict[ConnectionRowId, dict[str, int]] = {row_id: {} for row_id in connection_row_ids}
        async with self._database.connection() as conn:
            for row_id, model, variant, live, _, _ in await _store.counts(conn, environment_id, connection_row_ids):
                result[row_id][label_of(model, variant)] = live
        return result

    async def sizes(self, environment_id: EnvironmentId, connection_row_id: ConnectionRowId) -> list[StreamSize]:
        """Return the models of a connection with their counts and sizes."""
        async with self._database.connection() as conn:
            rows = await _store.counts(conn, environment_id, [connection_row_id])
        return [StreamSize(*tuple(row)[1:]) for row in rows]

    async def run_totals(
        self, environment_id: EnvironmentId, run_ids: Sequence[RunId]
    ) -> dict[RunId, dict[str, Totals]]:
        """Return what each run changed so far, by model; a run that changed nothing has an empty map."""
        result: dict[RunId, dict[str, Totals]] = {run_id: {} for run_id in run_ids}
        async with self._database.connection() as conn:
            for run_id, model, added, updated, deleted in await _store.run_totals(conn, environment_id, run_ids):
                result[RunId(UUID(bytes=run_id.bytes))][model] = Totals(added, updated, deleted)
        return result

    async def _build(
        self, environment_id: EnvironmentId, hash_key: bytes, rows: Sequence[Row], *, unfiltered: bool
    ) -> Page:
        stream_key: int = rows[0]["seq"]
        opener = Opener(self._vault, environment_id, UUID(bytes=rows[0]["payload"]))
        sealer = await opener.sealer()
        writer = PageWriter(cursor_maker(hash_key, stream_key), record_key(stream_key, ""), sealer.open)
        at = 1
        while at < len(rows) and not writer.more:
            stop = _slice_end(rows, at)
            try:
                writer.add(rows[at:stop])
                at = stop
            except UnknownDataKeyError:
                if writer.opening != sealer.open:  # it was fresh already
                    raise
                writer.opening = (await opener.sealer(fresh=True)).open
                at = writer.count + 1
            await asyncio.sleep(0)
        if unfiltered and writer.count and writer.last_seq < rows[0]["first_seen"]:
            writer.more = True
        body, next_cursor = writer.finish()
        return Page(body, writer.count, next_cursor.decode() if next_cursor else None)


def _slice_end(rows: Sequence[Row], at: int) -> int:
    """Where to look at the event loop again: after 200 rows, or fewer large ones."""
    size = 0
    for index in range(at, min(at + SLICE, len(rows))):
        size += len(rows[index][6] or b"")
        if size > SLICE_BYTES:
            return index + 1
    return min(at + SLICE, len(rows))


def _select(
    rows: Sequence[Row],
    after: int,
    actions: Sequence[int] | None,
    modified_after: int | None,
    limit: int,
    max_bytes: int,
) -> list[Any]:
    """The page's rules for rows already read by id, ending with a mark when more would follow."""
    chosen: list[Any] = []
    size = 0
    for row in rows:
        if row["seq"] <= after or (actions is not None and row["action"] not in actions):
            continue
        if modified_after is not None and row["modified"] < modified_after:
            continue
        if len(chosen) == limit or size >= max_bytes:
            return [*chosen, (row["seq"], row["external_id"], 0, None, None, None, None)]
        chosen.append(row)
        size += len(row["payload"] or b"")
    return chosen
