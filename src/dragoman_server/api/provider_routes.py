"""The catalogue: GET /providers, /providers/{provider}, /providers.json."""

from typing import Annotated

from fastapi import APIRouter, Query

from dragoman_server.api.common import Json, data
from dragoman_server.kit.errors import NotFoundError
from dragoman_server.providers import Catalogue
from dragoman_server.web.strict import StrictModel


class Search(StrictModel):
    search: str | None = None


def routes(catalogue: Catalogue) -> APIRouter:
    router = APIRouter(tags=["Providers"])

    @router.get("/providers", summary="The catalogue")
    async def providers(query: Annotated[Search, Query()]) -> Json:
        return data([p.public() for p in catalogue.search(query.search)])

    @router.get("/providers.json", summary="The catalogue as one object, by name")
    async def everything() -> Json:
        return Json({p.name: p.raw for p in catalogue.all()})

    @router.get("/providers/{provider}/templates", summary="Ready-made functions for a provider: none yet")
    async def templates(provider: str) -> Json:
        if catalogue.get(provider) is None:
            raise NotFoundError(f"The catalogue has no provider `{provider[:100]}`.")
        return data([])

    @router.get("/providers/{provider}", summary="One provider")
    async def one(provider: str) -> Json:
        found = catalogue.get(provider)
        if found is None:
            raise NotFoundError(f"The catalogue has no provider `{provider[:100]}`.")
        return data(found.public())

    return router
