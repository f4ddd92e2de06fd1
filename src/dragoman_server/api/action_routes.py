"""POST /action/trigger, GET /action/{id}."""

from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Header, Request
from pydantic import Field

from dragoman_server.api.common import (
    FUNCTION_NAME,
    ConnectionHeader,
    IntegrationHeader,
    Json,
    environment_of,
    query_truth,
)
from dragoman_server.flows.actions import Actions
from dragoman_server.web.strict import StrictModel, refuse


class Trigger(StrictModel):
    """`input` is whatever the action takes; leaving it out is not the same as null."""

    action_name: str = Field(min_length=1, max_length=255, pattern=FUNCTION_NAME)
    input: Any = None


def routes(actions: Actions) -> APIRouter:
    router = APIRouter(tags=["Actions"])

    @router.post("/action/trigger", summary="Run an action")
    async def trigger(
        request: Request,
        body: Trigger,
        connection_id: ConnectionHeader,
        integration_key: IntegrationHeader,
        x_async: Annotated[str, Header(alias="X-Async")] = "false",
        x_max_retries: Annotated[int, Header(alias="X-Max-Retries", ge=0, le=5)] = 0,
    ) -> Json:
        try:
            queued = query_truth(x_async)
        except ValueError as error:
            raise refuse("header", "invalid_type", str(error), "x-async") from None
        environment_id = environment_of(request)
        given = msgspec.json.encode(body.input) if "input" in body.model_fields_set else None
        if queued:
            action_id = await actions.trigger_async(
                environment_id, integration_key, connection_id, body.action_name, given, max_retries=x_max_retries
            )
            return Json({"id": str(action_id), "statusUrl": f"/action/{action_id}"}, 202)
        output = await actions.trigger(environment_id, integration_key, connection_id, body.action_name, given)
        return Json(output if output is not None else b"null")

    @router.get("/action/{action_id}", summary="The output of an asynchronous action")
    async def result(request: Request, action_id: UUID) -> Json:
        output = await actions.result(environment_of(request), action_id)
        return Json(output if output is not None else b"null")

    return router
