"""What the Connect UI looks like in an environment, and what browsers tell of its use."""

from datetime import timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import Counter
from pydantic import AwareDatetime, Field

from dragoman_server.api.common import Json, data, environment_of, refuse_unknown_query
from dragoman_server.connect.sessions import Sessions
from dragoman_server.control import Environments
from dragoman_server.control.connect_ui import MOST_ORIGINS, ConnectUi
from dragoman_server.control.connect_ui import Theme as Shown
from dragoman_server.kit.clock import SystemClock
from dragoman_server.kit.telemetry import REGISTRY
from dragoman_server.web.errors import UnknownSessionError
from dragoman_server.web.strict import StrictModel, refuse

EVENTS = Counter("dragoman_connect_ui_events_total", "What people did in the Connect UI.", ["event"], registry=REGISTRY)
NEAR = timedelta(hours=1)
"""How far a browser's clock may be off."""
Event = Literal[
    "open",
    "view:list",
    "view:integration",
    "view:unknown_error",
    "view:credentials_error",
    "view:success",
    "click:integration",
    "click:doc",
    "click:doc_section",
    "click:connect",
    "click:close",
    "click:finish",
    "click:outside",
    "popup:blocked_by_browser",
    "popup:closed_early",
]
Colour = Annotated[str, Field(max_length=20, description="#rrggbb")]
Origin = Annotated[str, Field(max_length=255, description="e.g. https://app.example.com")]


class Colours(StrictModel):
    primary: Colour


class Theme(StrictModel):
    light: Colours
    dark: Colours


class ConnectUiChanges(StrictModel):
    """Leaving a key out leaves it as it is."""

    theme: Theme | None = None
    defaultTheme: Shown | None = None  # noqa: N815 (the wire's name)
    showWatermark: bool | None = None  # noqa: N815 (the wire's name)
    allowed_embedding_origins: list[Origin] | None = Field(
        None, max_length=MOST_ORIGINS, description="Pages that may embed the Connect UI; empty: any."
    )


class Dimensions(StrictModel):
    integration: str | None = Field(None, max_length=255)


class TelemetryIn(StrictModel):
    token: str = Field(max_length=255)
    event: Event
    timestamp: AwareDatetime
    dimensions: Dimensions | None = None


def routes(*, environments: Environments, sessions: Sessions) -> APIRouter:
    router = APIRouter()

    @router.get("/environment/connect-ui", summary="What the Connect UI looks like", tags=["Environments"])
    async def read(request: Request) -> Json:
        return data(_whole(await environments.connect_ui(environment_of(request))))

    @router.put("/environment/connect-ui", summary="Set what the Connect UI looks like", tags=["Environments"])
    async def write(request: Request, body: ConnectUiChanges) -> Json:
        environment_id = environment_of(request)
        now = await environments.connect_ui(environment_id)
        origins = body.allowed_embedding_origins
        wanted = ConnectUi(
            body.theme.light.primary if body.theme else now.light_primary,
            body.theme.dark.primary if body.theme else now.dark_primary,
            body.defaultTheme or now.default_theme,
            now.show_watermark if body.showWatermark is None else body.showWatermark,
            now.allowed_embedding_origins if origins is None else origins,
        )
        return data(_whole(await environments.set_connect_ui(environment_id, wanted)))

    @router.post("/connect/telemetry", status_code=204, summary="What somebody did in the Connect UI", tags=["Connect"])
    async def telemetry(request: Request, body: TelemetryIn) -> Response:
        """The token stands in the body: a page that is left can send a beacon, but no header."""
        refuse_unknown_query(request)
        if abs(SystemClock().now() - body.timestamp) > NEAR:
            raise refuse("body", "custom", "it is too far from the server's time", "timestamp")
        if await sessions.find(body.token) is None:
            raise UnknownSessionError
        EVENTS.labels(body.event).inc()
        return Response(status_code=204)

    return router


def connect_ui_settings(settings: ConnectUi) -> dict[str, Any]:
    """Settings as the page reads them."""
    return {
        "theme": {"light": {"primary": settings.light_primary}, "dark": {"primary": settings.dark_primary}},
        "defaultTheme": settings.default_theme,
        "showWatermark": settings.show_watermark,
    }


def _whole(settings: ConnectUi) -> dict[str, Any]:
    origins = list(settings.allowed_embedding_origins)
    return {**connect_ui_settings(settings), "allowed_embedding_origins": origins}
