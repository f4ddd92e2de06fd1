"""The application. What it knows lives in memory: a real one has a database."""

import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Form, HTTPException, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates

from dragoman import ApiError, AsyncClient
from dragoman.connect.fastapi import AuthEvent, User, connect_button, connect_router, connect_script
from examples.setting_up import CALLS, INTEGRATIONS, USERS, Platform

HERE = Path(__file__).parent
COOKIE = "fastapi_example"


class Memory:
    """Who is signed in, and whose connections are whose."""

    def __init__(self) -> None:
        self.signed_in: dict[str, str] = {}
        self.connections: dict[str, dict[str, str]] = {}

    def of(self, name: str) -> list[dict[str, str]]:
        return [one for one in self.connections.values() if one["owner"] == name]


def build(platform: Platform) -> FastAPI:
    client = AsyncClient(url=platform.url, api_key=platform.api_key)
    memory = Memory()
    templates = Jinja2Templates(HERE / "templates")

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        async with client:
            yield

    async def name_of(request: Request) -> str | None:
        return memory.signed_in.get(request.cookies.get(COOKIE, ""))

    async def required(name: Annotated[str | None, Depends(name_of)]) -> str:
        if name is None:
            raise HTTPException(401, "Sign in first.")
        return name

    async def current_user(name: Annotated[str | None, Depends(name_of)]) -> User | None:
        if name is None:
            return None
        return User(id=name, email=f"{name}@example.com", display_name=USERS[name], tags={"plan": "free"})

    async def remember(event: AuthEvent) -> None:
        if event.success and event.end_user_id in USERS:
            found = {"id": event.connection_id, "integration": event.integration, "owner": event.end_user_id}
            memory.connections[event.connection_id] = found
        elif event.operation == "refresh" and event.connection_id in memory.connections:
            memory.connections[event.connection_id]["problem"] = "connect again"

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    app.mount("/static", StaticFiles(directory=HERE / "static"))
    app.include_router(
        connect_router(
            client=client,
            webhook_signing_key=platform.webhook_signing_key,
            current_user=current_user,
            on_auth=remember,
            integrations=list(INTEGRATIONS),
        )
    )

    @app.get("/")
    async def page(request: Request, name: Annotated[str | None, Depends(name_of)]) -> Response:
        shown = {
            "users": USERS,
            "name": name and USERS[name],
            "script": connect_script(),
            "buttons": [connect_button(label, integration=key) for key, label in INTEGRATIONS.items()],
        }
        response = templates.TemplateResponse(request, "page.html", shown)
        # No inline script anywhere, and no frame but Dragoman's.
        response.headers["Content-Security-Policy"] = f"default-src 'self'; frame-src {platform.url}"
        return response

    @app.post("/sign-in")
    async def sign_in(user: Annotated[str, Form()]) -> Response:
        if user not in USERS:
            raise HTTPException(404, "Nobody of that name.")
        token = secrets.token_urlsafe(32)
        memory.signed_in[token] = user
        response = RedirectResponse("/", 303)
        response.set_cookie(COOKIE, token, httponly=True, samesite="lax")
        return response

    @app.get("/connections")
    async def connections(name: Annotated[str, Depends(required)]) -> list[dict[str, str]]:
        return memory.of(name)

    @app.get("/connections/{connection_id}/call")
    async def call(connection_id: str, name: Annotated[str, Depends(required)]) -> dict[str, Any]:
        found = next((one for one in memory.of(name) if one["id"] == connection_id), None)
        if found is None:
            raise HTTPException(404, "There is no such connection of yours.")
        key = found["integration"]
        try:
            answer = await client.proxy("GET", CALLS[key], connection_id=connection_id, integration_id=key)
        except ApiError as error:
            raise HTTPException(502, error.message) from None
        return {"status": answer.status_code, "answer": answer.json()}

    return app
