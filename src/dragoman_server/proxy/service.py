"""The verb: `call`. Flat on purpose, it is the platform's hottest path (see `benchmarks/p1_proxy.py`)."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import Any

from dragoman_server.egress import (
    Deadlines,
    EgressClient,
    EgressResponse,
    UpstreamTimeoutError,
    UpstreamUnreachableError,
)
from dragoman_server.egress.decoding import ACCEPT_ENCODING
from dragoman_server.kit.clock import Clock, SystemClock
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.ids import ConnectionRowId
from dragoman_server.providers import dpop
from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.providers.model import Credential, Provider
from dragoman_server.providers.rendering import (
    OutboundRequest,
    Proven,
    inject_body,
    needs_body,
)
from dragoman_server.providers.retry import reads_body
from dragoman_server.proxy.bodies import REPLAYABLE, SIGNABLE, PassingBody, take_body
from dragoman_server.proxy.errors import ConnectionBusyError, RequestBodyTooLargeError
from dragoman_server.proxy.json_bodies import merged_json
from dragoman_server.proxy.model import ProxyRequest, ProxyResponse, Target
from dragoman_server.proxy.ports import FreshCredential, IntegrationCredentials, LogsLike, OperationLike
from dragoman_server.proxy.preparing import Preparer, scope_of
from dragoman_server.proxy.slots import Slots
from dragoman_server.proxy.trying import is_another, wait_after_answer, wait_after_failure

REDIRECTS = 5
_LOOKED_AT = 64 * 1024
_REFRESH_PAUSE = 30.0
_REMEMBERED = 10_000


class Proxy:
    """One per process, shared by every door."""

    def __init__(
        self,
        *,
        egress: EgressClient,
        catalogue: Catalogue,
        fresh_credential: FreshCredential,
        integration_credentials: IntegrationCredentials,
        logs: LogsLike,
        clock: Clock | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        deadlines: Deadlines = Deadlines(connect=10, first_byte=120, between_bytes=60, total=3600),  # noqa: B008 - frozen
        calls_per_connection: int = 64,
    ) -> None:
        self.egress = egress
        self.catalogue = catalogue
        self.fresh_credential = fresh_credential
        self.integration_credentials = integration_credentials
        self.logs = logs
        self.clock = clock or SystemClock()
        self.sleep = sleep
        self.deadlines = deadlines
        self.slots: Slots[ConnectionRowId] = Slots(calls_per_connection)
        self.preparer = Preparer()
        self.nonces = dpop.Nonces()
        self._fruitless: dict[ConnectionRowId, float] = {}

    def call(self, target: Target, request: ProxyRequest, *, operation: OperationLike | None = None) -> "_Call":
        """Make the call; `async with` gives the answer as soon as its headers are there, whatever its status.

        With `operation` the call is one message of it, else it is an operation `proxy:call` of its own. The call counts
        as under way until the block ends. Raises only our own errors: refused, unreachable, too late, credential gone.
        """
        return _Call(self, target, request, operation)

    def may_refresh(self, connection: ConnectionRowId) -> bool:
        """False for a while after a refreshed credential was refused too: a 401 then is about something else."""
        until = self._fruitless.get(connection)
        if until is None:
            return True
        if self.clock.monotonic() < until:
            return False
        del self._fruitless[connection]
        return True

    def refresh_was_fruitless(self, connection: ConnectionRowId) -> None:
        if len(self._fruitless) >= _REMEMBERED:
            self._fruitless.clear()
        self._fruitless[connection] = self.clock.monotonic() + _REFRESH_PAUSE


class _Call:
    """One call as an async context manager (a class: cheaper than a generator)."""

    __slots__ = (
        "_answer", "_attempt", "_body", "_context", "_deadline", "_first_status", "_operation", "_owns", "_provider",
        "_proxy", "_request", "_slot", "_target",
    )  # fmt: skip

    def __init__(self, proxy: Proxy, target: Target, request: ProxyRequest, operation: OperationLike | None) -> None:
        self._proxy = proxy
        self._target = target
        self._request = request
        self._operation: Any = operation
        self._owns = operation is None
        self._slot = False
        self._context: AbstractAsyncContextManager[EgressResponse] | None = None
        self._answer: EgressResponse | None = None
        self._attempt = 0
        self._body: bytes | PassingBody | None = None

    async def __aenter__(self) -> ProxyResponse:
        proxy, target = self._proxy, self._target
        if self._owns:
            self._operation = proxy.logs.start(
                target.environment_id,
                "proxy:call",
                integration=target.integration.unique_key,
                connection=target.connection.connection_id,
                connection_row_id=target.connection.id,
            )
        try:
            self._deadline = proxy.clock.monotonic() + self._request.deadline
            if not proxy.slots.try_take(target.connection.id):
                patience = min(self._request.deadline, 30.0)
                if not await proxy.slots.take(target.connection.id, patience):
                    raise ConnectionBusyError(proxy.slots.limit)
            self._slot = True
            return await self._try()
        except BaseException as error:
            await self._end(error)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._end(error)

    async def _try(self) -> ProxyResponse:
        proxy, target, request = self._proxy, self._target, self._request
        self._provider = provider = proxy.catalogue.require(target.integration.provider)
        credential = await self._credential()
        application = await proxy.integration_credentials(target.integration)
        self._body = await self._take_body(provider)
        renewed: Credential | None = None
        challenged = False
        while True:
            outbound, body = self._render(provider, credential, application)
            try:
                answer = await self._send(outbound, body)
            except (UpstreamTimeoutError, UpstreamUnreachableError) as error:
                self._log(outbound, None, error)
                if isinstance(self._body, PassingBody) and self._body.failure is not None:
                    raise self._body.failure from None
                wait = (
                    None if isinstance(self._body, PassingBody) else wait_after_failure(error, request, self._attempt)
                )
                if wait is None or not self._has(wait):
                    raise
                await self._wait(wait)
                credential = await self._credential()
                continue
            self._log(outbound, answer, None)
            prefix, rest = b"", None
            if answer.status >= 400 or request.retry_on:
                if outbound.dpop is not None and not challenged and self._wants_nonce(answer):
                    challenged = True
                    await self._drop()
                    continue
                if answer.status == 401 and renewed is None:
                    renewed = await self._renewed(credential)
                    if renewed is not None:
                        await self._drop()
                        credential = renewed
                        continue
                elif answer.status == 401:
                    proxy.refresh_was_fruitless(target.connection.id)
                if not isinstance(self._body, PassingBody):
                    if self._attempt < request.retries and answer.status >= 400 and reads_body(provider):
                        prefix, rest = await _look_into(answer)
                    text = None if rest is None else prefix.decode("utf-8", "replace")
                    wait = wait_after_answer(provider, answer, text, request, self._attempt, proxy.clock.now())
                    if wait is not None and self._has(wait):
                        await self._drop()
                        await self._wait(wait)
                        credential = await self._credential()
                        continue
            return ProxyResponse(answer, self._attempt + 1, prefix, rest)

    async def _credential(self) -> Credential:
        target = self._target
        credential = await self._proxy.fresh_credential(target.environment_id, target.connection, target.integration)
        self._operation.hide(self._proxy.preparer.secrets(target.connection.id, credential))
        return credential

    async def _renewed(self, rejected: Credential) -> Credential | None:
        """Return another credential than the one just refused, if there is one and the body can go again."""
        proxy, target = self._proxy, self._target
        if isinstance(self._body, PassingBody) or not proxy.may_refresh(target.connection.id):
            return None
        try:
            fresh = await proxy.fresh_credential(
                target.environment_id, target.connection, target.integration, reject=rejected
            )
        except DragomanError as error:
            # The upstream's own 401 says more to the caller than that we could not mend it.
            self._operation.warn(
                "The upstream refused the credential and it could not be renewed.", code=error.public_code
            )
            proxy.refresh_was_fruitless(target.connection.id)
            return None
        if not is_another(fresh, rejected):
            proxy.refresh_was_fruitless(target.connection.id)
            return None
        self._operation.hide(fresh.secrets())
        return fresh

    def _wants_nonce(self, answer: EgressResponse) -> bool:
        """Whether the same request may go again with the nonce this answer brought; a body that streamed is gone."""
        replayable = not isinstance(self._body, PassingBody)
        return replayable and dpop.resource_wants_nonce(answer.status, answer.header)

    async def _take_body(self, provider: Provider) -> bytes | PassingBody | None:
        request = self._request
        if request.body is None or isinstance(request.body, bytes):
            return request.body
        signed = needs_body(provider, request.header("content-type"))
        body = await take_body(request.body, request.length, hold=SIGNABLE if signed else REPLAYABLE)
        if signed and isinstance(body, PassingBody):
            raise RequestBodyTooLargeError(SIGNABLE, "; this provider's requests are signed and cannot be longer")
        return body

    def _render(
        self, provider: Provider, credential: Credential, application: Mapping[str, Any]
    ) -> tuple[OutboundRequest, bytes | PassingBody | None]:
        request, target = self._request, self._target
        body = self._body
        if provider.proxy.body and not isinstance(body, PassingBody):
            scope = scope_of(target, credential, application)
            body = merged_json(body, request.header("content-type"), lambda value: inject_body(provider, scope, value))
        held = None if isinstance(body, PassingBody) else body or b""
        return self._proxy.preparer.render(provider, target, credential, application, request, held), body

    async def _send(self, outbound: OutboundRequest, body: bytes | PassingBody | None) -> EgressResponse:
        request, hints = self._request, self._provider.proxy
        decompress = hints.decompress if request.decompress is None else request.decompress
        keep = request.forward_headers_on_redirect
        headers = outbound.headers
        if decompress:
            headers = [pair for pair in headers if pair[0] != "accept-encoding"]
            headers.append(("accept-encoding", ACCEPT_ENCODING))
        if body is not self._body and not any(name == "content-type" for name, _ in headers):
            headers = [*headers, ("content-type", "application/json")]  # the entry made a body where there was none
        if isinstance(body, PassingBody) and request.length is not None:
            headers = [*headers, ("content-length", str(request.length))]
        if outbound.dpop is not None:
            headers = [*(pair for pair in headers if pair[0] != "dpop"), self._proof(outbound, outbound.dpop)]
        left = self._deadline - self._proxy.clock.monotonic()
        deadlines = self._proxy.deadlines
        if left < deadlines.first_byte + deadlines.connect:
            deadlines = Deadlines(
                connect=min(deadlines.connect, max(left, 0.001)),
                first_byte=min(deadlines.first_byte, max(left, 0.001)),
                between_bytes=deadlines.between_bytes,
                total=deadlines.total,
            )
        context = self._context = self._proxy.egress.request(
            outbound.method,
            outbound.url,
            headers=headers,
            body=body,
            deadlines=deadlines,
            follow_redirects=REDIRECTS if outbound.dpop is None else 0,  # a proof is for one URL
            credential_origins=outbound.credential_origins,
            client_certificate=outbound.client_certificate,
            keep_headers_on_redirect=hints.forward_headers_on_redirect if keep is None else keep,
            decompress=decompress,
        )
        try:
            answer = await context.__aenter__()
        except BaseException:
            self._context = None
            raise
        self._answer = answer
        if outbound.dpop is not None:
            self._proxy.nonces.learn(outbound.dpop.key, outbound.url, answer.header("dpop-nonce"))
        return answer

    def _proof(self, outbound: OutboundRequest, proven: Proven) -> tuple[str, str]:
        """Return the header that proves the token for this one request (RFC 9449 section 7.1)."""
        proxy = self._proxy
        nonce = proxy.nonces.of(proven.key, outbound.url)
        now = proxy.clock.now()
        made = dpop.proof(
            proven.key, method=outbound.method, url=outbound.url, now=now, nonce=nonce, token=proven.token
        )
        return "dpop", made

    def _has(self, wait: float) -> bool:
        """Whether the call's time allows to wait so long and then still to try."""
        return self._proxy.clock.monotonic() + wait < self._deadline

    async def _wait(self, seconds: float) -> None:
        self._attempt += 1
        if seconds > 0:
            await self._proxy.sleep(seconds)

    async def _drop(self) -> None:
        """Let go of an answer that will not be used."""
        context, self._context, self._answer = self._context, None, None
        if context is not None:
            await context.__aexit__(None, None, None)

    def _log(self, outbound: OutboundRequest, answer: EgressResponse | None, error: DragomanError | None) -> None:
        request = {"method": outbound.method, "url": outbound.url, "headers": outbound.headers}
        if answer is not None:
            level = "info" if answer.status < 400 else "error"
            response = {"status": answer.status, "headers": answer.headers}
            if self._attempt:
                self._operation.http(request=request, response=response, level=level, attempt=self._attempt + 1)
            else:
                self._operation.http(request=request, response=response, level=level)
        elif error is not None:
            self._operation.http(
                request=request, level="error", error={"code": error.public_code, "message": error.message}
            )

    async def _end(self, error: BaseException | None) -> None:
        """Release what the call holds and close its operation; called once per call."""
        context, self._context = self._context, None
        try:
            if context is not None:
                await context.__aexit__(None, None, None)
        finally:
            if self._slot:
                self._slot = False
                self._proxy.slots.give(self._target.connection.id)
            if self._owns:
                self._finish(error)

    def _finish(self, error: BaseException | None) -> None:
        finish = self._operation.finish
        if isinstance(error, UpstreamTimeoutError):
            finish("timeout", {"type": error.public_code, "message": error.message})
        elif isinstance(error, DragomanError):
            finish("failed", {"type": error.public_code, "message": error.message})
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            finish("cancelled")
        elif error is not None:
            finish("failed", {"type": "server_error", "message": "The call ended by an unexpected error."})
        elif self._answer is not None and self._answer.status >= 400:
            finish("failed", {"type": "upstream_error", "message": f"The upstream answered {self._answer.status}."})
        else:
            finish("success")


async def _look_into(answer: EgressResponse) -> tuple[bytes, AsyncIterator[bytes]]:
    """Return the first 64 KiB of a failed answer's body, where its wait may be stated, and the rest of it."""
    rest = answer.iter()
    held: list[bytes] = []
    size = 0
    with contextlib.suppress(StopAsyncIteration):
        while size < _LOOKED_AT:
            chunk = await anext(rest)
            held.append(chunk)
            size += len(chunk)
    return b"".join(held), rest
