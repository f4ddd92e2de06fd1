"""The context a function receives: everything it may do in the world.

In an `async def` function its methods are awaited. A plain `def` function gets the same methods without `await`
(`blocking.py` drives these very coroutines).
"""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, cast
from urllib.parse import urljoin

from dragoman.authoring.errors import DefinitionError, InvalidValueError, ProviderError
from dragoman.authoring.functions import FunctionDefinition
from dragoman.authoring.jsons import dumps, loads
from dragoman.authoring.models import Adapter, adapter_for, model_name, record_id
from dragoman.authoring.response import Headers, Response, StreamedResponse
from dragoman.authoring.transport import Reply, Transport
from dragoman.pagination import first_parameters, items_of, next_page, settings_from

CHUNK_RECORDS = 1000
CHUNK_BYTES = 4 * 1024 * 1024
STREAM_ABOVE = 512 * 1024
"""A request body longer than this goes up in pieces."""
UNSET: Any = object()
Level = Literal["debug", "info", "warn", "error"]
Body = bytes | Iterable[bytes] | AsyncIterable[bytes]


class Logger:
    """`ctx.log("text", key=value)`, or `ctx.log.debug/info/warn/error(...)`; never awaited, never fails."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def __call__(self, *parts: Any, level: Level = "info", **meta: Any) -> None:
        text = " ".join(part if isinstance(part, str) else _show(part) for part in parts)
        self._transport.log(level, text, meta or None)

    def debug(self, *parts: Any, **meta: Any) -> None:
        self(*parts, level="debug", **meta)

    def info(self, *parts: Any, **meta: Any) -> None:
        self(*parts, level="info", **meta)

    def warn(self, *parts: Any, **meta: Any) -> None:
        self(*parts, level="warn", **meta)

    def error(self, *parts: Any, **meta: Any) -> None:
        self(*parts, level="error", **meta)

    warning = warn


class Checkpoint:
    """Where this sync stopped last time, as the model named in the decorator (or plain values)."""

    def __init__(self, state: "RunState") -> None:
        self._state = state

    async def get(self) -> Any:
        """The stored checkpoint, or None at the first run or after a reset."""
        raw = self._state.checkpoint
        if raw is None:
            return None
        adapter = self._state.checkpoint_adapter
        return loads(raw) if adapter is None else adapter.decode(raw, "invalid_checkpoint", "The stored checkpoint")

    async def save(self, value: Any) -> None:
        """Store `value` now, without records; `ctx.save(..., checkpoint=value)` commits both together."""
        raw = self._state.encode_checkpoint(value)
        await self._state.transport.call("save_checkpoint", {"batch": self._state.next_batch()}, raw)
        self._state.checkpoint = raw

    async def clear(self) -> None:
        await self._state.transport.call("clear_checkpoint", {"batch": self._state.next_batch()})
        self._state.checkpoint = None


class Metadata:
    """The connection's metadata, as the model named in the decorator (or a plain mapping)."""

    def __init__(self, state: "RunState") -> None:
        self._state = state

    async def get(self) -> Any:
        raw = (await self._state.transport.call("metadata", {})).body or b"{}"
        adapter = self._state.metadata_adapter
        return loads(raw) if adapter is None else adapter.decode(raw, "invalid_metadata", "The connection's metadata")

    async def set(self, value: Any) -> None:
        """Replace it all."""
        await self._state.transport.call("write_metadata", {"merge": False}, dumps(value))

    async def update(self, value: Any = None, **keys: Any) -> None:
        """Set these keys, leave the others."""
        await self._state.transport.call("write_metadata", {"merge": True}, dumps({**(value or {}), **keys}))


