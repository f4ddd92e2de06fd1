"""The routes of the application, without a server."""

from collections.abc import Iterator
from functools import cache
from typing import Any

from fastapi.routing import APIRoute

from dragoman_server.assembly.doors import Doors, build_api


class Nobody:
    """Stands for a part nobody calls: the routes are only listed."""

    def __getattr__(self, name: str) -> "Nobody":
        return Nobody()

    def __call__(self, *_: object, **__: object) -> "Nobody":
        return Nobody()


def api_routes(routes: Any) -> Iterator[APIRoute]:
    for route in routes:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from api_routes(route.original_router.routes)


@cache
def described() -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """All routes, and those shown in the document."""
    parts: dict[str, Any] = {name: Nobody() for name in Doors.__dataclass_fields__}
    app = build_api(Doors(**(parts | {"edition": "full"})), Nobody())  # type: ignore[arg-type]
    found = list(api_routes(app.routes))
    every = {(m, r.path) for r in found for m in (r.methods or ())}
    return every, {(m, r.path.replace(":path}", "}")) for r in found for m in (r.methods or ()) if r.include_in_schema}
