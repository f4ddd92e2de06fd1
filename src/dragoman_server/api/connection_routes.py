"""/connections: one customer's authorized account; its metadata, tags and credential."""

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field, ValidationError, field_validator

from dragoman_server.api.common import (
    CONNECTION_ID,
    INTEGRATION_KEY,
    IntegrationHeader,
    Json,
    caller,
    encode_items,
    environment_of,
    query_truth,
)
from dragoman_server.api.older_shapes import FlatImport, credentials_of
from dragoman_server.api.query_openapi import CONNECTIONS
from dragoman_server.api.shapes import connection_full, connection_summary, credential_shape
from dragoman_server.connect.errors import RefreshFailedError
from dragoman_server.connect.service import Connect
from dragoman_server.control import Connections, Integrations
from dragoman_server.control.errors import UnknownConnectionError
from dragoman_server.control.model import Connection, ConnectionFilter, EndUser, Organization
from dragoman_server.flows.delete_connection import DeleteConnection
from dragoman_server.flows.lookup import connection_or_refuse, integration_or_refuse
from dragoman_server.flows.read_connection import ReadConnection
from dragoman_server.kit.errors import DragomanError, NotFoundError
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.providers import Catalogue
from dragoman_server.web.principal import Principal
from dragoman_server.web.strict import StrictModel, invalid_input, refuse
from dragoman_server.webhooks.urls import check_webhook_url

READ_CREDENTIALS = "environment:connections:read_credentials"
UNPAGED = 10_000
_TAG = re.compile(r"^tags\[(.{1,64})\]$", re.DOTALL)
_LIST_KEYS = frozenset(
    {"connectionId", "search", "integrationId", "endUserId", "endUserOrganizationId", "limit", "page"}
)
ShortText = Annotated[str, Field(max_length=255)]
Key = Annotated[str, Field(min_length=1, max_length=255, pattern=INTEGRATION_KEY)]


class OrganizationIn(StrictModel):
    id: str = Field(max_length=255)
    display_name: str | None = Field(None, max_length=255)


class EndUserIn(StrictModel):
    id: str = Field(min_length=1, max_length=255)
    email: str | None = Field(None, max_length=255)
    display_name: str | None = Field(None, max_length=255)
    tags: dict[str, ShortText] | None = None
    organization: OrganizationIn | None = None

    def noun(self) -> EndUser:
        organization = self.organization and Organization(self.organization.id, self.organization.display_name)
        return EndUser(self.id, self.email, self.display_name, self.tags or {}, organization)


class Import(StrictModel):
    provider_config_key: Key
    connection_id: str | None = Field(None, min_length=1, max_length=255)
    credentials: dict[str, Any]
    connection_config: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None
    tags: dict[str, str] | None = None
    end_user: EndUserIn | None = None
    webhook_url_override: str | None = Field(None, max_length=2048)

    @field_validator("connection_id")
    @classmethod
    def _letters(cls, value: str | None) -> str | None:
        if value is not None and not CONNECTION_ID.match(value):
            raise ValueError("it has characters a connection id cannot have")
        return value


class Which(StrictModel):
    provider_config_key: Key


class Read(Which):
    force_refresh: str = "false"
    refresh_token: str = "false"  # noqa: S105 (a flag's name on the wire)
    refresh_github_app_jwt_token: str = "false"  # noqa: S105


class Patch(StrictModel):
    tags: dict[str, str] | None = None
    end_user: EndUserIn | None = None
    webhook_url_override: str | None = Field(None, max_length=2048)


class Metadata(StrictModel):
    connection_id: str | Annotated[list[str], Field(min_length=1, max_length=1000)]
    provider_config_key: Key
    metadata: dict[str, Any]


