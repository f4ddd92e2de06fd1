"""Login calls that are no OAuth: an entry's own steps (TWO_STEP) and BILL's. Any typed value works but a wrong one."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from dragoman_server.providers.model import AuthMode, Provider
from dragoman_server.simulator.exchange import Answer, Received, RefusedError
from dragoman_server.simulator.filling import example_of
from dragoman_server.simulator.reading import names_in, put, url_pattern, values_in
from dragoman_server.simulator.tokens import Minted

if TYPE_CHECKING:
    from dragoman_server.simulator.world import World

_BILL = {
    "username": "${credentials.username}",
    "password": "${credentials.password}",
    "organizationId": "${credentials.organization_id}",
    "devKey": "${credentials.dev_key}",
}


def answer(world: "World", provider: Provider, request: Received) -> Answer:
    """Check one step's method, parameters and headers, and give what the entry looks for in its answer."""
    bill = provider.auth_mode is AuthMode.BILL
    step: Mapping[str, Any] = {"token_params": _BILL, "body_format": "json"} if bill else provider.raw
    steps = [step, *cast("Sequence[Mapping[str, Any]]", provider.get("additional_steps") or ())]
    number = 1 if bill else _number(steps, request)
    step = steps[number - 1]
    method = str(step.get("token_request_method") or "POST").upper()
    if request.method != method:
        raise RefusedError(405, "invalid_request", f"This step wants {method}.")
    style = "query" if method == "GET" else str(step.get("body_format") or "json")
    given: Mapping[str, Any] = {"json": request.json, "query": request.query}.get(style, request.form)
    if style != "xml":
        _check(world, step.get("token_params") or {}, given)
    for name, template in cast("Mapping[str, Any]", step.get("token_headers") or {}).items():
        _check(world, {name: template}, {name: request.headers.get(name.lower())})
    body: dict[str, Any] = {}
    for path in _wanted_later(steps[number:], number):
        put(body, path, example_of(provider, path))
    token = Minted("access", provider.name, "", world.new_family(), 0, world.now() + world.life).text()
    if bill:
        return Answer(200, {"sessionId": token, "userId": "006SIM", "organizationId": given["organizationId"]})
    shape = cast("Mapping[str, str]", provider.get("token_response") or {})
    path = shape.get("token") or "access_token"
    if path.startswith(f"step{number}."):
        path = path.partition(".")[2]
    if number == len(steps) or path != shape.get("token"):
        put(body, path, token)
    if number == len(steps) and shape.get("refresh_token"):
        put(body, shape["refresh_token"], token)
    if number == len(steps) and shape.get("token_expiration"):
        until = shape.get("token_expiration_strategy") == "expireAt"
        put(body, shape["token_expiration"], world.now() + world.life if until else world.life)
    return Answer(200, body)


def _number(steps: Sequence[Mapping[str, Any]], request: Received) -> int:
    for number, step in enumerate(steps, start=1):
        if url_pattern(str(step.get("token_url")), prefix=False).fullmatch(request.place):
            return number
    raise RefusedError(404, "unknown_address", "No step of this entry has this address.")


def _check(world: "World", wanted: Any, given: Any) -> None:
    """Every leaf the entry names must be there, made from its template; typed values must not be wrong ones."""
    if isinstance(wanted, Mapping):
        have: Mapping[str, Any] = cast("Mapping[str, Any]", given) if isinstance(given, Mapping) else {}
        for name, inner in cast("Mapping[str, Any]", wanted).items():
            _check(world, inner, have.get(name))
    elif isinstance(wanted, str):
        found = None if given is None else values_in(wanted, str(given))
        if found is None and not _may_be_missing(wanted):
            raise RefusedError(400, "invalid_request", "A parameter of this step is missing or wrong.")
        if any(value and world.is_wrong(value) for value in (found or {}).values()):
            raise RefusedError(401, "invalid_grant", "These credentials are wrong.")


def _may_be_missing(template: str) -> bool:
    return bool(names_in(template)) and not any(name.startswith("credentials.") for name in names_in(template))


def _wanted_later(steps: Sequence[Mapping[str, Any]], number: int) -> Iterator[str]:
    """What later steps take from this one: `${step1.x.y}`."""
    for found in re.findall(rf"step{number}\.([\w.-]+)", str(list(steps))):
        if not found.startswith("_"):
            yield found
