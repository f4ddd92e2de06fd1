"""A deployed function's source; and the answer to who would delete one."""

import asyncio
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request

from dragoman_server.api.common import Json, environment_of
from dragoman_server.control import Functions, Integrations
from dragoman_server.control.model import FunctionType, FunctionVersion
from dragoman_server.kit.errors import DragomanError, NotFoundError, Reaction
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.scripts import Scripts
from dragoman_server.web.strict import StrictModel


class ManagedByDeployError(DragomanError):
    """A function goes by deploying its project without it."""

    code = "function_managed_by_deploy"
    default_status = 400
    reaction = Reaction.FIX

    def __init__(self, name: str) -> None:
        super().__init__(f"`{name}` belongs to a deployed project: remove it there and run `dragoman deploy`.")


class AnyType(StrictModel):
    type: Literal["sync", "action", "on-event"] | None = None


class OneType(StrictModel):
    type: Literal["sync", "action"]


def routes(*, integrations: Integrations, functions: Functions, scripts: Scripts) -> APIRouter:
    router = APIRouter(tags=["Integrations"])

    async def found_or_404(
        environment_id: EnvironmentId, unique_key: str, name: str, kind: FunctionType | None
    ) -> FunctionVersion:
        if await integrations.get(environment_id, unique_key) is None:
            raise NotFoundError(f"There is no integration `{unique_key[:255]}` in this environment.")
        found = await functions.find(environment_id, unique_key, name, kind)
        if found is None:
            raise NotFoundError(f"The integration `{unique_key}` has no function `{name[:100]}`.")
        return found

    @router.get("/integrations/{unique_key}/functions/{name}/code", summary="A deployed function's source")
    async def code(request: Request, unique_key: str, name: str, query: Annotated[AnyType, Query()]) -> Json:
        environment_id = environment_of(request)
        found = await found_or_404(environment_id, unique_key, name, query.type)
        async with scripts.pinned(environment_id, found.deployment_id) as folder:
            source = await asyncio.to_thread(read_module, folder, str(found.manifest.get("module") or ""))
        if source is None:
            raise NotFoundError(f"The deployment of `{name}` does not hold its source.")
        return Json({"type": found.type, "code": source})

    @router.delete("/integrations/{unique_key}/functions/{name}", summary="Refused: deploy the project without it")
    async def delete(request: Request, unique_key: str, name: str, query: Annotated[OneType, Query()]) -> Json:
        await found_or_404(environment_of(request), unique_key, name, query.type)
        raise ManagedByDeployError(name)

    return router


def read_module(folder: Path, module: str) -> str | None:
    """The text of a module of a bundle. The name is the author's own word: it must stay inside the bundle."""
    parts = module.split(".")
    if not all(part.isidentifier() for part in parts):
        return None
    root = folder.resolve()
    for path in (folder.joinpath(*parts).with_suffix(".py"), folder.joinpath(*parts, "__init__.py")):
        if path.is_file() and path.resolve().is_relative_to(root):
            return path.read_text("utf-8", "replace")
    return None
