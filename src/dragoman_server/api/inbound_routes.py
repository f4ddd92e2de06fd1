"""Where providers call us: the raw body goes on, the signature is who they are."""

from collections.abc import Awaitable, Callable, Mapping

from fastapi import APIRouter, Request, Response

from dragoman_server.api.common import Json
from dragoman_server.kit.clock import SystemClock
from dragoman_server.web.errors import RequestTooLargeError
from dragoman_server.web.limits import RateLimiter
from dragoman_server.webhooks.inbound import BODY_LIMIT, WebhookRateError

Inbound = Callable[[str, str, Mapping[str, str], bytes], Awaitable[Callable[[], Awaitable[bool]]]]
"""Verifies; what it returns does the rest."""
PER_MINUTE = 4000
BODY = {
    "requestBody": {
        "description": f"As the provider sends it, up to {BODY_LIMIT} bytes.",
        "content": {"application/json": {"schema": {"type": "object"}}},
    }
}


def routes(inbound: Inbound, *, per_minute: int = PER_MINUTE) -> APIRouter:
    router = APIRouter(tags=["Webhooks"])
    limiter = RateLimiter(per_minute=per_minute, clock=SystemClock())

    @router.post(
        "/webhook/{environment_uuid}/{unique_key}",
        summary="Where a provider reports what happened",
        description=(
            "Signed by the provider as its entry declares; 200 when the event is for one of our connections, 204 when "
            "nobody handles it. An unknown integration is answered as a wrong signature is."
        ),
        status_code=200,
        openapi_extra=BODY,
    )
    async def receive(request: Request, environment_uuid: str, unique_key: str) -> Response:
        body = await _bounded(request)
        verified = await inbound(environment_uuid, unique_key, _headers(request), body)
        rate = limiter.take(f"{environment_uuid}/{unique_key}")  # only what is its provider's: nobody else uses it up
        if rate.remaining < 0:
            raise WebhookRateError(limiter.retry_after(rate))
        wanted = await verified()
        return Json({"success": True}) if wanted else Response(status_code=204)

    _ = receive
    return router


async def _bounded(request: Request) -> bytes:
    """Return the body; stop reading one that is too large."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_LIMIT:
            raise RequestTooLargeError(BODY_LIMIT)
        parts.append(part)
    return b"".join(parts)


def _headers(request: Request) -> Mapping[str, str]:
    """By lower-case names; of a header that is sent twice nothing, as nobody can say which one was signed."""
    found: dict[str, str] = {}
    for name, value in request.headers.items():
        found[name] = "" if name in found else value
    return found
