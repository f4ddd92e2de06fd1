"""Connecting with a code for another device (RFC 8628): the code to show, and how it stands."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request

from dragoman_server.api.common import Json, caller, data, refuse_unknown_query
from dragoman_server.api.connect_input import Leave
from dragoman_server.api.query_openapi import CONNECTING, SESSION
from dragoman_server.connect.device import Begun, Standing
from dragoman_server.connect.model import ConnectSession
from dragoman_server.kit.errors import NotFoundError

Begin = Callable[[Request, str, Leave | None], Awaitable[Begun]]
Look = Callable[[ConnectSession, UUID], Awaitable[Standing | None]]


def add_routes(router: APIRouter, begin: Begin, look: Look) -> None:
    """Add them to the router of the connect endpoints."""

    @router.post(
        "/oauth/device/{unique_key}",
        status_code=201,
        summary="Get a code to type in on another device",
        openapi_extra=CONNECTING,
    )
    async def start(request: Request, unique_key: str, body: Leave | None = None) -> Json:
        return data(_begun(await begin(request, unique_key, body)), 201)

    @router.get(
        "/oauth/device/{device_id}",
        summary="Whether the code was used, for the page that shows it",
        openapi_extra=SESSION,
    )
    async def standing(request: Request, device_id: UUID) -> Json:
        refuse_unknown_query(request, frozenset({"connect_session_token"}))
        session = caller(request).session
        assert isinstance(session, ConnectSession)  # the demand
        found = await look(session, device_id)
        if found is None:
            raise NotFoundError("This session began no such authorization.")
        return data(_standing(found))

    _ = (start, standing)


def _begun(begun: Begun) -> dict[str, Any]:
    code = begun.code
    return {
        "id": str(begun.id),
        "user_code": code.user_code,
        "verification_uri": code.verification_uri,
        "verification_uri_complete": code.verification_uri_complete,
        "expires_in": int(code.life.total_seconds()),
        "interval": code.interval,
    }


def _standing(found: Standing) -> dict[str, Any]:
    outcome = found.outcome
    if outcome is None:
        return {"status": "pending", "expires_in": found.seconds_left, "interval": found.interval}
    if not outcome.ok:
        error = {"code": outcome.error_type, "message": outcome.message}
        return {"status": "failed", "provider_config_key": outcome.integration, "error": error}
    return {
        "status": "connected",
        "provider_config_key": outcome.integration,
        "connection_id": outcome.connection_id,
    }