def routes(
    *,
    connect: Connect,
    connections: Connections,
    integrations: Integrations,
    catalogue: Catalogue,
    read_connection: ReadConnection,
    delete_connection: DeleteConnection,
) -> APIRouter:
    router = APIRouter(tags=["Connections"])

    async def with_credentials(
        principal: Principal, connection: Connection, *, force: bool, refresh_token: bool, app_token: bool
    ) -> dict[str, Any]:
        """The whole connection; without the scope its credentials are left out, and nothing is refreshed."""
        if connection.pending or not principal.may(READ_CREDENTIALS):
            return connection_full(connection, {})
        try:
            fresh, credential = await read_connection(connection, force=force)
            if app_token:
                credential = await read_connection.with_app_token(fresh, credential)
        except RefreshFailedError as error:
            shown = connection_full(connection, {})
            raise DragomanError(
                error.message, status=400, public_code=error.public_code, payload={"connection": shown}
            ) from error
        except UnknownConnectionError as error:  # deleted elsewhere a moment ago, and still in our cache
            raise NotFoundError(error.message) from None
        return connection_full(fresh, credential_shape(credential, refresh_token=refresh_token))

    @router.get("/connection", include_in_schema=False)
    @router.get("/connections", summary="Find connections", openapi_extra=CONNECTIONS)
    async def list_connections(request: Request) -> Json:
        wanted = _filter(request)
        slices = connections.slices(environment_of(request), wanted)
        parts = [encode_items([connection_summary(c) for c in found]) async for found in slices if found]
        return Json(b'{"connections":[' + b",".join(parts) + b"]}")

    @router.post("/connections", status_code=201, summary="Import a credential you already have")
    async def create(request: Request, body: Import) -> Json:
        principal = caller(request)
        environment_id = principal.environment_id
        if await integrations.get(environment_id, body.provider_config_key) is None:
            raise NotFoundError(f"There is no integration `{body.provider_config_key}` in this environment.")
        made = await connect.import_connection(
            environment_id,
            body.provider_config_key,
            body.credentials,
            connection_id=body.connection_id or str(uuid.uuid4()),
            connection_config=body.connection_config,
            metadata=body.metadata,
            tags=body.tags,
            end_user=body.end_user.noun() if body.end_user else None,
            webhook_url_override=_webhook(body.webhook_url_override),
        )
        stored = await read_connection.as_stored(made.connection) if principal.may(READ_CREDENTIALS) else None
        shown = {} if stored is None else credential_shape(stored, refresh_token=True)
        return Json(connection_full(made.connection, shown), 201)

    @router.post("/connection", status_code=201, include_in_schema=False)
    async def create_flat(request: Request, body: FlatImport) -> Json:
        integration = await integrations.get(environment_of(request), body.provider_config_key)
        if integration is None:
            raise NotFoundError(f"There is no integration `{body.provider_config_key}` in this environment.")
        mode = catalogue.require(integration.provider).auth_mode
        modern = body.model_dump(include={"provider_config_key", "connection_id", "metadata", "connection_config"})
        try:
            given = Import(**modern, credentials=credentials_of(body, mode, datetime.now(UTC)))
        except ValidationError as error:
            raise invalid_input([{**e, "loc": ("body", *e["loc"])} for e in error.errors()]) from None
        return await create(request, given)

    @router.post("/connection/metadata", status_code=201, include_in_schema=False)
    @router.post("/connections/metadata", status_code=201, summary="Replace metadata, of one or of several")
    async def set_metadata(request: Request, body: Metadata) -> Json:
        await _write(environment_of(request), body, merge=False)
        return Json(body.model_dump(), 201)

    @router.patch("/connection/metadata", include_in_schema=False)
    @router.patch("/connections/metadata", summary="Merge top-level keys into metadata, of one or of several")
    async def merge_metadata(request: Request, body: Metadata) -> Json:
        await _write(environment_of(request), body, merge=True)
        return Json(body.model_dump())

    @router.post("/connection/{connection_id:path}/metadata", status_code=201, include_in_schema=False)
    async def set_one(
        request: Request, connection_id: str, integration_key: IntegrationHeader, body: dict[str, Any]
    ) -> Json:
        named = Metadata(connection_id=connection_id, provider_config_key=integration_key, metadata=body)
        await _write(environment_of(request), named, merge=False)
        return Json(body, 201)

    @router.patch("/connection/{connection_id:path}/metadata", include_in_schema=False)
    async def merge_one(
        request: Request, connection_id: str, integration_key: IntegrationHeader, body: dict[str, Any]
    ) -> Json:
        named = Metadata(connection_id=connection_id, provider_config_key=integration_key, metadata=body)
        await _write(environment_of(request), named, merge=True)
        return Json(body)

    @router.get("/connection/{connection_id:path}", include_in_schema=False)
    @router.get("/connections/{connection_id:path}", summary="A connection with a credential that is fresh now")
    async def read(request: Request, connection_id: str, query: Annotated[Read, Query()]) -> Json:
        principal = caller(request)
        connection = await _find(principal.environment_id, query.provider_config_key, connection_id)
        return Json(
            await with_credentials(
                principal,
                connection,
                force=_flag(query.force_refresh, "force_refresh"),
                refresh_token=_flag(query.refresh_token, "refresh_token"),
                app_token=_flag(query.refresh_github_app_jwt_token, "refresh_github_app_jwt_token"),
            )
        )

    async def _find(environment_id: EnvironmentId, integration_key: str, connection_id: str) -> Connection:
        try:
            return await connection_or_refuse(
                integrations, connections, environment_id, integration_key, connection_id, status=404
            )
        except UnknownConnectionError as error:
            raise NotFoundError(error.message) from None

    @router.patch("/connections/{connection_id:path}", summary="Change tags, end user or webhook URL")
    async def patch(request: Request, connection_id: str, query: Annotated[Which, Query()], body: Patch) -> Json:
        environment_id = environment_of(request)
        connection = await _find(environment_id, query.provider_config_key, connection_id)
        await connections.patch(
            environment_id,
            connection.integration_key,
            connection.connection_id,
            tags=body.tags,
            end_user=body.end_user.noun() if body.end_user else None,
            webhook_url_override=_webhook(body.webhook_url_override),
        )
        return Json({"success": True})

    @router.delete("/connection/{connection_id:path}", include_in_schema=False)
    @router.delete("/connections/{connection_id:path}", summary="Delete it; its schedules end, its records go")
    async def delete(request: Request, connection_id: str, query: Annotated[Which, Query()]) -> Json:
        environment_id = environment_of(request)
        await connection_or_refuse(integrations, connections, environment_id, query.provider_config_key, connection_id)
        await delete_connection(environment_id, query.provider_config_key, connection_id)
        return Json({"success": True})

    async def _write(environment_id: EnvironmentId, body: Metadata, *, merge: bool) -> None:
        await integration_or_refuse(integrations, environment_id, body.provider_config_key, status=400)
        ids = [body.connection_id] if isinstance(body.connection_id, str) else body.connection_id
        write = connections.merge_metadata if merge else connections.set_metadata
        try:
            await write(environment_id, body.provider_config_key, ids, body.metadata)
        except UnknownConnectionError as error:
            raise DragomanError(error.message, status=404, public_code=error.public_code) from None

    return router


