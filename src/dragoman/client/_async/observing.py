"""Logs and webhook deliveries."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Any, cast

from dragoman.client import _wire
from dragoman.client import types as t
from dragoman.client._async.part import AsyncPart


class AsyncLogs(AsyncPart):
    """What happened: operations and their messages."""

    async def page(
        self,
        *,
        search: str | None = None,
        states: Sequence[str] = (),
        types: Sequence[str] = (),
        levels: Sequence[str] = (),
        integrations: Sequence[str] = (),
        connections: Sequence[str] = (),
        syncs: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> t.LogPage:
        """One page of operations, newest first."""
        params: dict[str, Any] = {
            "search": search,
            "states": ",".join(states) or None,
            "types": ",".join(types) or None,
            "levels": ",".join(levels) or None,
            "integrations": ",".join(integrations) or None,
            "connections": list(connections) or None,
            "syncs": ",".join(syncs) or None,
            "from": since,
            "to": until,
            "limit": limit,
            "cursor": cursor,
        }
        return cast("t.LogPage", await self._call("GET", "/logs/operations", params=params))

    async def operations(self, **filters: Any) -> AsyncIterator[t.LogOperation]:
        """Every operation that matches, newest first; filters as in `page`."""
        cursor: str | None = None
        while True:
            found = await self.page(cursor=cursor, **filters)
            for one in found["data"]:
                yield one
            cursor = found["pagination"]["cursor"]
            if cursor is None:
                return

    async def operation(self, operation_id: str) -> t.LogOperation:
        path = _wire.path("/logs/operations/{id}", id=operation_id)
        return cast("t.LogOperation", (await self._call("GET", path))["data"])

    async def messages(
        self, operation_id: str, *, search: str | None = None, levels: Sequence[str] = (), page_size: int = 100
    ) -> AsyncIterator[t.LogMessage]:
        """The messages of one operation, oldest first."""
        cursor: str | None = None
        path = _wire.path("/logs/operations/{id}/messages", id=operation_id)
        while True:
            params = {
                "search": search,
                "levels": ",".join(levels) or None,
                "limit": page_size,
                "cursor": cursor,
                "order": "asc",
            }
            found = cast("t.MessagePage", await self._call("GET", path, params=params))
            for one in found["data"]:
                yield one
            cursor = found["pagination"]["cursor"]
            if cursor is None or len(found["data"]) < page_size:
                return


class AsyncWebhookDeliveries(AsyncPart):
    """What was sent to your webhook URLs, and how it went."""

    async def page(
        self,
        *,
        states: Sequence[str] = (),
        types: Sequence[str] = (),
        connections: Sequence[str] = (),
        webhook_id: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> t.DeliveryPage:
        params: dict[str, Any] = {
            "states": ",".join(states) or None,
            "types": ",".join(types) or None,
            "connections": list(connections) or None,
            "webhook_id": webhook_id,
            "limit": limit,
            "cursor": cursor,
        }
        return cast("t.DeliveryPage", await self._call("GET", "/webhook-deliveries", params=params))

    async def list(self, **filters: Any) -> AsyncIterator[t.WebhookDelivery]:
        """Every delivery that matches, newest first; filters as in `page`."""
        cursor: str | None = None
        while True:
            found = await self.page(cursor=cursor, **filters)
            for one in found["data"]:
                yield one
            cursor = found["pagination"]["cursor"]
            if cursor is None:
                return

    async def get(self, delivery_id: str) -> t.WebhookDelivery:
        """One delivery with its `body` and the `history` of its attempts."""
        path = _wire.path("/webhook-deliveries/{id}", id=delivery_id)
        return cast("t.WebhookDelivery", (await self._call("GET", path))["data"])

    async def redeliver(self, delivery_id: str) -> str:
        """Send it again with the same `webhook-id`; return the new delivery's id."""
        path = _wire.path("/webhook-deliveries/{id}/redeliver", id=delivery_id)
        return str((await self._call("POST", path))["data"]["id"])
