"""Who is let in, who is told what, and what it costs to guess."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from dragoman_server.control.model import ApiKey
from dragoman_server.control.scopes import ALL_SCOPES
from dragoman_server.kit.clock import ManualClock
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.ids import AccountId, EnvironmentId
from dragoman_server.web.authenticate import WRONG_CREDENTIAL_POINTS, Authenticator, Demand
from dragoman_server.web.errors import RateLimitedError
from dragoman_server.web.limits import RateLimiter
from dragoman_server.web.principal import CallerKind

NOW = datetime(2030, 1, 1, 12, 0, 10, tzinfo=UTC)
ENVIRONMENT_KEY = "6185e58a-542c-4896-afd2-90b15e2322ab"
ACCOUNT_KEY = "7185e58a-542c-4896-afd2-90b15e2322ab"
UNKNOWN = "8185e58a-542c-4896-afd2-90b15e2322ab"
SESSION = "nango_connect_session_" + "a" * 64


class Session:
    environment_id = EnvironmentId(7)
    account_id = AccountId(1)


def key(kind: Literal["environment", "account"], environment: int | None, scopes: set[str]) -> ApiKey:
    return ApiKey(
        id=1,
        kind=kind,
        account_id=AccountId(1),
        environment_id=None if environment is None else EnvironmentId(environment),
        display_name="k",
        scopes=frozenset(scopes),
        last_used_at=None,
        created_at=NOW,
    )


def made(scopes: set[str] | None = None, *, per_minute: int = 100, clock: ManualClock | None = None) -> Authenticator:
    known = {
        ENVIRONMENT_KEY: key("environment", 7, {"environment:*"} if scopes is None else scopes),
        ACCOUNT_KEY: key("account", None, {"account:*"}),
    }

    async def keys(token: str) -> ApiKey | None:
        return known.get(token)

    async def sessions(token: str) -> Session | None:
        return Session() if token == SESSION else None

    return Authenticator(
        keys=keys, sessions=sessions, limiter=RateLimiter(per_minute=per_minute, clock=clock or ManualClock(NOW))
    )


def scope(header: str | None) -> dict[str, Any]:
    headers = [] if header is None else [(b"authorization", header.encode())]
    return {"method": "GET", "path": "/x", "headers": headers, "state": {}, "client": ("10.0.0.1", 5)}


KEYS, ACCOUNT, BROWSER = (
    Demand("environment:proxy"),
    Demand("account:*", key=False, account=True),
    Demand(session=True, key=False),
)
EITHER = Demand("environment:integrations:list", session=True)


@pytest.mark.parametrize(
    ("header", "demand", "code"),
    [
        (None, KEYS, "missing_auth_header"),
        (None, BROWSER, "missing_public_key"),
        ("Basic x", KEYS, "invalid_secret_key_format"),
        ("Bearer", KEYS, "invalid_secret_key_format"),
        ("Bearer x", KEYS, "invalid_secret_key_format"),
        ("Bearer x", BROWSER, "invalid_connect_session_token_format"),
        (f"Bearer {UNKNOWN}", KEYS, "unknown_account"),
        ("Bearer nango_connect_session_x", EITHER, "invalid_connect_session_token_format"),
        (f"Bearer {SESSION[:-1]}b", EITHER, "unknown_connect_session_token"),
        (f"Bearer {SESSION}", KEYS, "forbidden"),
        (f"Bearer {ACCOUNT_KEY}", KEYS, "forbidden"),
        (f"Bearer {ENVIRONMENT_KEY}", ACCOUNT, "forbidden"),
        (f"Bearer {ENVIRONMENT_KEY}", BROWSER, "forbidden"),
    ],
)
async def test_who_is_refused_is_told_why(header: str | None, demand: Demand, code: str) -> None:
    with pytest.raises(DragomanError) as caught:
        await made().check(scope(header), demand)

    assert caught.value.public_code == code
    assert caught.value.status == (403 if code == "forbidden" else 401)


@pytest.mark.parametrize(
    ("token", "demand", "kind"),
    [
        (ENVIRONMENT_KEY, KEYS, CallerKind.ENVIRONMENT_KEY),
        (ENVIRONMENT_KEY, EITHER, CallerKind.ENVIRONMENT_KEY),
        (ACCOUNT_KEY, ACCOUNT, CallerKind.ACCOUNT_KEY),
        (SESSION, EITHER, CallerKind.SESSION),
        (SESSION, BROWSER, CallerKind.SESSION),
    ],
)
async def test_who_is_let_in_is_known(token: str, demand: Demand, kind: CallerKind) -> None:
    principal = await made().check(scope(f"bearer {token}"), demand)

    assert principal.kind is kind


async def test_a_session_may_come_in_the_query_where_sessions_are_meant() -> None:
    query = {"connect_session_token": SESSION}

    assert (await made().check(scope(None), BROWSER, query=query)).kind is CallerKind.SESSION
    with pytest.raises(DragomanError):
        await made().check(scope(None), KEYS, query=query)


@pytest.mark.parametrize(
    "wanted", sorted(s for s in ALL_SCOPES if s.startswith("environment:") and not s.endswith("*"))
)
async def test_exactly_the_scope_opens_its_route(wanted: str) -> None:
    others = {s for s in ALL_SCOPES if s.startswith("environment:") and not s.endswith("*")} - {
        wanted,
        f"{wanted}_credentials",
    }
    caller = scope(f"Bearer {ENVIRONMENT_KEY}")

    assert (await made({wanted}).check(caller, Demand(wanted))).environment == 7
    with pytest.raises(DragomanError, match=wanted):
        await made(others).check(caller, Demand(wanted))


async def test_a_caller_without_points_left_is_told_when_to_come_back() -> None:
    clock = ManualClock(NOW)
    door = made(per_minute=2, clock=clock)
    for _ in range(2):
        await door.check(scope(f"Bearer {ENVIRONMENT_KEY}"), KEYS)
    asked = scope(f"Bearer {ENVIRONMENT_KEY}")

    with pytest.raises(RateLimitedError) as caught:
        await door.check(asked, KEYS)

    assert caught.value.status == 429
    assert 0 < int(caught.value.headers["Retry-After"]) <= 61
    assert dict(asked["state"]["rate"].headers())[b"x-ratelimit-remaining"] == b"0"
    clock.advance(timedelta(seconds=60))
    assert (await door.check(scope(f"Bearer {ENVIRONMENT_KEY}"), KEYS)).environment == 7


async def test_guessing_keys_is_dear_and_costs_the_address() -> None:
    door = made(per_minute=WRONG_CREDENTIAL_POINTS * 3)
    for _ in range(3):
        with pytest.raises(DragomanError) as caught:
            await door.check(scope(f"Bearer {UNKNOWN}"), KEYS)
        assert caught.value.status == 401

    with pytest.raises(RateLimitedError):
        await door.check(scope(f"Bearer {UNKNOWN}"), KEYS)
    assert (await door.check(scope(f"Bearer {ENVIRONMENT_KEY}"), KEYS)).environment == 7, (
        "an honest key is not hindered"
    )
