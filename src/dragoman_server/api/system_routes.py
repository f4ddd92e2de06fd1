"""Health, readiness, metrics, the OpenAPI document."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dragoman_server.api.common import Json
from dragoman_server.kit.telemetry import REGISTRY

Ready = Callable[[], Awaitable[tuple[bool, dict[str, Any]]]]


def routes(*, ready: Ready, openapi: Callable[[], dict[str, Any]]) -> APIRouter:
    router = APIRouter(tags=["System"])

    @router.get("/", summary="What this is")
    async def root() -> Json:
        return Json({"name": "Dragoman", "openapi": "/openapi.json", "health": "/health", "ready": "/ready"})

    @router.get("/health", summary="The process answers")
    async def health() -> Json:
        return Json({"result": "ok"})

    @router.get("/ready", summary="The process can work: databases, sandbox")
    async def readiness() -> Json:
        fit, details = await ready()
        return Json({"ready": fit, **details}, 200 if fit else 503)

    @router.get("/metrics", summary="Prometheus metrics of this process")
    async def metrics() -> Response:
        return PlainTextResponse(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    @router.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:
        """Browsers ask for it beside every page; there is none."""
        return Response(status_code=204, headers={"Cache-Control": "public, max-age=86400"})

    @router.get("/openapi.json", summary="This API as OpenAPI 3.1")
    async def document() -> Json:
        return Json(openapi())

    return router
