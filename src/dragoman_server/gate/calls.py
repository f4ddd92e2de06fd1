"""What a guest may ask, answered for one attempt of one run.

A database that is away is waited out: a batch counts once however often it is sent, so a run does not fail of it.
"""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, cast

import msgspec

from dragoman_server.control import Connections, Variables
from dragoman_server.db.outage import through_outage
from dragoman_server.jobs.model import RunTarget
from dragoman_server.kit.errors import InvalidInputError
from dragoman_server.kit.ids import ConnectionRowId
from dragoman_server.proxy import Proxy, ProxyRequest, ProxyResponse, Target
from dragoman_server.records import Fence, Records, StaleAttemptError, StreamKey
from dragoman_server.runners.port import LogLine, ProxyAnswer, ProxyCall, SaveBatch, SaveCounts

FENCE_SECONDS = 0.5
"""How long an answer that the attempt is current may be relied on for calls to the provider, by the monotonic clock."""
DEADLINE_SECONDS = 300.0

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

TriggerAction = Callable[[RunTarget, str, bytes | None], Awaitable[bytes | None]]


class NotInActionsError(InvalidInputError):
    code = "invalid_body"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is for syncs: an action has no records or checkpoint of its own.")


class UndeclaredModelError(InvalidInputError):
    code = "invalid_sync_record"

    def __init__(self, model: str, declared: Sequence[str]) -> None:
        super().__init__(f"The sync does not declare the model `{model}`; it declares {', '.join(declared) or 'none'}.")


class Gate:
    """Makes the calls of runs. `trigger_action` runs another function for the same connection."""

    def __init__(
        self,
        *,
        proxy: Proxy,
        records: Records,
        connections: Connections,
        variables: Variables,
        trigger_action: TriggerAction,
    ) -> None:
        self._proxy = proxy
        self._records = records
        self._connections = connections
        self._variables = variables
        self._trigger_action = trigger_action

    def for_run(self, target: RunTarget) -> "RunCalls":
        """Return the calls of one attempt."""
        return RunCalls(
            target,
            proxy=self._proxy,
            records=self._records,
            connections=self._connections,
            variables=self._variables,
            trigger_action=self._trigger_action,
        )


