"""What the routers share: the caller, raw JSON answers, headers that name a connection."""

import re
from collections.abc import Sequence
from typing import Annotated, Any, cast

import msgspec
from fastapi import Header, Request, Response

from dragoman_server.kit.errors import InvalidInputError, Issue
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.web.principal import Principal

INTEGRATION_KEY = r"^[a-zA-Z0-9~:.@ _-]+$"
FUNCTION_NAME = r"^[a-zA-Z0-9_-]+$"
CONNECTION_ID = re.compile(r"^[\w.,;:=+~\[\]|@${}\"'\\/ -]{1,255}$")

ConnectionHeader = Annotated[str, Header(alias="Connection-Id", min_length=1, max_length=255)]
IntegrationHeader = Annotated[
    str, Header(alias="Provider-Config-Key", min_length=1, max_length=255, pattern=INTEGRATION_KEY)
]
OptionalConnectionHeader = Annotated[str | None, Header(alias="Connection-Id", max_length=255)]
OptionalIntegrationHeader = Annotated[str | None, Header(alias="Provider-Config-Key", max_length=255)]


def caller(request: Request) -> Principal:
    """Who calls; set by the check of `demands.py` before any route runs."""
    return cast("Principal", request.state.principal)


def environment_of(request: Request) -> EnvironmentId:
    return caller(request).environment_id


class Json(Response):
    """An answer encoded by msgspec: dates in ISO-8601, dataclasses as objects."""

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        return content if isinstance(content, bytes) else msgspec.json.encode(content)


def encode_items(items: Sequence[Any]) -> bytes:
    """Return a slice of a JSON array without its brackets, for lists too long to encode in one go."""
    return msgspec.json.encode(items)[1:-1]


def data(value: Any, status: int = 200) -> Json:
    """`{"data": value}`."""
    return Json({"data": value}, status)


def query_truth(value: str) -> bool:
    """`true`/`false` as clients write them in queries and headers."""
    lowered = value.strip().lower()
    if lowered in {"true", "1", "yes"}:
        return True
    if lowered in {"false", "0", "no", ""}:
        return False
    raise ValueError("expected true or false")


def refuse_unknown_query(request: Request, known: frozenset[str] = frozenset()) -> None:
    """Routes without query parameters refuse any; `tags[…]`-like keys are checked by their routes."""
    unknown = sorted({k for k in request.query_params if k not in known})
    if unknown:
        issues = [Issue("unrecognized_keys", f"Unrecognized key: {k!r}") for k in unknown]
        raise InvalidInputError(issues[0].message, public_code="invalid_query_params", issues=issues)
