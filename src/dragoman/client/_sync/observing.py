"""Logs and webhook deliveries."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, cast

from dragoman.client import _wire
from dragoman.client import types as t
from dragoman.client._sync.part import Part


class Logs(Part):
    """What happened: operations and their messages."""

    def page(
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
        return cast("t.LogPage", self._call("GET", "/logs/operations", params=params))

    def operations(self, **filters: Any) -> Iterator[t.LogOperation]:
        """Every operation that matches, newest first; filters as in `page`."""
        cursor: str | None = None
        while True:
            found = self.page(cursor=cursor, **filters)
            for one in found["data"]:
                yield one
            cursor = found["pagination"]["cursor"]
            if cursor is None:
                return

    def operation(self, operation_id: str) -> t.LogOperation:
        path = _wire.path("/logs/operations/{id}", id=operation_id)
        return cast("t.LogOperation", (self._call("GET", path))["data"])

    def messages(
        self, operation_id: str, *, search: str | None = None, levels: Sequence[str] = (), page_size: int = 100
    ) -> Iterator[t.LogMessage]:
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
            found = cast("t.MessagePage", self._call("GET", path, params=params))
            for one in found["data"]:
                yield one
            cursor = found["pagination"]["cursor"]
            if cursor is None or len(found["data"]) < page_size:
                return


class WebhookDeliveries(Part):
    """What was sent to your webhook URLs, and how it went."""

    def page(
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
        return cast("t.DeliveryPage", self._call("GET", "/webhook-deliveries", params=params))

    def list(self, **filters: Any) -> Iterator[t.WebhookDelivery]:
        """Every delivery that matches, newest first; filters as in `page`."""
        cursor: str | None = None
        while True:
            found = self.page(cursor=cursor, **filters)
            for one in found["data"]:
                yield one
            cursor = found["pagination"]["cursor"]
            if cursor is None:
                return

    def get(self, delivery_id: str) -> t.WebhookDelivery:
        """One delivery with its `body` and the `history` of its attempts."""
        path = _wire.path("/webhook-deliveries/{id}", id=delivery_id)
        return cast("t.WebhookDelivery", (self._call("GET", path))["data"])

    def redeliver(self, delivery_id: str) -> str:
        """Send it again with the same `webhook-id`; return the new delivery's id."""
        path = _wire.path("/webhook-deliveries/{id}/redeliver", id=delivery_id)
        return str((self._call("POST", path))["data"]["id"])
