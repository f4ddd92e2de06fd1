"""Background work of the work process: each loop one turn at a time."""

from datetime import timedelta

from dragoman_server.kit.loops import Loop
from dragoman_server.records.service import Records

PURGE_SECONDS = 5.0
TIDY_SECONDS = 600.0
PRUNE_SECONDS = 60.0
DELETE_SECONDS = 3600.0


class Purger:
    """Deletes emptied and erased contents, a chunk a turn."""

    def __init__(self, records: Records) -> None:
        self._records = records

    async def once(self) -> float | None:
        return 0.0 if await self._records.purge_once() else None


class AutoPruner:
    """Empties payloads that did not change for `unchanged_for`, a window of streams a turn."""

    def __init__(self, records: Records, unchanged_for: timedelta) -> None:
        self._records = records
        self._unchanged_for = unchanged_for
        self._after = 0

    async def once(self) -> float | None:
        self._after = await self._records.auto_prune_once(self._after, unchanged_for=self._unchanged_for)
        return 0.1 if self._after else None


class AutoDeleter:
    """Empties streams that nobody saved to for `idle_for`."""

    def __init__(self, records: Records, idle_for: timedelta) -> None:
        self._records = records
        self._idle_for = idle_for

    async def once(self) -> float | None:
        return 0.0 if await self._records.auto_delete_once(idle_for=self._idle_for) else None


def make_loops(
    records: Records, *, prune_after: timedelta | None = None, delete_after: timedelta | None = None
) -> list[Loop]:
    """The part's loops; pruning and deleting of old records only where a time is given."""

    async def tidy() -> float | None:
        await records.tidy_once()
        return None

    loops = [
        Loop("records_purge", Purger(records).once, PURGE_SECONDS),
        Loop("records_tidy", tidy, TIDY_SECONDS),
    ]
    if prune_after is not None:
        loops.append(Loop("records_prune", AutoPruner(records, prune_after).once, PRUNE_SECONDS))
    if delete_after is not None:
        loops.append(Loop("records_delete", AutoDeleter(records, delete_after).once, DELETE_SECONDS))
    return loops
