"""Connect sessions, and the endpoints a browser calls with one to create a connection."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, cast
from uuid import UUID

from fastapi import APIRouter, Request, Response
from pydantic import Field, model_validator

from dragoman_server.api import connect_input, connect_modes, device_routes, outbound_routes
from dragoman_server.api.common import INTEGRATION_KEY, Json, caller, data, refuse_unknown_query
from dragoman_server.api.connect_input import Configured, Leave
from dragoman_server.api.connect_ui_routes import connect_ui_settings
from dragoman_server.api.query_openapi import CONNECTING, SESSION
from dragoman_server.api.shapes import wire_time
from dragoman_server.connect import device, pages
from dragoman_server.connect.authorize import Outcome
from dragoman_server.connect.connecting import Connected
from dragoman_server.connect.handshake import Begun
from dragoman_server.connect.model import ConnectSession, SessionOptions
from dragoman_server.connect.service import Connect
from dragoman_server.control import Connections, Environments
from dragoman_server.control.connect_ui import ConnectUi
from dragoman_server.control.model import Connection, EndUser, Organization
from dragoman_server.control.rules import check_end_user, normalize_tags, require
from dragoman_server.kit.errors import DragomanError, NotFoundError
from dragoman_server.kit.ids import AccountId, EnvironmentId
from dragoman_server.kit.secret import Secret
from dragoman_server.providers.model import AuthMode
from dragoman_server.web.strict import StrictModel, refuse
from dragoman_server.webhooks.urls import check_webhook_url

Key = Annotated[str, Field(min_length=1, max_length=255, pattern=INTEGRATION_KEY)]
ShortText = Annotated[str, Field(max_length=255)]
LongText = Annotated[str, Field(max_length=8192)]
_UNKEPT = {"Cache-Control": "no-store"}


class OrganizationIn(StrictModel):
    id: str = Field(min_length=1, max_length=255)
    display_name: ShortText | None = None


class EndUserIn(StrictModel):
    id: str = Field(min_length=1, max_length=255)
    email: str | None = Field(None, max_length=254)
    display_name: ShortText | None = None
    tags: dict[str, ShortText] | None = None


class Defaults(StrictModel):
    user_scopes: LongText | None = None
    authorization_params: dict[str, LongText] | None = None
    connection_config: dict[str, Any] | None = None


class Overrides(StrictModel):
    docs_connect: str | None = Field(None, max_length=2048, pattern=r"^https?://")


class SessionIn(StrictModel):
    end_user: EndUserIn | None = None
    organization: OrganizationIn | None = None
    tags: dict[str, str] | None = None
    integrations_config_defaults: dict[Key, Defaults] | None = None
    overrides: dict[Key, Overrides] | None = None
    webhook_url_override: str | None = Field(None, max_length=2048)


class Create(SessionIn):
    allowed_integrations: list[Key] | None = Field(None, max_length=1000)

    @model_validator(mode="after")
    def _somebody(self) -> "Create":
        if self.end_user is None and not self.tags:
            raise ValueError("end_user is required unless tags are given")
        return self


class Reconnect(SessionIn):
    connection_id: str = Field(min_length=1, max_length=255)
    integration_id: Key


class ApiKeyIn(Configured):
    apiKey: str = Field(min_length=1, max_length=1024)  # noqa: N815 (the wire's name)


class BasicIn(Configured):
    username: str = Field("", max_length=1024)
    password: str = Field("", max_length=1024)


class ClientIn(Configured):
    client_id: str = Field(min_length=1, max_length=255)
    client_secret: str | None = Field(None, max_length=2048)
    client_certificate: str | None = Field(None, max_length=10_000)
    client_private_key: str | None = Field(None, max_length=10_000)


def routes(
    *,
    connect: Connect,
    connections: Connections,
    environments: Environments,
    tell: Callable[[Outcome], Awaitable[None]],
) -> APIRouter:
    router = APIRouter(tags=["Connect"])

    async def made(environment_id: EnvironmentId, account_id: AccountId | None, options: SessionOptions) -> Json:
        assert account_id is not None  # an environment's key belongs to an account
        session, token = await connect.create_session(environment_id, account_id, options)
        return _created(session, token, connect)

    @router.post("/connect/sessions", status_code=201, summary="Let a browser connect accounts for half an hour")
    async def create(request: Request, body: Create) -> Json:
        refuse_unknown_query(request)
        principal = caller(request)
        return await made(principal.environment_id, principal.account_id, _options(body, body.allowed_integrations))

    @router.post("/connect/sessions/reconnect", status_code=201, summary="Let a browser authorize a connection again")
    async def reconnect(request: Request, body: Reconnect) -> Json:
        refuse_unknown_query(request)
        principal = caller(request)
        found = await connections.get(principal.environment_id, body.integration_id, body.connection_id)
        if found is None:
            raise refuse("body", "custom", "Connection or integration does not exist", "connection_id")
        options = _options(body, [body.integration_id], reconnect=found.id)
        return await made(principal.environment_id, principal.account_id, options)

    @router.get("/connect/session", summary="What this session allows", openapi_extra=SESSION)
    async def read(request: Request) -> Json:
        refuse_unknown_query(request, frozenset({"connect_session_token"}))
        session = _session(request)
        shape = _shown(session, await environments.connect_ui(session.environment_id))
        if session.options.reconnect is not None:
            shape["stored_connection_config"] = await connect.shown_config(session)
        return data(shape)

    @router.delete("/connect/session", status_code=204, summary="End this session", openapi_extra=SESSION)
    async def end(request: Request) -> Response:
        refuse_unknown_query(request, frozenset({"connect_session_token"}))
        session = _session(request)
        await connect.sessions.delete(session.environment_id, session.id)
        return Response(status_code=204)

    @router.get("/oauth/connect/{unique_key}", summary="Send the browser to the provider", openapi_extra=CONNECTING)
    async def begin(request: Request, unique_key: str) -> Response:
        session = _session(request)
        given = connect_input.read(request)
        try:
            begun = await leave(session, unique_key, given)
        except DragomanError as error:
            if _by_script(request):
                raise
            outcome = Outcome(error.public_code, error.message, unique_key, ws_client_id=given.ws_client_id)
            await tell(outcome)
            return page_response(pages.callback(outcome))
        if isinstance(begun, Outcome):
            return page_response(pages.callback(begun))
        if _by_script(request):
            return _address(begun, connect)
        response = Response(status_code=302, headers={"Location": begun.url, **_UNKEPT})
        bind(response, begun, connect)
        return response

    @router.post(
        "/oauth/connect/{unique_key}",
        summary="Get the provider's address for the browser",
        description="As GET, for a script: what is said stands in the body. Go to the address in the same browser.",
        openapi_extra=CONNECTING,
    )
    async def address(request: Request, unique_key: str, body: Leave | None = None) -> Json:
        given = connect_input.read(request, body)
        begun = await leave(_session(request), unique_key, given)
        if isinstance(begun, Outcome):
            return data({"connectionId": begun.connection_id, "providerConfigKey": begun.integration})
        return _address(begun, connect)

    async def leave(session: ConnectSession, unique_key: str, given: connect_input.Given) -> Begun | Outcome:
        """Begin at the provider; a refresh token that is brought along connects at once."""
        if given.refresh_token is None:
            return await connect.begin_oauth(session, unique_key, given.params, given.asking())
        made = await connect.use_refresh_token(session, unique_key, given.params, given.asking(), given.refresh_token)
        outcome = connected_outcome(made, given.ws_client_id)
        await tell(outcome)
        return outcome

    @router.get("/oauth/callback", summary="Where providers send the browser back", include_in_schema=False)
    @router.get("/oauth/callback/{integration}", include_in_schema=False)
    @router.get("/app-auth/connect", include_in_schema=False)
    async def callback(request: Request) -> Response:
        path = request.url.path
        outcome = await connect.finish_oauth(dict(request.query_params), request.cookies, path=path)
        await tell(outcome)
        return page_response(pages.callback(outcome))

    @router.get(
        "/oauth/client-metadata/{environment_uuid}/{unique_key}", summary="The client id metadata of an integration"
    )
    async def client_metadata(environment_uuid: UUID, unique_key: str) -> Json:
        found = await connect.client_metadata(environment_uuid, unique_key)
        if found is None:
            raise NotFoundError("There is no such client.")
        return Json(found, headers={"Cache-Control": "public, max-age=300"})

    async def enter(request: Request, unique_key: str, mode: AuthMode, values: Mapping[str, Any]) -> Json:
        credential, config = connect_input.split(request, values)
        connected = await connect.connect_with_credentials(_session(request), unique_key, mode, credential, config)
        return _connected(connected)

    @router.post("/api-auth/api-key/{unique_key}", summary="Connect with an API key", openapi_extra=CONNECTING)
    async def api_key(request: Request, unique_key: str, body: ApiKeyIn) -> Json:
        return await enter(request, unique_key, AuthMode.API_KEY, body.model_dump())

    @router.post(
        "/api-auth/basic/{unique_key}", summary="Connect with a user name and password", openapi_extra=CONNECTING
    )
    async def basic(request: Request, unique_key: str, body: BasicIn) -> Json:
        return await enter(request, unique_key, AuthMode.BASIC, body.model_dump())

    @router.post("/oauth2/auth/{unique_key}", summary="Connect with client credentials", openapi_extra=CONNECTING)
    async def client(request: Request, unique_key: str, body: ClientIn) -> Json:
        return await enter(request, unique_key, AuthMode.OAUTH2_CC, body.model_dump(exclude_none=True))

    @router.post(
        "/auth/unauthenticated/{unique_key}",
        summary="Connect to a provider without authentication",
        openapi_extra=CONNECTING,
    )
    async def unauthenticated(request: Request, unique_key: str, body: Configured | None = None) -> Json:
        return await enter(request, unique_key, AuthMode.NONE, body.model_dump() if body else {})

    async def begin_device(request: Request, unique_key: str, body: Leave | None) -> device.Begun:
        given = connect_input.read(request, body)
        return await connect.begin_device(_session(request), unique_key, given.params, given.asking())

    async def begin_installation(request: Request, unique_key: str, body: Configured | None) -> Connection:
        return await connect.begin_installation(_session(request), unique_key, connect_input.read(request, body).params)

    connect_modes.add_routes(router, enter)
    outbound_routes.add_routes(router, begin_installation)
    device_routes.add_routes(router, begin_device, connect.device_standing)
    return router


def _address(begun: Begun, connect: Connect) -> Json:
    response = Json({"data": {"url": begun.url}}, headers=_UNKEPT)
    bind(response, begun, connect)
    return response


def bind(response: Response, begun: Begun, connect: Connect) -> None:
    """Tie the way back to this browser."""
    response.set_cookie(
        begun.cookie_name,
        begun.cookie_value,
        max_age=begun.cookie_seconds,
        path=begun.cookie_path,
        secure=connect.public_url.startswith("https://"),
        httponly=True,
        samesite="lax",
    )


def connected_outcome(connected: Connected, ws_client_id: str | None) -> Outcome:
    """What the popup and its opener are told of a connection made without leaving."""
    return Outcome(
        None,
        "The account is connected.",
        connected.integration.unique_key,
        connected.connection.connection_id,
        ws_client_id=ws_client_id,
    )


def page_response(page: pages.Page) -> Response:
    return Response(page.html, page.status, dict(page.headers))


def _by_script(request: Request) -> bool:
    """A script of ours asks for the address instead of being sent there: so the token stands in a header."""
    return request.headers.get("accept", "").partition(",")[0].strip().lower() == "application/json"


def _session(request: Request) -> ConnectSession:
    return cast("ConnectSession", caller(request).session)


def _options(body: SessionIn, allowed: list[str] | None, *, reconnect: Any = None) -> SessionOptions:
    organization = body.organization
    if body.end_user is not None:
        noun = EndUser(
            body.end_user.id,
            body.end_user.email,
            body.end_user.display_name,
            body.end_user.tags or {},
            organization and Organization(organization.id, organization.display_name),
        )
        require(check_end_user(noun))
    if body.webhook_url_override:
        problem = check_webhook_url(body.webhook_url_override)
        if problem is not None:
            raise refuse("body", "invalid_format", problem, "webhook_url_override")
    defaults = body.integrations_config_defaults or {}
    for key, value in defaults.items():
        for name, given in (value.connection_config or {}).items():
            if not isinstance(given, str | bool | int | float | list):
                raise refuse(
                    "body",
                    "invalid_type",
                    "expected text",
                    "integrations_config_defaults",
                    key,
                    "connection_config",
                    name,
                )
    return SessionOptions(
        allowed_integrations=allowed,
        integrations_config_defaults={k: v.model_dump(exclude_none=True) for k, v in defaults.items()},
        overrides={k: v.model_dump(exclude_none=True) for k, v in (body.overrides or {}).items()},
        end_user=body.end_user and body.end_user.model_dump(),
        organization=organization and organization.model_dump(),
        tags=normalize_tags(body.tags or {}),
        webhook_url_override=body.webhook_url_override,
        reconnect=reconnect,
    )


def _created(session: ConnectSession, token: Secret, connect: Connect) -> Json:
    shape = {
        "token": token.reveal(),
        "connect_link": connect.connect_link(token),
        "expires_at": wire_time(session.expires_at),
    }
    return data(shape, 201)


def _shown(session: ConnectSession, settings: ConnectUi) -> dict[str, Any]:
    options = session.options
    shape: dict[str, Any] = {"endUser": _end_user(options), "connectUISettings": connect_ui_settings(settings)}
    if settings.allowed_embedding_origins:
        shape["allowed_embedding_origins"] = list(settings.allowed_embedding_origins)
    if options.allowed_integrations is not None:
        shape["allowed_integrations"] = list(options.allowed_integrations)
    if options.integrations_config_defaults:
        shape["integrations_config_defaults"] = {
            key: {k: v for k, v in value.items() if k in {"connection_config", "authorization_params"}}
            for key, value in options.integrations_config_defaults.items()
        }
    if options.overrides:
        shape["overrides"] = dict(options.overrides)
    if options.reconnect is not None:
        shape["isReconnecting"] = True
    return shape


def _end_user(options: SessionOptions) -> dict[str, Any] | None:
    user, organization = options.end_user, options.organization
    if user is None:
        return None
    return {
        "id": user["id"],
        "display_name": user.get("display_name"),
        "email": user.get("email"),
        "tags": user.get("tags"),
        "organization": None
        if organization is None
        else {"id": organization["id"], "display_name": organization.get("display_name")},
    }


def _connected(connected: Connected) -> Json:
    shape: dict[str, Any] = {
        "connectionId": connected.connection.connection_id,
        "providerConfigKey": connected.integration.unique_key,
    }
    if connected.connection.connection_config.get("pending") is True:
        shape["isPending"] = True
    return Json(shape)