class RunState:
    """What the facades of one run share."""

    def __init__(self, transport: Transport, definition: FunctionDefinition, run: Mapping[str, Any]) -> None:
        self.transport = transport
        self.definition = definition
        self.run = run
        self.checkpoint: bytes | None = run.get("checkpoint_bytes")
        self.checkpoint_adapter = _adapter(definition.checkpoint)
        self.metadata_adapter = _adapter(definition.metadata)
        self._batch = 0

    def next_batch(self) -> int:
        self._batch += 1
        return self._batch

    def encode_checkpoint(self, value: Any) -> bytes:
        adapter = self.checkpoint_adapter
        if adapter is None:
            return dumps(value)
        return adapter.encode(adapter.validate(value, "invalid_checkpoint", "The checkpoint"))


class Context:
    """What syncs and actions share."""

    def __init__(self, transport: Transport, definition: FunctionDefinition, run: Mapping[str, Any]) -> None:
        self._state = RunState(transport, definition, run)
        self._transport = transport
        self._connection: Mapping[str, Any] | None = None
        self._variables: Mapping[str, str] | None = None
        self.log = Logger(transport)
        self.metadata = Metadata(self._state)
        self.checkpoint = Checkpoint(self._state)

    @property
    def run_id(self) -> str:
        return str(self._state.run["run_id"])

    @property
    def attempt(self) -> int:
        return int(self._state.run.get("attempt", 1))

    @property
    def integration(self) -> str:
        return str(self._state.run["integration"])

    @property
    def provider(self) -> str:
        return str(self._state.run["provider"])

    @property
    def connection_id(self) -> str:
        return str(self._state.run["connection_id"])

    @property
    def environment(self) -> str:
        return str(self._state.run["environment"])

    @property
    def variant(self) -> str:
        return str(self._state.run.get("variant", "base"))

    @property
    def dry_run(self) -> bool:
        """True when nothing is really saved."""
        return bool(self._state.run.get("dry_run"))

    async def connection(self) -> Mapping[str, Any]:
        """The connection (its config, metadata, tags, end user) without credentials; asked for once a run."""
        if self._connection is None:
            self._connection = (await self._transport.call("connection", {})).value
        return self._connection

    async def variables(self) -> Mapping[str, str]:
        """The environment's variables; asked for once a run."""
        if self._variables is None:
            self._variables = cast("Mapping[str, str]", (await self._transport.call("variables", {})).value)
        return self._variables

    # ---- the provider's API

    async def request(
        self,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = UNSET,
        data: Mapping[str, Any] | None = None,
        content: Body | None = None,
        retries: int = 0,
        retry_on: Sequence[int] = (),
        timeout: float | None = None,
        base_url: str | None = None,
        decompress: bool = False,
        raise_for_status: bool = True,
    ) -> Response:
        """Call the provider through the platform, which adds the credentials. Raises ProviderError from 400 on."""
        reply = await self._send(
            method,
            endpoint,
            params,
            headers,
            json,
            data,
            content,
            retries,
            retry_on,
            timeout,
            base_url,
            decompress,
            False,
        )
        answer_headers = Headers(reply.value.get("headers", ()))
        status = int(reply.value["status"])
        body = reply.body
        if reply.stream is not None:
            body += b"".join([piece async for piece in reply.stream])
        if raise_for_status and status >= 400:
            raise ProviderError(method, endpoint, status, answer_headers, body)
        return Response(status, answer_headers, body)

    async def get(self, endpoint: str, **options: Any) -> Response:
        return await self.request("GET", endpoint, **options)

    async def post(self, endpoint: str, **options: Any) -> Response:
        return await self.request("POST", endpoint, **options)

    async def put(self, endpoint: str, **options: Any) -> Response:
        return await self.request("PUT", endpoint, **options)

    async def patch(self, endpoint: str, **options: Any) -> Response:
        return await self.request("PATCH", endpoint, **options)

    async def delete_request(self, endpoint: str, **options: Any) -> Response:
        """DELETE at the provider; in actions also as `delete(endpoint)`."""
        return await self.request("DELETE", endpoint, **options)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        endpoint: str,
        *,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = UNSET,
        data: Mapping[str, Any] | None = None,
        content: Body | None = None,
        retries: int = 0,
        retry_on: Sequence[int] = (),
        timeout: float | None = None,
        base_url: str | None = None,
        decompress: bool = False,
        raise_for_status: bool = True,
    ) -> AsyncGenerator[StreamedResponse, None]:
        """Call the provider and read its answer piece by piece inside the block."""
        reply = await self._send(
            method,
            endpoint,
            params,
            headers,
            json,
            data,
            content,
            retries,
            retry_on,
            timeout,
            base_url,
            decompress,
            True,
        )
        answer_headers = Headers(reply.value.get("headers", ()))
        response = StreamedResponse(int(reply.value["status"]), answer_headers, reply.body, reply.stream)
        try:
            if raise_for_status and response.status >= 400:
                raise ProviderError(method, endpoint, response.status, answer_headers, await response.read())
            yield response
        finally:
            await response.close()

    async def paginate(
        self,
        endpoint: str,
        *,
        method: str = "GET",
        params: Mapping[str, Any] | None = None,
        json: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
        retries: int = 0,
        retry_on: Sequence[int] = (),
        **settings: Any,
    ) -> AsyncIterator[list[Any]]:
        """The provider's list page by page, each a list of plain values.

        How it is split comes from the catalogue; keyword arguments (`type`, `response_path`, `limit`, ...) override
        it. Empty pages are followed as long as the provider names a next one. The platform refuses a next link
        outside the provider's own origins.
        """
        how = settings_from(cast("Mapping[str, Any] | None", self._state.run.get("paginate")), settings)
        sent: dict[str, Any] = {**first_parameters(how), **((json if how.in_body else params) or {})}
        offset = int(sent.get(how.offset_name_in_request, 0)) if how.type == "offset" else 0
        url = endpoint
        previous: Any = None
        while True:
            response = await self.request(
                method,
                url,
                params=(params if how.in_body else sent) if url == endpoint else None,
                json=sent if how.in_body else (json if json is not None else UNSET),
                headers=headers,
                retries=retries,
                retry_on=retry_on,
            )
            body: Any = response.json() if response.content.strip() else None
            items = items_of(how, body)
            yield items
            found = next_page(
                how,
                items=len(items),
                body=body,
                link_header=response.headers.get("link"),
                offset=offset,
                cursor=previous,
            )
            if found is None:
                return
            if found.url is not None:
                previous = found.url
                url = self._absolute(endpoint, found.url)
            else:
                sent = {**sent, **(found.parameters or {})}
                offset = found.offset
                previous = found.token

    async def trigger_action(self, name: str, input: Any = None) -> Any:  # noqa: A002 - the word of the wire
        """Run an action of this connection and return its answer."""
        reply = await self._transport.call("trigger_action", {"name": name}, b"" if input is None else dumps(input))
        return loads(reply.body) if reply.body else None

    def _absolute(self, endpoint: str, link: str) -> str:
        if link.startswith(("https://", "http://")):
            return link
        base = cast("str | None", self._state.run.get("base_url"))
        if base:
            return urljoin(base.rstrip("/") + "/" + endpoint.lstrip("/"), link)
        return urljoin(endpoint, link)

    async def _send(
        self,
        method: str,
        endpoint: str,
        params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None,
        headers: Mapping[str, str] | None,
        json: Any,
        data: Mapping[str, Any] | None,
        content: Body | None,
        retries: int,
        retry_on: Sequence[int],
        timeout: float | None,
        base_url: str | None,
        decompress: bool,
        stream: bool,
    ) -> Reply:
        pairs = [(str(name), str(value)) for name, value in (headers or {}).items()]
        body, upload, content_type = _body(json, data, content)
        if content_type and not any(name.lower() == "content-type" for name, _ in pairs):
            pairs.append(("Content-Type", content_type))
        call: dict[str, Any] = {
            "method": method.upper(),
            "endpoint": endpoint,
            "query": _query(params),
            "headers": pairs,
            "retries": retries,
            "retry_on": list(retry_on),
            "has_body": body is not None or upload is not None,
        }
        if timeout is not None:
            call["timeout"] = timeout
        if base_url is not None:
            call["base_url"] = base_url
        if decompress:
            call["decompress"] = True
        return await self._transport.call("proxy", call, body or b"", upload=upload, stream=stream)