def _flag(value: str, name: str) -> bool:
    try:
        return query_truth(value)
    except ValueError as error:
        raise refuse("query", "invalid_type", str(error), name) from None


def _webhook(url: str | None) -> str | None:
    if url:
        problem = check_webhook_url(url)
        if problem is not None:
            raise refuse("body", "invalid_format", problem, "webhook_url_override")
    return url


def _filter(request: Request) -> ConnectionFilter:
    """Read GET /connections' query: strict, with `tags[key]=value` beside the named keys."""
    given: dict[str, str] = {}
    tags: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        tag = _TAG.match(name)
        if tag is not None:
            if tags.setdefault(tag[1].lower(), value) != value:
                raise refuse("query", "custom", "a tag has one value", f"tags[{tag[1]}]")
        elif name in given:
            raise refuse("query", "invalid_type", "expected one value", name)
        elif name in _LIST_KEYS:
            given[name] = value
        else:
            raise refuse("query", "unrecognized_keys", f"Unrecognized key: {name[:100]!r}")
    return ConnectionFilter(
        connection_id=given.get("connectionId"),
        search=given.get("search") or None,
        integration_keys=[k for k in given.get("integrationId", "").split(",") if k],
        end_user_id=given.get("endUserId"),
        end_user_organization_id=given.get("endUserOrganizationId"),
        tags=tags,
        limit=_number(given, "limit", UNPAGED, lowest=1, highest=2000),
        page=_number(given, "page", 0, lowest=0, highest=1_000_000),
    )


def _number(given: Mapping[str, str], name: str, default: int, *, lowest: int, highest: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise refuse("query", "invalid_type", "expected a whole number", name)
    number = int(text)
    if number < lowest:
        raise refuse("query", "too_small", f"at least {lowest}", name)
    if number > highest:
        raise refuse("query", "too_big", f"at most {highest}", name)
    return number
