"""/sync: trigger, start, pause, status, frequency, variants; PATCH /records/prune."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path, Query, Request
from pydantic import Field, model_validator

from dragoman_server.api.common import (
    FUNCTION_NAME,
    INTEGRATION_KEY,
    ConnectionHeader,
    IntegrationHeader,
    Json,
    OptionalConnectionHeader,
    OptionalIntegrationHeader,
    environment_of,
)
from dragoman_server.api.shapes import wire_time
from dragoman_server.control import Connections, Integrations
from dragoman_server.control.errors import UnknownConnectionError, UnknownSyncError
from dragoman_server.flows.lookup import connection_or_refuse
from dragoman_server.flows.syncs import Steered, SyncControl, SyncName, SyncState
from dragoman_server.kit.errors import InvalidInputError, Issue, NotFoundError
from dragoman_server.orchestrator.states import TaskState
from dragoman_server.records import Records
from dragoman_server.web.strict import StrictModel, refuse

Key = Annotated[str, Field(min_length=1, max_length=255, pattern=INTEGRATION_KEY)]
Name = Annotated[str, Field(min_length=1, max_length=255, pattern=FUNCTION_NAME)]
PathName = Annotated[str, Path(min_length=1, max_length=255, pattern=FUNCTION_NAME)]
Labelled = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[a-zA-Z0-9_-]+(::[a-zA-Z0-9_-]+)?$")]
_LABEL = re.compile(r"^[a-zA-Z0-9_-]{1,255}(::[a-zA-Z0-9_-]{1,255})?$")


class NamedSync(StrictModel):
    name: Name
    variant: Name = "base"


class Steer(StrictModel):
    provider_config_key: Key | None = None
    connection_id: str | None = Field(None, min_length=1, max_length=255)
    syncs: list[Labelled | NamedSync] = Field(max_length=256)

    def names(self) -> list[SyncName]:
        return [_name(s) if isinstance(s, str) else SyncName(s.name, s.variant) for s in self.syncs]


class Options(StrictModel):
    reset: bool = False
    emptyCache: bool = False  # noqa: N815 (the wire's spelling)


class Trigger(Steer):
    """`sync_mode` and `full_resync` are the older spellings of `opts`."""

    opts: Options | None = None
    sync_mode: str | None = Field(None, pattern=r"^(incremental|full_refresh|full_refresh_and_clear_cache)$")
    full_resync: bool | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "Trigger":
        if self.opts is not None and (self.sync_mode is not None or self.full_resync is not None):
            raise ValueError("send `opts`, or the older `sync_mode` or `full_resync`, not both")
        return self

    @property
    def reset(self) -> bool:
        if self.opts is not None:
            return self.opts.reset
        return bool(self.full_resync) or self.sync_mode in {"full_refresh", "full_refresh_and_clear_cache"}

    @property
    def empty_cache(self) -> bool:
        if self.opts is not None:
            return self.opts.emptyCache and self.opts.reset
        return self.sync_mode == "full_refresh_and_clear_cache"


class Frequency(StrictModel):
    provider_config_key: Key
    connection_id: str = Field(min_length=1, max_length=255)
    sync_name: Name
    sync_variant: Name = "base"
    frequency: str | None = Field(max_length=100)


class Variant(StrictModel):
    provider_config_key: Key
    connection_id: str = Field(min_length=1, max_length=255)


class StatusQuery(StrictModel):
    provider_config_key: Key
    syncs: str = Field(min_length=1, max_length=100_000)
    connection_id: str | None = Field(None, min_length=1, max_length=255)


class Prune(StrictModel):
    model: str = Field(min_length=1, max_length=255, pattern=r"^[A-Z][a-zA-Z0-9_-]+$")
    variant: Name = "base"
    until_cursor: str = Field(min_length=1, max_length=1000)
    limit: int = Field(1000, ge=1, le=10_000)


def routes(
    *, control: SyncControl, records: Records, integrations: Integrations, connections: Connections
) -> APIRouter:
    router = APIRouter(tags=["Syncs"])

    @router.post("/sync/trigger", summary="Run syncs now")
    async def trigger(
        request: Request,
        body: Trigger,
        connection_header: OptionalConnectionHeader = None,
        integration_header: OptionalIntegrationHeader = None,
    ) -> Json:
        steered = await control.trigger(
            environment_of(request),
            _integration(body, integration_header),
            body.connection_id or connection_header,
            body.names(),
            reset=body.reset,
            empty_cache=body.empty_cache,
        )
        return _steered(steered)

    @router.post("/sync/start", summary="Resume schedules and run now")
    async def start(
        request: Request,
        body: Steer,
        connection_header: OptionalConnectionHeader = None,
        integration_header: OptionalIntegrationHeader = None,
    ) -> Json:
        key = _integration(body, integration_header)
        where = body.connection_id or connection_header
        return _steered(await control.start(environment_of(request), key, where, body.names()))

    @router.post("/sync/pause", summary="No new runs; one in progress finishes")
    async def pause(
        request: Request,
        body: Steer,
        connection_header: OptionalConnectionHeader = None,
        integration_header: OptionalIntegrationHeader = None,
    ) -> Json:
        key = _integration(body, integration_header)
        where = body.connection_id or connection_header
        return _steered(await control.pause(environment_of(request), key, where, body.names()))

    @router.get("/sync/status", summary="What syncs are doing")
    async def status(request: Request, query: Annotated[StatusQuery, Query()]) -> Json:
        names: Sequence[SyncName] | None = None
        if query.syncs != "*":
            wanted = [s.strip() for s in query.syncs.split(",") if s.strip()]
            if not wanted or not all(_LABEL.match(w) for w in wanted):
                raise refuse("query", "invalid_format", "expected `*` or names, comma-separated", "syncs")
            names = [_name(w) for w in wanted]
        try:
            found = await control.status(environment_of(request), query.provider_config_key, query.connection_id, names)
        except UnknownConnectionError as error:
            raise refuse("body", "custom", error.message, "connection_id") from None
        return Json({"syncs": [_status(s) for s in found]})

    @router.put("/sync/update-connection-frequency", summary="Override a sync's frequency for one connection")
    async def frequency(request: Request, body: Frequency) -> Json:
        effective = await control.set_frequency(
            environment_of(request),
            body.provider_config_key,
            body.connection_id,
            body.sync_name,
            body.sync_variant,
            body.frequency,
        )
        return Json({"frequency": effective})

    @router.post("/sync/{name}/variant/{variant}", summary="A second copy of a sync, with records of its own")
    async def create_variant(request: Request, name: PathName, variant: PathName, body: Variant) -> Json:
        made = await control.create_variant(
            environment_of(request), body.provider_config_key, body.connection_id, name, variant
        )
        return Json({"id": str(made.id), "name": made.function_name, "variant": made.variant})

    @router.delete("/sync/{name}/variant/{variant}", summary="End a variant and erase its records")
    async def delete_variant(request: Request, name: PathName, variant: PathName, body: Variant) -> Json:
        try:
            await control.delete_variant(
                environment_of(request), body.provider_config_key, body.connection_id, name, variant
            )
        except UnknownSyncError as error:
            raise NotFoundError(error.message) from None
        return Json({"success": True})

    @router.patch("/records/prune", summary="Empty the payloads of records up to a cursor", tags=["Records"])
    async def prune(
        request: Request, body: Prune, connection_id: ConnectionHeader, integration_key: IntegrationHeader
    ) -> Json:
        environment_id = environment_of(request)
        connection = await connection_or_refuse(
            integrations, connections, environment_id, integration_key, connection_id
        )
        done = await records.prune(
            environment_id,
            connection.id,
            body.model,
            body.variant,
            until_cursor=body.until_cursor,
            limit=body.limit,
        )
        return Json({"count": done.count, "has_more": done.has_more})

    return router


def _name(label: str) -> SyncName:
    name, _, variant = label.partition("::")
    return SyncName(name, variant or "base")


def _integration(body: Steer, header: str | None) -> str:
    key = body.provider_config_key or header
    if not key:
        message = "Name the integration as `provider_config_key` or in the header Provider-Config-Key."
        raise InvalidInputError(
            message,
            public_code="missing_provider_config_key",
            issues=[Issue("invalid_type", "Required", ("provider_config_key",))],
        )
    return key


def _steered(steered: Sequence[Steered]) -> Json:
    results = [
        {
            "sync": s.sync.function_name,
            "variant": s.sync.variant,
            "connection_id": s.sync.connection_id,
            "outcome": s.outcome,
        }
        for s in steered
    ]
    return Json({"success": True, "results": results})


def _status(state: SyncState) -> dict[str, Any]:
    sync, run, schedule = state.sync, state.run, state.schedule
    running = schedule is not None and schedule.running_task_id is not None
    shape: dict[str, Any] = {
        "id": str(sync.id),
        "connection_id": sync.connection_id,
        "name": sync.function_name,
        "variant": sync.variant,
        "type": "INITIAL" if run is None or (run.state == "running" and run.checkpoint_from is None) else "INCREMENTAL",
        "status": _word(state, running=running),
        "nextScheduledSyncAt": wire_time(schedule.next_run_at) if schedule else None,
        "frequency": sync.frequency,
        "latestExecutionStatus": None if run is None else _execution(run.state),
        "recordCount": dict(state.counts),
        "checkpoint": None if state.checkpoint is None else msgspec.json.decode(state.checkpoint),
    }
    if run is not None:
        shape["finishedAt"] = wire_time(run.finished_at)
        shape["latestResult"] = dict(run.result) or None
    return shape


def _word(state: SyncState, *, running: bool) -> str:
    """A paused schedule wins over the last run; a run under way over a finished one."""
    if running:
        return "RUNNING"
    if state.sync.paused:
        return "PAUSED"
    if state.run is None:
        last = state.schedule.last_state if state.schedule else None
        return "ERROR" if last in {TaskState.FAILED, TaskState.EXPIRED} else "STOPPED"
    return {"success": "SUCCESS", "failed": "ERROR", "running": "RUNNING"}.get(state.run.state, "STOPPED")


def _execution(state: str) -> str:
    return {"success": "SUCCESS", "failed": "ERROR", "running": "RUNNING"}.get(state, "STOPPED")