class ActionContext(Context):
    """What an action receives."""

    async def delete(self, endpoint: str, **options: Any) -> Response:
        """DELETE at the provider."""
        return await self.request("DELETE", endpoint, **options)


class SyncContext(Context):
    """What a sync receives."""

    async def save(self, records: Any, *, model: Any = None, checkpoint: Any = UNSET) -> None:
        """Save one record or many, in chunks of up to 1000 in the order given.

        The model is that of the instances, or `model`, or the sync's only one. In one call the first of two records
        with the same id wins. `checkpoint` commits together with the last chunk.
        """
        batch: list[Any] = list(_each(records))
        checkpoint_bytes = None if checkpoint is UNSET else self._state.encode_checkpoint(checkpoint)
        if not batch:
            if checkpoint_bytes is not None:
                await self.checkpoint.save(checkpoint)
            return
        name, adapter = self._model(model, batch[0])
        ids, encoded = self._encode(batch, name, adapter)
        start, total = 0, len(ids)
        while start < total:
            end, size = start, 0
            while (
                end < total
                and end - start < CHUNK_RECORDS
                and (end == start or size + len(encoded[end]) <= CHUNK_BYTES)
            ):
                size += len(encoded[end])
                end += 1
            params: dict[str, Any] = {"batch": self._state.next_batch(), "model": name, "ids": ids[start:end]}
            last = end == total
            closing = b"]"
            if last and checkpoint_bytes is not None:
                params["checkpoint"] = len(checkpoint_bytes)
                closing += checkpoint_bytes
            encoded[start] = b"[" + encoded[start]
            encoded[end - 1] += closing
            await self._transport.call("save", params, b",".join(encoded[start:end]))
            if last and checkpoint_bytes is not None:
                self._state.checkpoint = checkpoint_bytes
            start = end

    async def delete(self, ids: Any, *, model: Any = None) -> int:
        """Mark records deleted, given their ids (or the records themselves); returns how many were live."""
        given: list[Any] = [ids] if isinstance(ids, (str, int)) else list(_each(ids))
        if not given:
            return 0
        sample = given[0]
        name, _ = self._model(model, None if isinstance(sample, (str, int)) else sample)
        texts = [str(item) if isinstance(item, (str, int)) else record_id(item) for item in given]
        deleted = 0
        for start in range(0, len(texts), CHUNK_RECORDS):
            params = {"batch": self._state.next_batch(), "model": name, "ids": texts[start : start + CHUNK_RECORDS]}
            deleted += int((await self._transport.call("delete", params)).value["deleted"])
        return deleted

    @asynccontextmanager
    async def track_deletes(self, model: Any = None, *, allow_empty: bool = False) -> AsyncGenerator[None, None]:
        """Delete, when the block ends well, every record of the model that was not saved inside it.

        A block that saved nothing at all deletes nothing unless `allow_empty`.
        """
        name, _ = self._model(model, None)
        await self._transport.call("open_tracking", {"batch": self._state.next_batch(), "model": name})
        yield
        params = {"batch": self._state.next_batch(), "model": name, "allow_empty": allow_empty}
        await self._transport.call("close_tracking", params)

    async def records(self, ids: Sequence[str], *, model: Any = None) -> dict[str, Any]:
        """The stored records with these ids, as instances of the model."""
        name, adapter = self._model(model, None)
        found: dict[str, Any] = {}
        wanted = [str(id_) for id_ in ids]
        for start in range(0, len(wanted), CHUNK_RECORDS):
            reply = await self._transport.call("records", {"model": name, "ids": wanted[start : start + CHUNK_RECORDS]})
            offset = 0
            for id_, length in reply.value["found"]:
                raw = reply.body[offset : offset + length]
                offset += length
                found[id_] = adapter.decode(raw, "invalid_sync_record", f"The stored record `{id_}`")
        return found

    def _encode(self, batch: list[Any], name: str, adapter: Adapter) -> tuple[list[str], list[bytes]]:
        ids: list[str] = []
        encoded: list[bytes] = []
        seen: set[str] = set()
        checked = isinstance(adapter.type, type) and hasattr(adapter.type, "__pydantic_validator__")
        for index, record in enumerate(batch):
            made = record
            if not (checked and type(record) is adapter.type):
                try:
                    made = adapter.validate(record, "invalid_sync_record", f"Record {index}")
                except InvalidValueError as error:
                    error.issues = [{**issue, "path": [index, *issue["path"]]} for issue in error.issues]
                    raise
            id_ = record_id(made)
            if id_ in seen:
                told = f"`{name}` record `{id_}` comes twice in one batch; the first is kept."
                self.log.warning(told)
                continue
            seen.add(id_)
            ids.append(id_)
            encoded.append(adapter.encode(made))
        return ids, encoded

    def _model(self, model: Any, sample: Any) -> tuple[str, Adapter]:
        adapters = self._state.definition.adapters
        if model is not None:
            name = model if isinstance(model, str) else model_name(model)
        elif sample is not None and not isinstance(sample, Mapping):
            name = model_name(type(sample))
        elif len(adapters) == 1:
            name = next(iter(adapters))
        else:
            raise DefinitionError(f"This sync has several models; say which: model=one of {', '.join(adapters)}.")
        adapter = adapters.get(name)
        if adapter is None:
            raise InvalidValueError(
                "invalid_sync_record", f"`{name}` is not among the models of this sync: {', '.join(adapters)}."
            )
        return name, adapter


