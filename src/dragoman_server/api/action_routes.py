"""GET /action/{id}; POST /action/trigger is in `action_door.py`."""

from uuid import UUID

from fastapi import APIRouter, Request

from dragoman_server.api.common import Json, environment_of
from dragoman_server.flows.actions import Actions


def routes(actions: Actions) -> APIRouter:
    router = APIRouter(tags=["Actions"])

    @router.get("/action/{action_id}", summary="The output of an asynchronous action")
    async def result(request: Request, action_id: UUID) -> Json:
        output = await actions.result(environment_of(request), action_id)
        return Json(output if output is not None else b"null")

    return router