class RunCalls:
    """`runners.port.GuestCalls` of one attempt: every write names its fence, every read its environment."""

    def __init__(
        self,
        target: RunTarget,
        *,
        proxy: Proxy,
        records: Records,
        connections: Connections,
        variables: Variables,
        trigger_action: TriggerAction,
    ) -> None:
        self._target = target
        self._environment_id = target.prepared.environment_id
        self._proxy = proxy
        self._records = records
        self._connections = connections
        self._variables = variables
        self._trigger_action = trigger_action
        self._models = tuple(cast("Mapping[str, Any]", target.prepared.function.manifest.get("models") or {}))
        first = not target.repeatable and target.fence is None
        self._current_until = time.monotonic() + FENCE_SECONDS if first else 0.0

    # -- the provider ------------------------------------------------------------------------------------------------

    @asynccontextmanager
    async def proxy(self, call: ProxyCall) -> AsyncGenerator[ProxyAnswer]:
        await self._ensure_current()
        prepared = self._target.prepared
        request = ProxyRequest(
            method=call.method,
            endpoint=call.endpoint,
            query=call.query,
            headers=call.headers,
            body=call.body,
            retries=call.retries,
            retry_on=frozenset(call.retry_on),
            base_url_override=call.base_url_override,
            decompress=call.decompress or None,
            forward_headers_on_redirect=call.forward_headers_on_redirect or None,
            deadline=min(call.timeout or DEADLINE_SECONDS, DEADLINE_SECONDS),
        )
        target = Target(self._environment_id, prepared.integration, prepared.connection)
        async with AsyncExitStack() as stack:

            async def send() -> ProxyResponse:
                return await stack.enter_async_context(
                    self._proxy.call(target, request, operation=self._target.operation)
                )

            repeatable = call.method.upper() in SAFE_METHODS and (call.body is None or isinstance(call.body, bytes))
            response = await (through_outage(send) if repeatable else send())
            yield ProxyAnswer(response.status, response.headers, response.iter())

    # -- records -----------------------------------------------------------------------------------------------------

    async def save(self, batch: SaveBatch) -> SaveCounts:
        fence, stream = self._fence("save"), self._stream(batch.model)
        saved = await through_outage(
            lambda: self._records.save(
                self._environment_id, fence, batch.batch, stream, batch.records, checkpoint=batch.checkpoint
            )
        )
        return SaveCounts(saved.added, saved.updated, saved.unchanged)

    async def delete(self, batch: int, model: str, ids: Sequence[str]) -> int:
        fence, stream = self._fence("delete"), self._stream(model)
        done = await through_outage(lambda: self._records.delete(self._environment_id, fence, batch, stream, ids))
        return done.deleted

    async def open_tracking(self, batch: int, model: str) -> None:
        fence, stream = self._fence("track_deletes"), self._stream(model)
        await through_outage(lambda: self._records.open_generation(self._environment_id, fence, stream))

    async def close_tracking(self, batch: int, model: str, *, allow_empty: bool) -> int:
        fence, stream = self._fence("track_deletes"), self._stream(model)
        closed = await through_outage(
            lambda: self._records.close_generation(self._environment_id, fence, stream, allow_empty=allow_empty)
        )
        if closed.refused_empty:
            self._target.operation.warn(
                f"Nothing of {model} was seen, so nothing was deleted; allow_empty=True deletes all.", model=model
            )
        return closed.deleted

    async def records(self, model: str, ids: Sequence[str]) -> Sequence[tuple[str, bytes]]:
        self._declared(model)
        found = await through_outage(
            lambda: self._records.by_ids(self._environment_id, self._row_id, model, ids, self._target.variant)
        )
        return list(found.items())

    async def save_checkpoint(self, batch: int, checkpoint: bytes | None) -> None:
        fence = self._fence("checkpoint")
        if checkpoint is None:
            await through_outage(lambda: self._records.clear_checkpoint(self._environment_id, fence))
        else:
            await through_outage(lambda: self._records.save_checkpoint(self._environment_id, fence, checkpoint))

    # -- the connection ----------------------------------------------------------------------------------------------

    async def metadata(self) -> bytes:
        found = await through_outage(lambda: self._connections.by_row_id(self._environment_id, self._row_id))
        return msgspec.json.encode((found.metadata if found is not None else None) or {})

    async def write_metadata(self, value: bytes, *, merge: bool) -> None:
        await self._ensure_current()
        decoded = msgspec.json.decode(value)
        if not isinstance(decoded, dict):
            raise InvalidInputError("metadata: expected a JSON object")
        write = self._connections.merge_metadata if merge else self._connections.set_metadata
        connection = self._target.prepared.connection
        given = cast("dict[str, Any]", decoded)
        await through_outage(
            lambda: write(self._environment_id, connection.integration_key, [connection.connection_id], given)
        )

    async def connection(self) -> Mapping[str, Any]:
        found = await through_outage(lambda: self._connections.by_row_id(self._environment_id, self._row_id))
        shown = found or self._target.prepared.connection
        return {
            "connection_id": shown.connection_id,
            "provider_config_key": shown.integration_key,
            "provider": shown.provider,
            "connection_config": dict(shown.connection_config),
            "metadata": dict(shown.metadata or {}),
            "tags": dict(shown.tags),
            "end_user": shown.end_user.public() if shown.end_user else None,
        }

    async def variables(self) -> Mapping[str, str]:
        found = await through_outage(lambda: self._variables.list(self._environment_id))
        values = {name: value.reveal() for name, value in found.items()}
        self._target.operation.hide(values.values())  # from here on the function may write them into its log
        return values

    async def trigger_action(self, name: str, input: bytes | None) -> bytes | None:  # noqa: A002 (the wire's word)
        await self._ensure_current()
        return await self._trigger_action(self._target, name, input)

    def log(self, lines: Sequence[LogLine]) -> None:
        for line in lines:
            self._target.operation.custom(line.level, line.message, line.meta, line.at)

    # -- the fence ---------------------------------------------------------------------------------------------------

    @property
    def _row_id(self) -> ConnectionRowId:
        return self._target.prepared.connection.id

    def _fence(self, what: str) -> Fence:
        if self._target.fence is None:
            raise NotInActionsError(f"`{what}`")
        return self._target.fence

    async def _ensure_current(self) -> None:
        """Refuse what an older attempt asks; a process that slept past its lease asks the database anew."""
        asked_at = time.monotonic()
        if asked_at < self._current_until:
            return
        fence, still_held = self._target.fence, self._target.still_held
        if fence is not None:
            await through_outage(lambda: self._records.ensure_current(self._environment_id, fence))
        elif still_held is not None and not await through_outage(still_held):
            raise StaleAttemptError
        self._current_until = asked_at + FENCE_SECONDS

    def _declared(self, model: str) -> None:
        if model not in self._models:
            raise UndeclaredModelError(model, self._models)

    def _stream(self, model: str) -> StreamKey:
        self._declared(model)
        connection = self._target.prepared.connection
        return StreamKey(connection.id, connection.uuid, model, self._target.variant)
