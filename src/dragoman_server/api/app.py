"""Builds the public API: FastAPI for ordinary routes, every request checked against `demands.py` first."""

from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from dragoman_server.api.demands import DEMANDS
from dragoman_server.kit.errors import DragomanError, NotFoundError
from dragoman_server.web.authenticate import Authenticator
from dragoman_server.web.envelope import Rendered, render
from dragoman_server.web.errors import FeatureDisabledError, InvalidJsonError, NotJsonError
from dragoman_server.web.strict import invalid_input

_BODY_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_ANY_CONTENT = ("/connect-ui",)
"""Pages post forms; everything else takes JSON."""
FULL_ONLY = ("/sync", "/records", "/action", "/functions", "/scripts", "/webhook-deliveries/redeliver")


def _response(rendered: Rendered) -> Response:
    return Response(rendered.body, rendered.status, dict(rendered.headers), media_type="application/json")


def build_app(*, authenticator: Authenticator, routers: Sequence[APIRouter], edition: str) -> FastAPI:
    """Return the FastAPI application of these routers."""

    async def authorize(request: Request) -> None:
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
        _check_content_type(request)

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
    app.add_exception_handler(HTTPException, _http)
    return app


def _check_content_type(request: Request) -> None:
    if request.method not in _BODY_METHODS or request.url.path.startswith(_ANY_CONTENT):
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
    if error.status_code == 400:
        return _response(render(InvalidJsonError("it cannot be read as UTF-8 text")))
    return _response(render(DragomanError(str(error.detail), status=error.status_code)))


Handler = Callable[..., Awaitable[Any]]
