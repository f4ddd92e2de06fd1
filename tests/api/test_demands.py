"""One table says what every route wants of its caller; it, the routes and the OpenAPI document agree, and it is enforced."""

import re
import uuid

import pytest

from dragoman_server.api.action_door import Trigger, TriggerHeaders
from dragoman_server.api.demands import DEMANDS, HOT
from dragoman_server.api.proxy_headers import PARSERS, REQUIRED
from dragoman_server.api.proxy_openapi import METHODS
from dragoman_server.api.records_door import _SINGLE as RECORDS_QUERY  # pyright: ignore[reportPrivateUsage]  # what it parses is the claim
from dragoman_server.control.scopes import ALL_SCOPES
from dragoman_server.web.authenticate import Demand
from tests.api.calls import Api, Home, refusal
from tests.api.describing import described


def test_every_route_has_a_demand_and_every_demand_a_route() -> None:
    assert described()[0] == set(DEMANDS)


def test_the_document_names_every_route_and_what_it_wants(api: Api) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    listed = {(method.upper(), path) for path, operations in paths.items() for method in operations}

    doors = {("GET", "/records"), ("POST", "/action/trigger")} | {(m.upper(), "/proxy/{path}") for m in METHODS}
    assert listed == described()[1] | doors
    demands = {(m, p.replace(":path}", "}")): d for (m, p), d in DEMANDS.items()} | dict(HOT)
    for path, operations in paths.items():
        for method, operation in operations.items():
            demand = demands.get((method.upper(), path)) or demands["*", path]
            assert operation.get("x-scope") == demand.scope, (method, path)
            assert bool(operation["security"]) is not demand.public, (method, path)


def test_every_reference_in_the_document_leads_somewhere(api: Api) -> None:
    answer = api.get("/openapi.json")
    schemas = answer.json()["components"]["schemas"]

    assert set(re.findall(r'"#/components/schemas/([^"]+)"', answer.text)) <= set(schemas)


def test_the_hand_written_operations_take_what_the_raw_doors_take(api: Api) -> None:
    paths = api.get("/openapi.json").json()["paths"]
    records = paths["/records"]["get"]["parameters"]

    assert {p["name"] for p in records if p["in"] == "query"} == {*RECORDS_QUERY, "ids"}
    assert {p["name"] for p in records if p["required"]} == {"model", "Connection-Id", "Provider-Config-Key"}
    action = paths["/action/trigger"]["post"]
    assert {(p["name"].lower(), p["required"]) for p in action["parameters"]} == {
        (field.alias, field.is_required()) for field in TriggerHeaders.model_fields.values()
    }
    body = action["requestBody"]["content"]["application/json"]["schema"]
    assert set(body["properties"]) == set(Trigger.model_fields)
    assert body["required"] == [name for name, field in Trigger.model_fields.items() if field.is_required()]
    for method in METHODS:
        headers = [p for p in paths["/proxy/{path}"][method]["parameters"] if p["in"] == "header"]
        assert {p["name"].lower().encode() for p in headers} == set(PARSERS)
        assert {p["name"].lower().encode() for p in headers if p["required"]} == set(REQUIRED)


def test_only_scopes_that_exist_are_demanded() -> None:
    assert {d.scope for d in [*DEMANDS.values(), *HOT.values()] if d.scope} <= ALL_SCOPES


SCOPED = sorted((m, p, d) for (m, p), d in {**DEMANDS, **HOT}.items() if d.scope and not d.account)
ACCOUNT = sorted((m, p, d.scope or "") for (m, p), d in DEMANDS.items() if d.account)


def url_of(path: str) -> str:
    return re.sub(r"\{[^}]+\}", str(uuid.uuid4()), path)


@pytest.fixture(scope="module")
def powerless(home: Home) -> Api:
    return home.with_scopes([])


@pytest.mark.parametrize(("method", "path", "demand"), SCOPED, ids=lambda v: v if isinstance(v, str) else "")
def test_a_key_without_the_scope_is_told_which_one(powerless: Api, method: str, path: str, demand: Demand) -> None:
    answer = powerless("GET" if method == "*" else method, url_of(path))

    assert refusal(answer) == (403, "forbidden")
    assert f"`{demand.scope}`" in answer.json()["error"]["message"]


@pytest.fixture(scope="module")
def keys_of_scopes(home: Home) -> dict[str, Api]:
    return {scope: home.with_scopes([scope]) for scope in sorted({d.scope or "" for _, _, d in SCOPED})}


@pytest.mark.parametrize(("method", "path", "demand"), SCOPED, ids=lambda v: v if isinstance(v, str) else "")
def test_a_key_with_only_that_scope_gets_through(
    keys_of_scopes: dict[str, Api], method: str, path: str, demand: Demand
) -> None:
    answer = keys_of_scopes[demand.scope or ""]("GET" if method == "*" else method, url_of(path))

    assert answer.status_code not in {401, 403}
    assert answer.status_code < 500


@pytest.mark.parametrize(("method", "path", "scope"), ACCOUNT, ids=lambda v: v)
def test_the_accounts_routes_want_the_accounts_key(home: Home, method: str, path: str, scope: str) -> None:
    account, environment = home.account(method, url_of(path)), home.api(method, url_of(path))

    assert refusal(environment) == (403, "forbidden")
    assert "account key" in environment.json()["error"]["message"]
    assert account.status_code in {200, 400}


@pytest.mark.parametrize(("method", "path", "demand"), SCOPED, ids=lambda v: v if isinstance(v, str) else "")
def test_an_account_key_opens_no_environment(home: Home, method: str, path: str, demand: Demand) -> None:
    answer = home.account("GET" if method == "*" else method, url_of(path))

    assert refusal(answer) == (403, "forbidden")


SESSIONS = sorted((m, p) for (m, p), d in DEMANDS.items() if d.session and not d.key)


@pytest.mark.parametrize(("method", "path"), SESSIONS)
def test_a_session_route_takes_no_api_key(api: Api, home: Home, method: str, path: str) -> None:
    assert refusal(home.anonymous()(method, url_of(path))) == (401, "missing_public_key")
    assert refusal(api(method, url_of(path))) == (403, "forbidden")


KEYS_ONLY = sorted((m, p) for (m, p), d in DEMANDS.items() if not d.session and not d.public)


@pytest.mark.parametrize(("method", "path"), KEYS_ONLY)
def test_a_session_opens_only_the_routes_meant_for_it(home: Home, method: str, path: str) -> None:
    session = keep_session(home)

    assert refusal(session(method, url_of(path))) == (403, "forbidden")
    assert refusal(home.anonymous()(method, url_of(path))) == (401, "missing_auth_header")


_sessions: dict[int, Api] = {}


def keep_session(home: Home) -> Api:
    return _sessions.setdefault(home.id, home.session())
