"""Health, readiness, metrics, the OpenAPI document."""

import hmac
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from dragoman_server.api.common import Json
from dragoman_server.kit.errors import ForbiddenError
from dragoman_server.kit.telemetry import REGISTRY
from dragoman_server.web.authenticate import client_address

Ready = Callable[[], Awaitable[tuple[bool, dict[str, Any]]]]
_FORWARDED = frozenset({b"forwarded", b"via", b"x-forwarded-for", b"x-real-ip"})


def check_operator(request: Request, token: str | None) -> None:
    """Admit who knows the token or, where none is set, who calls from this machine itself; else raise 403.

    What a proxy on this machine hands on comes from elsewhere, whether we trust that proxy or not.
    """
    if token is not None:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {token}".encode()):
            raise ForbiddenError("Send `Authorization: Bearer <DRAGOMAN_METRICS_TOKEN>`.")
        return
    try:
        local = ip_address(client_address(request.scope)).is_loopback
    except ValueError:
        local = False
    if not local or any(name in _FORWARDED for name, _ in request.scope["headers"]):
        raise ForbiddenError("Metrics are for callers on this machine itself, or who send DRAGOMAN_METRICS_TOKEN.")


def routes(*, ready: Ready, openapi: Callable[[], dict[str, Any]], metrics_token: str | None = None) -> APIRouter:
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
    async def metrics(request: Request) -> Response:
        check_operator(request, metrics_token)
        return PlainTextResponse(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    @router.get("/favicon.ico", include_in_schema=False)
    async def icon() -> Response:
        """Browsers ask for it beside every page; there is none."""
        return Response(status_code=204, headers={"Cache-Control": "public, max-age=86400"})

    @router.get("/openapi.json", summary="This API as OpenAPI 3.1")
    async def document() -> Json:
        return Json(openapi())

    return router
