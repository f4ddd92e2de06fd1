"""Environments and keys (with an account key); variables and webhook settings (with an environment's key)."""

from dataclasses import asdict, replace
from typing import Annotated, Any

from fastapi import APIRouter, Request, Response
from pydantic import Field

from dragoman_server.api.common import Json, caller, data, environment_of
from dragoman_server.api.shapes import wire_time
from dragoman_server.control import ApiKeys, Environments, Variables
from dragoman_server.control.model import Environment
from dragoman_server.flows.delete_environment import DeleteEnvironment
from dragoman_server.kit.errors import NotFoundError
from dragoman_server.kit.ids import AccountId, EnvironmentId
from dragoman_server.web.principal import Principal
from dragoman_server.web.strict import StrictModel, refuse
from dragoman_server.webhooks.urls import check_webhook_url

SET_PRODUCTION = "account:environments:set_production"
BIGGEST_ID = 2**31 - 1
Id = Annotated[int, Field(ge=1, le=BIGGEST_ID)]
WebhookUrl = Annotated[str | None, Field(max_length=2048)]


class NewEnvironment(StrictModel):
    name: str = Field(min_length=1, max_length=255, pattern=r"^[a-z0-9_-]+$")
    is_production: bool = False


class NewKey(StrictModel):
    environment_id: Id
    display_name: str = Field(min_length=1, max_length=255)
    scopes: list[str] | None = Field(None, max_length=100)


class OldKey(StrictModel):
    environment_id: Id
    key_id: Id


class VariableValue(StrictModel):
    value: str = Field(max_length=65_536)


class WebhookChanges(StrictModel):
    """Leaving a key out leaves it as it is; null or an empty text removes a URL."""

    primary_url: WebhookUrl = None
    secondary_url: WebhookUrl = None
    on_auth_creation: bool | None = None
    on_auth_refresh_error: bool | None = None
    on_sync_completion_always: bool | None = None
    on_sync_error: bool | None = None
    on_async_action_completion: bool | None = None


def routes(
    *,
    environments: Environments,
    api_keys: ApiKeys,
    variables: Variables,
    delete_environment: DeleteEnvironment,
) -> APIRouter:
    router = APIRouter(tags=["Environments"])

    def account_of(principal: Principal) -> AccountId:
        assert principal.account_id is not None  # account keys have one; the route admits only them
        return principal.account_id

    async def own(account_id: AccountId, environment_id: int) -> Environment:
        found = await environments.get(EnvironmentId(environment_id))
        if found is None or found.account_id != account_id:
            raise NotFoundError("This account has no such environment.")
        return found

    @router.get("/environments", summary="The account's environments")
    async def list_environments(request: Request) -> Json:
        found = await environments.list(account_of(caller(request)))
        return data([{"id": e.id, "name": e.name, "is_production": e.is_production} for e in found])

    @router.post("/environments", summary="Make an environment")
    async def create(request: Request, body: NewEnvironment) -> Json:
        principal = caller(request)
        if body.is_production:
            principal.require(SET_PRODUCTION)
        made = await environments.create(account_of(principal), body.name, is_production=body.is_production)
        return data({"id": made.id, "name": made.name})

    @router.delete("/environments/{environment_id}", status_code=204, summary="Delete an environment")
    async def delete(request: Request, environment_id: Id) -> Response:
        account_id = account_of(caller(request))
        await own(account_id, environment_id)
        await delete_environment(account_id, EnvironmentId(environment_id))
        return Response(status_code=204)

    @router.post("/environment/api-keys", summary="Make an API key; its secret is in this answer only")
    async def create_key(request: Request, body: NewKey) -> Json:
        account_id = account_of(caller(request))
        environment = await own(account_id, body.environment_id)
        key, secret = await api_keys.create(
            account_id, body.display_name, environment_id=environment.id, scopes=body.scopes
        )
        return data(
            {
                "id": key.id,
                "display_name": key.display_name,
                "scopes": sorted(key.scopes),
                "secret": secret.reveal(),
                "created_at": wire_time(key.created_at),
            }
        )

    @router.delete("/environment/api-keys", summary="Revoke an API key, within a second everywhere")
    async def delete_key(request: Request, body: OldKey) -> Json:
        account_id = account_of(caller(request))
        environment = await own(account_id, body.environment_id)
        if not await api_keys.delete(account_id, environment.id, body.key_id):
            raise NotFoundError("This environment has no such API key.")
        return Json({"success": True})

    @router.post("/environment/webhook-signing-key/rotate", summary="A new webhook signing key")
    async def rotate(request: Request) -> Json:
        made = await environments.rotate_signing_key(environment_of(request))
        return data({"webhook_signing_key": made.reveal()})

    @router.get("/environment/webhooks", summary="Where webhooks go, and which")
    async def read_webhooks(request: Request) -> Json:
        return data(asdict(await environments.webhook_settings(environment_of(request))))

    @router.put("/environment/webhooks", summary="Set where webhooks go, and which")
    async def write_webhooks(request: Request, body: WebhookChanges) -> Json:
        environment_id = environment_of(request)
        given: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set}
        for name in ("primary_url", "secondary_url"):
            if given.get(name):
                problem = check_webhook_url(given[name])
                if problem is not None:
                    raise refuse("body", "invalid_format", problem, name)
            elif name in given:
                given[name] = None
        toggles = {n: v for n, v in given.items() if not (n.startswith("on_") and v is None)}
        changed = replace(await environments.webhook_settings(environment_id), **toggles)
        await environments.set_webhook_settings(environment_id, changed)
        return data(asdict(changed))

    @router.get("/environment-variables", summary="The environment's variables")
    async def list_variables(request: Request) -> Json:
        found = await variables.list(environment_of(request))
        return Json([{"name": name, "value": value.reveal()} for name, value in sorted(found.items())])

    @router.put("/environment-variables/{name}", summary="Set a variable")
    async def put_variable(request: Request, name: str, body: VariableValue) -> Json:
        await variables.put(environment_of(request), {name: body.value})
        return data({"name": name})

    @router.delete("/environment-variables/{name}", status_code=204, summary="Remove a variable")
    async def delete_variable(request: Request, name: str) -> Response:
        if not await variables.delete(environment_of(request), [name]):
            raise NotFoundError("The environment has no such variable.")
        return Response(status_code=204)

    return router
