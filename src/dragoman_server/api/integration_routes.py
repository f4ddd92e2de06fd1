"""/integrations: a provider set up in an environment, and the functions deployed for it."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from pydantic import Field

from dragoman_server.api.common import INTEGRATION_KEY, Json, caller, data, environment_of
from dragoman_server.api.shapes import function_shape, integration_shape, scripts_config, tools_of
from dragoman_server.control import Environments, Functions, Integrations
from dragoman_server.control.model import Integration
from dragoman_server.flows.delete_integration import DeleteIntegration
from dragoman_server.kit.errors import ForbiddenError, InvalidInputError, Issue, NotFoundError
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.providers import Catalogue, Provider
from dragoman_server.providers.model import AuthMode
from dragoman_server.web.principal import CallerKind
from dragoman_server.web.strict import StrictModel, refuse

READ_CREDENTIALS = "environment:integrations:read_credentials"
ShortText = Annotated[str, Field(max_length=8192)]


class Create(StrictModel):
    unique_key: str = Field(min_length=1, max_length=255, pattern=INTEGRATION_KEY)
    provider: str = Field(min_length=1, max_length=255)
    display_name: str | None = Field(None, max_length=255)
    forward_webhooks: bool = True
    credentials: dict[str, Any] | None = None
    integration_config: dict[str, ShortText] | None = None
    custom: dict[str, ShortText] | None = None
    allowed_origins: list[str] | None = Field(None, max_length=50)


class Quickstart(StrictModel):
    unique_key: str = Field(min_length=1, max_length=255, pattern=INTEGRATION_KEY)
    provider: str = Field(min_length=1, max_length=255)
    display_name: str | None = Field(None, max_length=255)
    forward_webhooks: bool = True


class Update(StrictModel):
    unique_key: str | None = Field(None, min_length=1, max_length=255, pattern=INTEGRATION_KEY)
    display_name: str | None = Field(None, max_length=255)
    forward_webhooks: bool | None = None
    credentials: dict[str, Any] | None = None
    integration_config: dict[str, ShortText] | None = None
    custom: dict[str, ShortText] | None = None
    allowed_origins: list[str] | None = Field(None, max_length=50)


class Include(StrictModel):
    include: list[Literal["webhook", "credentials"]] = Field(default_factory=list[Literal["webhook", "credentials"]])


class FunctionQuery(StrictModel):
    type: Literal["sync", "action", "on-event"] | None = None
    search: str | None = Field(None, min_length=1, max_length=255)
    page: int = Field(0, ge=0, le=1_000_000)
    limit: int = Field(20, ge=1, le=100)


class FunctionType(StrictModel):
    type: Literal["sync", "action", "on-event"] | None = None


class ConfigFormat(StrictModel):
    format: Literal["nango", "openai"] = "nango"


def routes(
    *,
    integrations: Integrations,
    functions: Functions,
    catalogue: Catalogue,
    delete_integration: DeleteIntegration,
    environments: Environments,
    public_url: str,
) -> APIRouter:
    router = APIRouter(tags=["Integrations"])

    async def webhook_url(integration: Integration) -> str | None:
        """Where its provider calls us; None when we would make nothing of it."""
        provider = provider_of(integration)
        if provider is None or not provider.get("installation"):
            return None
        environment = await environments.require(integration.environment_id)
        return f"{public_url.rstrip('/')}/webhook/{environment.uuid}/{quote(integration.unique_key, safe='')}"

    def provider_of(integration: Integration) -> Provider | None:
        return catalogue.get(integration.provider)

    async def found_or_404(environment_id: EnvironmentId, unique_key: str) -> Integration:
        found = await integrations.get(environment_id, unique_key)
        if found is None:
            raise NotFoundError(f"There is no integration `{unique_key[:255]}` in this environment.")
        return found

    @router.get("/integrations", summary="The environment's integrations")
    async def list_integrations(request: Request) -> Json:
        principal = caller(request)
        found = await integrations.list(principal.environment_id)
        if principal.kind is CallerKind.SESSION:
            found = [i for i in found if principal.session.allows(i.unique_key)]
        return data([integration_shape(i, provider_of(i)) for i in found])

    @router.post("/integrations", summary="Set up a provider")
    async def create(request: Request, body: Create) -> Json:
        provider = catalogue.get(body.provider)
        if provider is None:
            raise refuse("body", "custom", f"The catalogue has no provider `{body.provider[:100]}`.", "provider")
        _check_credentials(provider, body.credentials)
        made = await integrations.create(
            environment_of(request),
            body.unique_key,
            body.provider,
            display_name=body.display_name,
            credentials=body.credentials,
            forward_webhooks=body.forward_webhooks,
            config=body.integration_config,
            custom=body.custom,
            allowed_origins=body.allowed_origins or (),
        )
        return data(integration_shape(made, provider))

    @router.post("/integrations/quickstart", summary="Set up a provider that needs no developer application")
    async def quickstart(request: Request, body: Quickstart) -> Json:
        provider = catalogue.get(body.provider)
        if provider is not None and _APP_TYPES.get(provider.auth_mode):
            problem = "we lend no developer application: register your own and use POST /integrations"
            raise refuse("body", "custom", problem, "provider")
        return await create(request, Create(**body.model_dump()))

    @router.get("/integrations/{unique_key}", summary="One integration")
    async def read(request: Request, unique_key: str, query: Annotated[Include, Query()]) -> Json:
        principal = caller(request)
        found = await found_or_404(principal.environment_id, unique_key)
        shape = integration_shape(found, provider_of(found))
        if "webhook" in query.include:
            shape["webhook_url"] = await webhook_url(found)
        if "credentials" in query.include:
            if not principal.may(READ_CREDENTIALS):
                raise ForbiddenError(
                    f"This API key lacks the scope `{READ_CREDENTIALS}`.", public_code="invalid_permissions"
                )
            shape["credentials"] = dict(await integrations.credentials(found)) or None
        return data(shape)

    @router.patch("/integrations/{unique_key}", summary="Change an integration")
    async def update(request: Request, unique_key: str, body: Update) -> Json:
        environment_id = environment_of(request)
        found = await found_or_404(environment_id, unique_key)
        provider = provider_of(found)
        if body.credentials is not None and provider is not None:
            _check_credentials(provider, body.credentials)
        changed = await integrations.update(
            environment_id,
            unique_key,
            new_key=body.unique_key,
            display_name=body.display_name,
            credentials=body.credentials,
            forward_webhooks=body.forward_webhooks,
            config=body.integration_config,
            custom=body.custom,
            allowed_origins=body.allowed_origins,
        )
        return data(integration_shape(changed, provider))

    @router.delete("/integrations/{unique_key}", summary="Delete it with its connections, syncs and schedules")
    async def delete(request: Request, unique_key: str) -> Json:
        environment_id = environment_of(request)
        await found_or_404(environment_id, unique_key)
        await delete_integration(environment_id, unique_key)
        return Json({"success": True})

    @router.get("/integrations/{unique_key}/functions", summary="Its deployed functions")
    async def list_functions(request: Request, unique_key: str, query: Annotated[FunctionQuery, Query()]) -> Json:
        environment_id = environment_of(request)
        await found_or_404(environment_id, unique_key)
        found = [
            f
            for f in await functions.active(environment_id, unique_key)
            if query.type in (None, f.type) and (query.search is None or query.search.lower() in f.name.lower())
        ]
        shown = found[query.page * query.limit : (query.page + 1) * query.limit]
        pagination = {"total": len(found), "page": query.page, "limit": query.limit}
        return Json({"data": [function_shape(f) for f in shown], "pagination": pagination})

    @router.get("/integrations/{unique_key}/functions/{name}", summary="One deployed function")
    async def read_function(
        request: Request, unique_key: str, name: str, query: Annotated[FunctionType, Query()]
    ) -> Json:
        environment_id = environment_of(request)
        await found_or_404(environment_id, unique_key)
        found = await functions.find(environment_id, unique_key, name, query.type)
        if found is None:
            raise NotFoundError(f"The integration `{unique_key}` has no function `{name[:100]}`.")
        return data(function_shape(found))

    @router.get("/config", include_in_schema=False)
    async def older_list(request: Request) -> Json:
        found = await integrations.list(environment_of(request))
        return Json({"configs": [integration_shape(i, provider_of(i)) for i in found]})

    @router.get("/config/{unique_key}", include_in_schema=False)
    async def older_read(request: Request, unique_key: str) -> Json:
        found = await found_or_404(environment_of(request), unique_key)
        return Json({"config": integration_shape(found, provider_of(found))})

    @router.get("/scripts/config", summary="All deployed functions, by integration")
    async def config(request: Request, query: Annotated[ConfigFormat, Query()]) -> Json:
        environment_id = environment_of(request)
        found = await functions.active(environment_id)
        if query.format == "openai":
            return data(tools_of(found))
        by_key = {i.unique_key: i for i in await integrations.list(environment_id)}
        return Json(scripts_config(found, by_key))

    return router


_APP_TYPES: Mapping[AuthMode, frozenset[str]] = {
    AuthMode.OAUTH2: frozenset({"OAUTH2"}),
    AuthMode.OAUTH1: frozenset({"OAUTH1"}),
    AuthMode.TBA: frozenset({"TBA"}),
    AuthMode.APP: frozenset({"APP"}),
    AuthMode.CUSTOM: frozenset({"CUSTOM"}),
    AuthMode.MCP_OAUTH2: frozenset({"MCP_OAUTH2"}),
    AuthMode.MCP_OAUTH2_GENERIC: frozenset({"MCP_OAUTH2_GENERIC"}),
    AuthMode.INSTALL_PLUGIN: frozenset({"INSTALL_PLUGIN"}),
}


def _check_credentials(provider: Provider, credentials: Mapping[str, Any] | None) -> None:
    """The developer application must be of the provider's kind; modes without one take none."""
    if credentials is None:
        return
    wanted = _APP_TYPES.get(provider.auth_mode, frozenset())
    if not wanted:
        message = f"`{provider.name}` ({provider.auth_mode}) takes no application credentials."
        raise InvalidInputError(message, issues=[Issue("custom", message, ("credentials",))])
    if credentials.get("type") not in wanted:
        raise refuse("body", "invalid_type", f"expected {' or '.join(sorted(wanted))}", "credentials", "type")
