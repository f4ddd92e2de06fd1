"""The verbs of outbound webhooks: make deliveries of facts, list them, send one again, erase a connection's."""

import hashlib
import json
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from dragoman_server.db import Conn, Database
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, uuid7
from dragoman_server.logs import Logs
from dragoman_server.outbox import StoredFact
from dragoman_server.webhooks import _store, payloads, rules
from dragoman_server.webhooks.errors import InvalidDeliveryCursorError, UnknownDeliveryError
from dragoman_server.webhooks.model import Attempt, Delivery, DeliveryFilter, DeliveryId, NewDelivery, Page

ERASE_CHUNK = 500
LARGEST_PAGE = 100

LOG_KINDS: Mapping[str, str] = {
    "sync": "webhook:sync",
    "async_action": "webhook:async_action",
    "forward": "webhook:forward",
    "auth:refresh": "webhook:connection_refresh",
}


def log_kind(payload: Mapping[str, Any]) -> str:
    """Return the kind of operation a message is logged as."""
    kind = str(payload.get("type"))
    operation = f"{kind}:{payload.get('operation')}"
    return LOG_KINDS.get(operation) or LOG_KINDS.get(kind) or "webhook:connection_create"


class Webhooks:
    """`handle` is the relay's handler for facts of kind `webhook`; `targets` says what an environment wants."""

    def __init__(
        self,
        *,
        database: Database,
        targets: Callable[[EnvironmentId], Awaitable[rules.WebhookTargets | None]],
        logs: Logs | None = None,
        on_new: Callable[[], None] | None = None,
    ) -> None:
        self._database = database
        self._targets = targets
        self._logs = logs
        self._on_new = on_new

    async def handle(self, facts: Sequence[StoredFact]) -> None:
        """Make one delivery per fact and destination; a fact handled twice makes none the second time."""
        targets = {
            environment_id: await self._targets(environment_id) for environment_id in {f.environment_id for f in facts}
        }
        messages: list[_store.MessageRow] = []
        deliveries: list[NewDelivery] = []
        kinds: dict[DeliveryId, str] = {}
        for fact in facts:
            found = targets[fact.environment_id]
            payload = fact.body["payload"]
            if found is None or not rules.is_wanted(payload, found):
                continue
            message_id = _message_id(fact)
            made = [self._delivery(fact, message_id, url) for url in rules.urls_for(fact.body.get("override"), found)]
            if made:
                headers = fact.body.get("headers")
                body = payloads.encode(payload).decode()
                messages.append((fact.environment_id, message_id, body, json.dumps(headers) if headers else None))
                deliveries.extend(made)
                kinds.update((delivery.id, log_kind(payload)) for delivery in made)
        async with self._database.transaction() as conn:
            new = await _store.insert(conn, messages, deliveries, give_up_after=rules.GIVE_UP_AFTER)
        self._log([d for d in deliveries if d.id in new], kinds)
        if new and self._on_new is not None:
            self._on_new()

    @staticmethod
    def _delivery(fact: StoredFact, message_id: str, url: str) -> NewDelivery:
        payload = fact.body["payload"]
        return NewDelivery(
            id=DeliveryId(uuid7()),
            environment_id=fact.environment_id,
            message_id=message_id,
            url=url,
            type=str(payload.get("type")),
            integration=payload.get("providerConfigKey"),
            connection=payload.get("connectionId"),
            connection_row_id=fact.body.get("connection_row_id"),
        )

    def _log(self, deliveries: Sequence[NewDelivery], kinds: Mapping[DeliveryId, str]) -> None:
        if self._logs is None:
            return
        for d in deliveries:
            self._logs.start(
                d.environment_id,
                kinds[d.id],
                integration=d.integration,
                connection=d.connection,
                connection_row_id=d.connection_row_id,
                meta={"message_id": d.message_id},
                operation_id=_store.operation_id(d.id),
                waiting=True,
            )

    async def list(
        self,
        environment_id: EnvironmentId,
        wanted: DeliveryFilter | None = None,
        *,
        cursor: str | None = None,
        limit: int = 50,
    ) -> Page[Delivery]:
        """Return a page, newest first; raise InvalidDeliveryCursorError for a cursor that is not ours."""
        limit = max(1, min(limit, LARGEST_PAGE))
        before = None if cursor is None else _read_cursor(cursor)
        async with self._database.connection() as conn:
            found = await _store.list_deliveries(
                conn, environment_id, wanted or DeliveryFilter(), before=before, only=None, limit=limit + 1
            )
        more = len(found) > limit
        return Page(found[:limit], _cursor(found[limit - 1].id) if more else None)

    async def get(
        self, environment_id: EnvironmentId, delivery_id: DeliveryId
    ) -> tuple[Delivery, Sequence[Attempt], str]:
        """Return a delivery, its attempts and the body it carries; raise UnknownDeliveryError."""
        async with self._database.connection() as conn:
            found = await _store.list_deliveries(
                conn, environment_id, DeliveryFilter(), before=None, only=delivery_id, limit=1
            )
            body = await _store.body_of(conn, environment_id, delivery_id)
            if not found or body is None:
                raise UnknownDeliveryError
            return found[0], await _store.list_attempts(conn, environment_id, delivery_id), body

    async def redeliver(self, environment_id: EnvironmentId, delivery_id: DeliveryId) -> DeliveryId:
        """Send the same message to the same destination again: same `webhook-id`, a delivery of its own."""
        new_id = DeliveryId(uuid7())
        async with self._database.transaction() as conn:
            if not await _store.redeliver(conn, environment_id, delivery_id, new_id, give_up_after=rules.GIVE_UP_AFTER):
                raise UnknownDeliveryError
        if self._logs is not None:
            made, _, body = await self.get(environment_id, new_id)
            self._logs.start(
                environment_id,
                log_kind(json.loads(body)),
                integration=made.integration,
                connection=made.connection,
                connection_row_id=made.connection_row_id,
                meta={"message_id": made.message_id, "redelivery_of": str(delivery_id)},
                operation_id=_store.operation_id(new_id),
                waiting=True,
            )
        if self._on_new is not None:
            self._on_new()
        return new_id

    async def erase_connection(self, environment_id: EnvironmentId, connection_row_id: ConnectionRowId) -> int:
        """Erase every delivery about a connection, its bodies and answers; return how many. Safe to repeat."""
        erased = 0
        while True:
            async with self._database.transaction() as conn:
                count = await _store.erase_connection(conn, environment_id, connection_row_id, limit=ERASE_CHUNK)
            erased += count
            if count < ERASE_CHUNK:
                return erased

    async def forget_environment(self, conn: Conn, environment_id: EnvironmentId) -> None:
        """Erase everything of an environment, in the caller's transaction."""
        await _store.forget_environment(conn, environment_id)


def _message_id(fact: StoredFact) -> str:
    """The same for each handling of one fact, and so for each attempt: receivers drop repeats by it."""
    seed = f"{fact.environment_id}|{fact.id}|{fact.version}|{fact.key}"
    return "msg_" + hashlib.sha256(seed.encode()).hexdigest()[:26]


def _cursor(delivery_id: DeliveryId) -> str:
    return f"w1_{delivery_id.hex}"


def _read_cursor(cursor: str) -> uuid.UUID:
    version, _, value = cursor.partition("_")
    try:
        if version != "w1" or len(value) != 32:
            raise ValueError
        return uuid.UUID(hex=value)
    except ValueError:
        raise InvalidDeliveryCursorError from None
