"""Connecting by an installation in the provider's own store."""

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request

from dragoman_server.api.common import Json
from dragoman_server.api.connect_input import Configured
from dragoman_server.api.query_openapi import CONNECTING
from dragoman_server.control.model import Connection

Begin = Callable[[Request, str, Configured | None], Awaitable[Connection]]


def add_routes(router: APIRouter, begin: Begin) -> None:
    """Add it to the router of the connect endpoints."""

    @router.post(
        "/auth/oauth-outbound/{unique_key}",
        summary="Wait for an installation the provider reports",
        description=(
            "Makes a pending connection at once. It is complete when the provider's webhook names the installation the "
            "session presets; else it is removed after 24 hours."
        ),
        openapi_extra=CONNECTING,
    )
    async def outbound(request: Request, unique_key: str, body: Configured | None = None) -> Json:
        made = await begin(request, unique_key, body)
        return Json({"connectionId": made.connection_id, "providerConfigKey": made.integration_key, "isPending": True})

    _ = outbound
