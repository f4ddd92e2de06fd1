"""/logs: what the platform did for a customer, and every line said on the way."""

import uuid
from typing import Any

from fastapi import APIRouter, Request

from dragoman_server.api.common import Json, environment_of
from dragoman_server.api.listing_query import ListingQuery
from dragoman_server.api.query_openapi import MESSAGES, OPERATIONS
from dragoman_server.api.shapes import wire_time
from dragoman_server.kit.ids import OperationId
from dragoman_server.logs import Level, Logs, Message, OperationFilter, OperationView, State
from dragoman_server.logs.errors import UnknownOperationError
from dragoman_server.web.strict import refuse

_FILTERS = (
    "search", "states", "types", "levels", "integrations", "connections", "syncs", "from", "to", "limit", "cursor",
)  # fmt: skip


def operation_shape(view: OperationView) -> dict[str, Any]:
    """An operation on the wire; `type` and `action` are the two halves of its kind."""
    kind, _, action = view.kind.partition(":")
    took = None if view.finished_at is None else round((view.finished_at - view.at).total_seconds() * 1000)
    return {
        "id": str(view.id),
        "operation": {"type": kind, "action": action},
        "state": view.state.value,
        "level": view.level.value,
        "created_at": wire_time(view.at),
        "ended_at": wire_time(view.finished_at),
        "duration_ms": took,
        "provider_config_key": view.integration,
        "connection_id": view.connection,
        "sync_name": view.sync,
        "function_name": view.function,
        "meta": dict(view.meta),
        "error": None if view.error is None else dict(view.error),
    }


def message_shape(message: Message) -> dict[str, Any]:
    """A line on the wire."""
    return {
        "id": message.id,
        "type": message.type,
        "level": message.level.value,
        "source": message.source,
        "created_at": wire_time(message.at),
        "message": message.message,
        "meta": dict(message.body),
    }


def routes(*, logs: Logs) -> APIRouter:
    router = APIRouter(tags=["Logs"])

    @router.get("/logs/operations", summary="Search operations, newest first", openapi_extra=OPERATIONS)
    async def operations(request: Request) -> Json:
        query = ListingQuery(request, _FILTERS)
        wanted = OperationFilter(
            text=query.one("search"),
            states=query.choices("states", State),
            kinds=query.many("types"),
            levels=query.choices("levels", Level),
            integrations=query.many("integrations"),
            connections=query.many("connections", commas=False),
            syncs=query.many("syncs"),
            since=query.time("from"),
            until=query.time("to"),
        )
        limit = query.number("limit", 50, lowest=1, highest=500)
        page = await logs.search_operations(environment_of(request), wanted, cursor=query.cursor(), limit=limit)
        return Json({"data": [operation_shape(v) for v in page.items], "pagination": {"cursor": page.cursor}})

    @router.get("/logs/operations/{operation_id}", summary="One operation")
    async def operation(request: Request, operation_id: str) -> Json:
        ListingQuery(request, ())
        return Json({"data": operation_shape(await logs.operation(environment_of(request), _id(operation_id)))})

    @router.get("/logs/operations/{operation_id}/messages", summary="An operation's messages", openapi_extra=MESSAGES)
    async def messages(request: Request, operation_id: str) -> Json:
        """Newest first; `order=asc` reads forward, and its cursor follows a running operation."""
        query = ListingQuery(request, ("search", "levels", "limit", "cursor", "order"))
        order = query.one("order") or "desc"
        if order not in {"asc", "desc"}:
            raise refuse("query", "invalid_type", "expected asc or desc", "order")
        environment_id = environment_of(request)
        view = await logs.operation(environment_id, _id(operation_id))
        page = await logs.messages(
            environment_id,
            view.id,
            text=query.one("search"),
            levels=query.choices("levels", Level),
            cursor=query.cursor(),
            limit=query.number("limit", 100, lowest=1, highest=500),
            newer=order == "asc",
        )
        return Json({"data": [message_shape(m) for m in page.items], "pagination": {"cursor": page.cursor}})

    return router


def _id(text: str) -> OperationId:
    try:
        return OperationId(uuid.UUID(text))
    except ValueError:
        raise UnknownOperationError from None
