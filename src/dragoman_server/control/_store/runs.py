"""Runs."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

from dragoman_server.control.model import Run, RunEnd, RunStart
from dragoman_server.db import Conn, read_sql
from dragoman_server.db.database import encode_json
from dragoman_server.kit.ids import EnvironmentId, RunId, SyncId

_PACKAGE = "dragoman_server.control"
START_RUNS = read_sql(_PACKAGE, "start_runs")
FINISH_RUNS = read_sql(_PACKAGE, "finish_runs")
RUN = read_sql(_PACKAGE, "run")
LATEST_RUNS = read_sql(_PACKAGE, "latest_runs")
RUNS_OF_SYNC = read_sql(_PACKAGE, "runs_of_sync")
LAST_SUCCESS = read_sql(_PACKAGE, "last_success")
PURGE_RUNS = read_sql(_PACKAGE, "purge_runs")


def _json(value: Any) -> str | None:
    return None if value is None else encode_json(value)


async def start(conn: Conn, runs: Sequence[RunStart]) -> set[UUID]:
    """Return the ids of those that were started."""
    rows = await conn.fetch(
        START_RUNS,
        [run.id for run in runs],
        [run.environment_id for run in runs],
        [run.sync_id for run in runs],
        [run.connection_row_id for run in runs],
        [run.function_name for run in runs],
        [run.kind for run in runs],
        [run.attempt for run in runs],
        [_json(run.checkpoint_from) for run in runs],
        [run.operation_id for run in runs],
    )
    return {row["id"] for row in rows}


async def finish(conn: Conn, ends: Sequence[RunEnd]) -> set[UUID]:
    """Return the ids of those that were ended."""
    rows = await conn.fetch(
        FINISH_RUNS,
        [end.environment_id for end in ends],
        [end.id for end in ends],
        [end.attempt for end in ends],
        [end.state for end in ends],
        [encode_json(end.result) for end in ends],
        [_json(end.checkpoint_to) for end in ends],
        [_json(end.error) for end in ends],
    )
    return {row["id"] for row in rows}


async def run(conn: Conn, environment_id: EnvironmentId, run_id: RunId) -> Run | None:
    row = await conn.fetchrow(RUN, environment_id, run_id)
    return None if row is None else Run(*row)


async def latest(conn: Conn, environment_id: EnvironmentId, sync_ids: Sequence[SyncId]) -> dict[SyncId, Run]:
    found = [Run(*row) for row in await conn.fetch(LATEST_RUNS, environment_id, list(sync_ids))]
    return {run.sync_id: run for run in found if run.sync_id is not None}


async def of_sync(conn: Conn, environment_id: EnvironmentId, sync_id: SyncId, limit: int) -> list[Run]:
    return [Run(*row) for row in await conn.fetch(RUNS_OF_SYNC, environment_id, sync_id, limit)]


async def last_success(conn: Conn, environment_id: EnvironmentId, sync_id: SyncId) -> datetime | None:
    return cast("datetime | None", await conn.fetchval(LAST_SUCCESS, environment_id, sync_id))


async def purge(conn: Conn, age: timedelta, limit: int) -> int:
    return int((await conn.execute(PURGE_RUNS, age, limit)).rpartition(" ")[2])
