"""Builds the public API: FastAPI for ordinary routes, every request checked against `demands.py` first."""

from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from dragoman_server.api.demands import DEMANDS
from dragoman_server.db.driver import UNAVAILABLE
from dragoman_server.kit.errors import DragomanError, NotFoundError
from dragoman_server.web.asgi import App, Message, Receive, Scope, Send
from dragoman_server.web.authenticate import Authenticator
from dragoman_server.web.envelope import Rendered, render
from dragoman_server.web.errors import FeatureDisabledError, InvalidJsonError, NotJsonError
from dragoman_server.web.strict import invalid_input, refuse

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
FULL_ONLY = ("/sync", "/records", "/action", "/functions", "/scripts", "/webhook-deliveries/redeliver")


def _response(rendered: Rendered) -> Response:
    return Response(rendered.body, rendered.status, dict(rendered.headers), media_type="application/json")


def build_app(*, authenticator: Authenticator, routers: Sequence[APIRouter], edition: str) -> FastAPI:
    """Return the FastAPI application of these routers."""

    async def authorize(request: Request) -> None:
        if getattr(request.state, "authorized", False):
            return
        route: Any = request.scope["route"]
        demand = DEMANDS.get((request.method, route.path_format if hasattr(route, "path_format") else route.path))
        demand = demand or DEMANDS.get((request.method, route.path))
        if demand is None:
            raise NotFoundError(f"{request.method} {request.url.path} does not exist.")  # fail closed: see demands.py
        if demand.public:
            authenticator.anonymous(request.scope)
        else:
            request.state.principal = await authenticator.check(request.scope, demand, query=request.query_params)
        if edition == "auth" and request.url.path.startswith(FULL_ONLY):
            raise FeatureDisabledError
        if not request.url.path.startswith("/webhook/"):  # a provider writes as it likes; its signature is checked
            check_content_type(request)
            check_texts(request, known_queries.get((request.method, route.path_format)))
        request.state.authorized = True

    async def http(request: Request, error: Exception) -> Response:
        if "rate" not in request.scope["state"]:
            authenticator.anonymous(request.scope)  # who looks for paths that do not exist is counted too
        return await _http(request, error)

    known_queries: dict[tuple[str, str], frozenset[str]] = {}
    app = FastAPI(
        title="Dragoman",
        version=version("dragoman"),
        description="Authorize, read, write and follow any third-party API on behalf of your customers.",
        license_info={"name": "Apache-2.0", "identifier": "Apache-2.0"},
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(authorize)],
    )
    for router in routers:
        app.include_router(router)
    app.add_exception_handler(DragomanError, _ours)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, _unexpected)
    app.add_middleware(_AuthorizeFirst, authorize=authorize)  # type: ignore[arg-type]  # a factory of ASGI apps
    known_queries |= _known_queries(app)
    return app


class _AuthorizeFirst:
    """FastAPI reads a body before it looks at dependencies: nobody's body is read before we know who sends it."""

    def __init__(self, app: App, authorize: Callable[[Request], Awaitable[None]]) -> None:
        self._app = app
        self._authorize = authorize

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def checked() -> Message:
            if "route" in scope:
                await self._authorize(Request(scope))
            return await receive()

        await self._app(scope, checked, send)


def _known_queries(app: FastAPI) -> dict[tuple[str, str], frozenset[str]]:
    """What each documented operation takes in its query."""
    found: dict[tuple[str, str], frozenset[str]] = {}
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            names = (p["name"] for p in operation.get("parameters", ()) if p["in"] == "query")
            found[method.upper(), path] = frozenset(names)
    return found


def check_texts(request: Request, known: frozenset[str] | None) -> None:
    """Refuse a NUL anywhere in the address, and query keys the operation does not have."""
    for name, value in request.path_params.items():
        if "\0" in str(value):
            raise refuse("path", "invalid_format", "it holds a NUL", name)
    if known is None:
        return  # a page answers with a page
    for name, value in request.query_params.multi_items():
        if "\0" in name + value:
            raise refuse("query", "invalid_format", "it holds a NUL", name.replace("\0", "")[:100])
        if name.partition("[")[0] not in known:
            raise refuse("query", "unrecognized_keys", f"Unrecognized key: {name[:100]!r}")


def check_content_type(request: Request) -> None:
    """Refuse a body that does not say it is JSON."""
    if request.method not in _BODY_METHODS:
        return
    if request.url.path.startswith("/functions/deployments/bundle"):
        return
    length = request.headers.get("content-length")
    if (length is None and "transfer-encoding" not in request.headers) or length == "0":
        return
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not kind.endswith("+json"):
        raise NotJsonError


async def _ours(_request: Request, error: Exception) -> Response:
    return _response(render(error))


async def _validation(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors: list[dict[str, Any]] = list(error.errors())
    for one in errors:
        if one["type"] == "json_invalid":
            return _response(render(InvalidJsonError(str(one.get("ctx", {}).get("error", "unreadable")))))
    return _response(render(invalid_input(errors)))


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code in (404, 405):
        message = f"{request.method} {request.url.path} does not exist."
        return _response(render(NotFoundError(message)))
    if isinstance(error.__cause__, (DragomanError, *UNAVAILABLE)):  # raised by us while FastAPI was reading the body
        return _response(render(error.__cause__))
    if isinstance(error.__cause__, RecursionError):
        return _response(render(InvalidJsonError("it is nested too deeply")))
    if error.status_code == 400:
        return _response(render(InvalidJsonError("it cannot be read as UTF-8 text")))
    return _response(render(DragomanError(str(error.detail), status=error.status_code)))


async def _unexpected(_request: Request, error: Exception) -> Response:
    return _response(render(error))
