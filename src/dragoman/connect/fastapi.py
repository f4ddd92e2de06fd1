"""FastAPI: `app.include_router(connect_router(...))`, and `connect_button` and `connect_script` in a page.

router = connect_router(
client=AsyncClient(), webhook_signing_key=os.environ["DRAGOMAN_WEBHOOK_SIGNING_KEY"],
current_user=signed_in_user, on_auth=remember_connection, integrations=["github"],
)
"""

import inspect
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from dragoman.client import ApiError, AsyncClient, ConnectionFailedError
from dragoman.connect import core
from dragoman.connect.core import PREFIX, AuthEvent, Markup, ProblemError, User

__all__ = ["AuthEvent", "Deliveries", "Recent", "User", "connect_button", "connect_router", "connect_script"]

log = logging.getLogger(__name__)

OnAuth = Callable[[AuthEvent], Awaitable[None] | None]
OnOther = Callable[[Mapping[str, Any]], Awaitable[None] | None]


class Deliveries(Protocol):
    """Which deliveries were handled; give one of your own where several processes shall know it of each other."""

    async def handled(self, delivery_id: str) -> bool: ...

    async def remember(self, delivery_id: str) -> None:
        """Called after the handler returned."""
        ...


class Recent:
    """The last deliveries this process handled."""

    def __init__(self, most: int = 10_000) -> None:
        self._most = most
        self._ids: OrderedDict[str, None] = OrderedDict()

    async def handled(self, delivery_id: str) -> bool:
        return delivery_id in self._ids

    async def remember(self, delivery_id: str) -> None:
        self._ids[delivery_id] = None
        while len(self._ids) > self._most:
            self._ids.popitem(last=False)


def connect_router(
    *,
    client: AsyncClient,
    webhook_signing_key: str,
    current_user: Callable[..., Any],
    on_auth: OnAuth,
    on_other: OnOther | None = None,
    integrations: Sequence[str] | None = None,
    trusted_origins: Sequence[str] = (),
    deliveries: Deliveries | None = None,
    prefix: str = PREFIX,
    debug: bool = False,
) -> APIRouter:
    """`POST session`, `POST webhook` and `GET connect.js` below `prefix`.

    `current_user` is a dependency: it returns the signed-in `User`, and None (or raises) when nobody is. `on_auth`,
    plain or async, hears of connections; when it raises, Dragoman delivers again. `on_other` gets every other webhook,
    as it is. `integrations` are those users may choose from; None: all of the environment. `trusted_origins`, such as
    `https://app.example.com`, may ask for sessions besides this host. `debug` shows a browser what the platform said.
    """
    if not webhook_signing_key:
        raise ValueError("webhook_signing_key is empty: anybody could forge webhooks")
    router = APIRouter(prefix=prefix, include_in_schema=False)
    done = deliveries or Recent()
    under_way: set[str] = set()

    @router.post("/session")
    async def session(request: Request, user: Annotated[Any, Depends(current_user)]) -> Response:
        try:
            core.check_same_origin(request.headers, host=request.headers.get("host", ""), trusted=trusted_origins)
            if user is None:
                raise core.signed_out()
            body = await _body(request, core.REQUEST_LIMIT)
            wanted = core.read_wanted(body, request.headers.get("content-type", ""))
            made = await _session(client, user, wanted, integrations)
        except ProblemError as problem:
            return _refusal(problem, debug=debug)
        return JSONResponse(made, 201, {"Cache-Control": "no-store"})

    @router.post("/webhook")
    async def webhook(request: Request) -> Response:
        try:
            body = await _body(request, core.WEBHOOK_LIMIT)
            delivery = core.receive(body, request.headers, webhook_signing_key)
        except ProblemError as problem:
            return _refusal(problem, debug=debug)
        if delivery.id in under_way:
            return Response(status_code=503, headers={"Retry-After": "5"})
        under_way.add(delivery.id)
        try:
            if await done.handled(delivery.id):
                return Response(status_code=204)
            if delivery.auth is not None:
                await _call(on_auth, delivery.auth)
            elif on_other is not None:
                await _call(on_other, delivery.event)
            await done.remember(delivery.id)
        finally:
            under_way.discard(delivery.id)
        return Response(status_code=204)

    @router.get("/connect.js")
    async def script() -> Response:
        return Response(core.script(), media_type="text/javascript", headers=dict(core.SCRIPT_HEADERS))

    return router


def connect_button(
    label: str,
    *,
    integration: str | None = None,
    connection_id: str | None = None,
    prefix: str = PREFIX,
    lang: str | None = None,
    theme: str | None = None,
    css_class: str | None = None,
) -> Markup:
    """The button's HTML, also for Jinja. With `connection_id` (and its integration): to connect that one again."""
    return core.button(
        label,
        session_url=f"{prefix}/session",
        integration=integration,
        connection_id=connection_id,
        lang=lang,
        theme=theme,
        css_class=css_class,
    )


def connect_script(*, prefix: str = PREFIX) -> Markup:
    """The script tag every page with a button needs once."""
    return core.script_tag(f"{prefix}/connect.js")


async def _session(
    client: AsyncClient, user: User, wanted: core.Wanted, integrations: Sequence[str] | None
) -> dict[str, str]:
    offered = core.allowed(wanted, integrations)
    whose = core.owner(user)
    try:
        if wanted.connection_id is None or wanted.integration is None:
            return core.session_answer(await client.connect.create_session(allowed_integrations=offered, **whose))
        theirs = await client.connections.page(
            connection_id=wanted.connection_id, integration_id=wanted.integration, end_user_id=user.id, limit=1
        )
        if not theirs:
            raise core.not_theirs()
        made = await client.connect.reconnect_session(wanted.connection_id, wanted.integration, **whose)
        return core.session_answer(made)
    except (ApiError, ConnectionFailedError) as error:
        raise core.platform_problem(error) from error


async def _body(request: Request, limit: int) -> bytes:
    found = bytearray()
    async for chunk in request.stream():
        found += chunk
        if len(found) > limit:
            raise ProblemError(413, "request_too_large", "The body is too large.")
    return bytes(found)


async def _call(handler: Callable[[Any], Any], event: Any) -> None:
    if inspect.iscoroutinefunction(handler):
        await handler(event)
        return
    found = await run_in_threadpool(handler, event)
    if inspect.isawaitable(found):
        await found


def _refusal(problem: ProblemError, *, debug: bool) -> Response:
    if problem.detail is not None:
        log.log(logging.ERROR if problem.status >= 500 else logging.WARNING, "dragoman: %s", problem.detail)
    return JSONResponse(problem.body(debug=debug), problem.status, {"Cache-Control": "no-store"})
