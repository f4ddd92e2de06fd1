"""/webhook-deliveries: what we told the customer's server, how it answered, and telling it again."""

import uuid
from enum import StrEnum
from typing import Any

from fastapi import APIRouter, Request

from dragoman_server.api.common import Json, environment_of, refuse_unknown_query
from dragoman_server.api.listing_query import ListingQuery
from dragoman_server.api.query_openapi import DELIVERIES
from dragoman_server.api.shapes import wire_time
from dragoman_server.webhooks import Attempt, Delivery, DeliveryFilter, DeliveryId, Webhooks
from dragoman_server.webhooks.errors import UnknownDeliveryError

_FILTERS = ("states", "types", "connections", "integrations", "webhook_id", "limit", "cursor")


class DeliveryState(StrEnum):
    PENDING = "pending"
    SUCCESS = "success"
    FAILED = "failed"


class WebhookType(StrEnum):
    AUTH = "auth"
    SYNC = "sync"
    ASYNC_ACTION = "async_action"
    FORWARD = "forward"


def delivery_shape(delivery: Delivery) -> dict[str, Any]:
    """A delivery on the wire; `webhook_id` is the header the receiver saw."""
    return {
        "id": str(delivery.id),
        "webhook_id": delivery.message_id,
        "type": delivery.type,
        "state": delivery.state,
        "url": delivery.url,
        "provider_config_key": delivery.integration,
        "connection_id": delivery.connection,
        "attempts": delivery.attempts,
        "last_status": delivery.last_status,
        "last_error": delivery.last_error,
        "destination_paused": delivery.paused,
        "redelivery_of": None if delivery.redelivery_of is None else str(delivery.redelivery_of),
        "created_at": wire_time(delivery.created_at),
        "ended_at": wire_time(delivery.finished_at),
        "next_attempt_at": wire_time(delivery.next_attempt_at),
    }


def attempt_shape(attempt: Attempt) -> dict[str, Any]:
    """One try on the wire."""
    return {
        "number": attempt.number,
        "at": wire_time(attempt.at),
        "status": attempt.status,
        "duration_ms": attempt.duration_ms,
        "error": attempt.error,
        "response_excerpt": attempt.excerpt,
    }


def routes(*, webhooks: Webhooks) -> APIRouter:
    router = APIRouter(tags=["Webhook deliveries"])

    @router.get("/webhook-deliveries", summary="List webhook deliveries, newest first", openapi_extra=DELIVERIES)
    async def deliveries(request: Request) -> Json:
        query = ListingQuery(request, _FILTERS)
        wanted = DeliveryFilter(
            states=query.choices("states", DeliveryState),
            types=query.choices("types", WebhookType),
            connections=query.many("connections", commas=False),
            integrations=query.many("integrations"),
            message_id=query.one("webhook_id"),
        )
        limit = query.number("limit", 50, lowest=1, highest=100)
        page = await webhooks.list(environment_of(request), wanted, cursor=query.cursor(), limit=limit)
        return Json({"data": [delivery_shape(d) for d in page.items], "pagination": {"cursor": page.cursor}})

    @router.get("/webhook-deliveries/{delivery_id}", summary="One delivery with its attempts and its body")
    async def delivery(request: Request, delivery_id: str) -> Json:
        refuse_unknown_query(request)
        found, attempts, body = await webhooks.get(environment_of(request), _id(delivery_id))
        return Json({"data": {**delivery_shape(found), "body": body, "history": [attempt_shape(a) for a in attempts]}})

    @router.post("/webhook-deliveries/{delivery_id}/redeliver", status_code=202, summary="Send it again")
    async def redeliver(request: Request, delivery_id: str) -> Json:
        refuse_unknown_query(request)
        made = await webhooks.redeliver(environment_of(request), _id(delivery_id))
        return Json({"data": {"id": str(made)}}, 202)

    return router


def _id(text: str) -> DeliveryId:
    try:
        return DeliveryId(uuid.UUID(text))
    except ValueError:
        raise UnknownDeliveryError from None
