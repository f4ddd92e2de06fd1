"""Health, readiness, metrics, the OpenAPI document."""

import hmac
import re
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

_HOST = re.compile(r"(?:\[([0-9a-fA-F:]+)\]|([^\[\]:]+))(?::[0-9]+)?")
Ready = Callable[[], Awaitable[tuple[bool, dict[str, Any]]]]
_ELSEWHERE = frozenset(
    {b"forwarded", b"via", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-real-ip", b"origin"}
)
"""Headers of what a proxy hands on, and of what a page of another site asks a browser on this machine to fetch."""


def check_operator(request: Request, token: str | None) -> None:
    """Admit who knows the token or, where none is set, who calls from this machine itself; else raise 403.

    What a proxy on this machine hands on comes from elsewhere, whether we trust that proxy or not. So does what a page
    makes a browser on this machine fetch, also under a name of its own that it made lead here (DNS rebinding).
    """
    if token is not None:
        given = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {token}".encode()):
            raise ForbiddenError("Send `Authorization: Bearer <DRAGOMAN_METRICS_TOKEN>`.")
        return
    local = _is_local(client_address(request.scope)) and _is_local(_name(request.headers.get("host", "localhost")))
    by_page = request.headers.get("sec-fetch-site", "none") != "none"
    if not local or by_page or any(name in _ELSEWHERE for name, _ in request.scope["headers"]):
        raise ForbiddenError("Metrics are for callers on this machine itself, or who send DRAGOMAN_METRICS_TOKEN.")


def _name(host: str) -> str:
    found = _HOST.fullmatch(host)
    return "" if found is None else found[1] or found[2]


def _is_local(place: str) -> bool:
    try:
        return place.lower() == "localhost" or ip_address(place).is_loopback
    except ValueError:
        return False


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