def _adapter(type_: Any) -> Adapter | None:
    return None if type_ is None or type_ is Any else adapter_for(type_)


def _each(records: Any) -> Iterable[Any]:
    if hasattr(records, "model_fields_set") or isinstance(records, Mapping) or not isinstance(records, Iterable):
        return [records]
    return cast("Iterable[Any]", records)


def _query(params: Mapping[str, Any] | Sequence[tuple[str, Any]] | None) -> list[tuple[str, str]]:
    pairs: Iterable[tuple[str, Any]] = params.items() if isinstance(params, Mapping) else (params or ())
    found: list[tuple[str, str]] = []
    for name, value in pairs:
        values = cast("Sequence[Any]", value) if isinstance(value, (list, tuple)) else [value]
        found += [(str(name), _text(item)) for item in values if item is not None]
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _body(
    json: Any, data: Mapping[str, Any] | None, content: Body | None
) -> tuple[bytes | None, AsyncIterator[bytes] | None, str | None]:
    if json is not UNSET:
        return _sized(dumps(json), "application/json")
    if data is not None:
        from urllib.parse import urlencode

        return _sized(urlencode(_query(data)).encode(), "application/x-www-form-urlencoded")
    if content is None:
        return None, None, None
    if isinstance(content, (bytes, bytearray, memoryview)):
        return _sized(bytes(content), None)
    return None, _pieces(content), None


def _sized(body: bytes, content_type: str | None) -> tuple[bytes | None, AsyncIterator[bytes] | None, str | None]:
    if len(body) <= STREAM_ABOVE:
        return body, None, content_type
    return None, _pieces(body[start : start + 65536] for start in range(0, len(body), 65536)), content_type


async def _pieces(source: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    if isinstance(source, AsyncIterable):
        async for piece in source:
            yield piece
    else:
        for piece in source:
            yield piece


def _show(value: Any) -> str:
    try:
        return dumps(value).decode()
    except Exception:  # whatever the author prints, a log line never fails
        return repr(value)
