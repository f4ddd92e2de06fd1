"""The endpoints of the modes whose fields a person types in and whose token we ask for, or make, ourselves."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Body, Request
from pydantic import Field

from dragoman_server.api.common import Json
from dragoman_server.api.connect_input import Configured
from dragoman_server.api.query_openapi import CONNECTING
from dragoman_server.providers.model import AuthMode

Enter = Callable[[Request, str, AuthMode, Mapping[str, Any]], Awaitable[Json]]
Secret = Annotated[str, Field(min_length=1, max_length=2048)]
Short = Annotated[str, Field(min_length=1, max_length=1024)]
Declared = Annotated[
    dict[str, Any],
    Body(description="The fields the entry declares under `credentials`, and `connection_config`."),
]


class TbaIn(Configured):
    token_id: Secret
    token_secret: Secret
    oauth_client_id_override: str | None = Field(None, max_length=255)
    oauth_client_secret_override: str | None = Field(None, max_length=2048)


class BillIn(Configured):
    username: Short
    password: Short
    organization_id: Short
    dev_key: Short


class RoleIn(Configured):
    type: Literal["AWS_SIGV4"] = "AWS_SIGV4"
    role_arn: Annotated[str, Field(min_length=1, max_length=2048)]
    region: str | None = Field(None, max_length=64)


class SignatureIn(Configured):
    type: Literal["SIGNATURE"] = "SIGNATURE"
    username: Short
    password: Short


def add_routes(router: APIRouter, enter: Enter) -> None:
    """Add them to the router of the connect endpoints."""

    @router.post("/auth/tba/{unique_key}", summary="Connect with a NetSuite token", openapi_extra=CONNECTING)
    async def tba(request: Request, unique_key: str, body: TbaIn) -> Json:
        return await enter(request, unique_key, AuthMode.TBA, body.model_dump(exclude_none=True))

    @router.post("/auth/two-step/{unique_key}", summary="Connect by a provider's own login", openapi_extra=CONNECTING)
    async def two_step(request: Request, unique_key: str, body: Declared) -> Json:
        return await enter(request, unique_key, AuthMode.TWO_STEP, body)

    @router.post("/auth/jwt/{unique_key}", summary="Connect with a key that signs tokens", openapi_extra=CONNECTING)
    async def jwt(request: Request, unique_key: str, body: Declared) -> Json:
        return await enter(request, unique_key, AuthMode.JWT, body)

    @router.post("/auth/bill/{unique_key}", summary="Connect to BILL", openapi_extra=CONNECTING)
    async def bill(request: Request, unique_key: str, body: BillIn) -> Json:
        return await enter(request, unique_key, AuthMode.BILL, body.model_dump())

    @router.post("/auth/aws-sigv4/{unique_key}", summary="Connect with an AWS role", openapi_extra=CONNECTING)
    async def aws(request: Request, unique_key: str, body: RoleIn) -> Json:
        values = body.model_dump(exclude_none=True, exclude={"type"})
        return await enter(request, unique_key, AuthMode.AWS_SIGV4, values)

    @router.post("/auth/signature/{unique_key}", summary="Connect with a WSSE user", openapi_extra=CONNECTING)
    async def signature(request: Request, unique_key: str, body: SignatureIn) -> Json:
        return await enter(request, unique_key, AuthMode.SIGNATURE, body.model_dump(exclude={"type"}))

    _ = (tba, two_step, jwt, bill, aws, signature)
