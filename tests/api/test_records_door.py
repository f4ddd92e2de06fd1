import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest

from dragoman_server.api.records_door import RecordsDoor, parse_query
from dragoman_server.db import Database, Invalidations
from dragoman_server.kit.clock import ManualClock
from dragoman_server.kit.errors import InvalidInputError
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.records import Action, Records, StreamKey
from dragoman_server.vault import KeyRing, Vault
from dragoman_server.web.asgi import Front, Receive, Scope, Send
from dragoman_server.web.errors import MissingAuthHeaderError

NOW = datetime(2030, 1, 1, tzinfo=UTC)
HEADERS = {"authorization": "Bearer x", "connection-id": "c", "provider-config-key": "i"}


@dataclass(frozen=True)
class Caller:
    environment_id: EnvironmentId


@dataclass(frozen=True)
class FoundConnection:
    id: ConnectionRowId


async def authenticate(scope: Scope, wanted: str) -> Caller:
    assert wanted == "environment:records:read"
    if not any(name == b"authorization" for name, _ in scope["headers"]):
        raise MissingAuthHeaderError
    return Caller(EnvironmentId(1))


async def find_connection(environment_id: EnvironmentId, integration: str, connection: str) -> FoundConnection | None:
    return FoundConnection(ConnectionRowId(10)) if (integration, connection) == ("i", "c") else None


async def nothing_else(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise AssertionError


@pytest.fixture
async def records(database: Database, database_url: str) -> Records:
    vault = Vault(database=database, keyring=KeyRing(b"K" * 32), invalidations=Invalidations(database_url))
    await vault.open()
    async with database.transaction() as conn:
        await vault.create_environment(conn, EnvironmentId(1))
    made = Records(database=database, vault=vault)
    stream = StreamKey(ConnectionRowId(10), uuid.UUID(int=10), "Contact")
    batch = [(f"r{i}", msgspec.json.encode({"id": f"r{i}", "n": i})) for i in range(5)]
    await made.save(EnvironmentId(1), None, 1, stream, batch)
    await made.delete(EnvironmentId(1), None, 2, stream, ["r0"])
    return made


@pytest.fixture
def client(records: Records) -> httpx.AsyncClient:
    door = RecordsDoor(
        records=records, authenticate=authenticate, find_connection=find_connection, clock=ManualClock(NOW)
    )
    front = Front(rest=nothing_else, hot={"/records": door})
    transport: Any = httpx.ASGITransport(app=front)  # type: ignore[arg-type]  (httpx names the same types otherwise)
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=HEADERS)


async def test_a_page_is_walked_by_next_cursor(client: httpx.AsyncClient) -> None:
    first = (await client.get("/records", params={"model": "Contact", "limit": 3})).json()
    second = (await client.get("/records", params={"model": "Contact", "cursor": first["next_cursor"]})).json()

    assert [r["id"] for r in first["records"] + second["records"]] == ["r1", "r2", "r3", "r4", "r0"]
    assert second["next_cursor"] is None
    assert list(first) == ["records", "next_cursor"]


async def test_a_trailing_slash_is_tolerated(client: httpx.AsyncClient) -> None:
    assert (await client.get("/records/?model=Contact")).status_code == 200


async def test_filters_take_either_case(client: httpx.AsyncClient) -> None:
    deleted = (await client.get("/records", params={"model": "Contact", "filter": "DELETED"})).json()
    mixed = (await client.get("/records", params={"model": "Contact", "filter": "ADDED,deleted"})).json()

    assert [r["id"] for r in deleted["records"]] == ["r0"]
    assert len(mixed["records"]) == 5


async def test_ids_are_repeated_keys(client: httpx.AsyncClient) -> None:
    page = (await client.get("/records?model=Contact&ids=r1&ids=r3&ids=none")).json()

    assert [r["id"] for r in page["records"]] == ["r1", "r3"]


async def test_an_unknown_model_is_an_empty_page(client: httpx.AsyncClient) -> None:
    answer = await client.get("/records?model=Nothing")

    assert (answer.status_code, answer.json()) == (200, {"records": [], "next_cursor": None})


@pytest.mark.parametrize("cursor", ["nonsense", "00" * 33, "é"])
async def test_a_forged_cursor_is_a_400(client: httpx.AsyncClient, cursor: str) -> None:
    answer = await client.get("/records", params={"model": "Contact", "cursor": cursor})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_query_params")


async def test_an_unknown_connection_is_a_400(client: httpx.AsyncClient) -> None:
    answer = await client.get("/records?model=Contact", headers={"connection-id": "other"})

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "unknown_connection")


async def test_missing_headers_are_named(client: httpx.AsyncClient) -> None:
    del client.headers["connection-id"]
    answer = await client.get("/records?model=Contact")

    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_headers")
    assert answer.json()["error"]["errors"][0]["path"] == ["connection-id"]


async def test_authentication_comes_before_validation(client: httpx.AsyncClient) -> None:
    del client.headers["authorization"]

    assert (await client.get("/records?nonsense=1")).status_code == 401


def refused(query: str) -> list[tuple[str, tuple[str | int, ...]]]:
    with pytest.raises(InvalidInputError) as caught:
        parse_query(query.encode(), now=NOW)
    assert (caught.value.status, caught.value.public_code) == (400, "invalid_query_params")
    return [(issue.code, issue.path) for issue in caught.value.issues]


@pytest.mark.parametrize(
    ("query", "code", "place"),
    [
        ("", "invalid_type", ("model",)),
        ("model=contact", "invalid_format", ("model",)),
        ("model=C%00", "invalid_format", ("model",)),
        ("model=A" + "a" * 255, "too_big", ("model",)),
        ("model=Aa&model=Bb", "invalid_type", ("model",)),
        ("model=Aa&other=1", "unrecognized_keys", ()),
        ("model=Aa&limit=0", "too_small", ("limit",)),
        ("model=Aa&limit=10001", "too_big", ("limit",)),
        ("model=Aa&limit=ten", "invalid_type", ("limit",)),
        ("model=Aa&limit=" + "9" * 5000, "invalid_type", ("limit",)),
        ("model=Aa&filter=added,nothing", "custom", ("filter",)),
        ("model=Aa&filter=", "custom", ("filter",)),
        ("model=Aa&cursor=", "too_small", ("cursor",)),
        ("model=Aa&cursor=" + "a" * 1001, "too_big", ("cursor",)),
        ("model=Aa&modified_after=yesterday", "invalid_format", ("modified_after",)),
        ("model=Aa&modified_after=2028-12-01T00:00:00Z", "too_small", ("modified_after",)),
        ("model=Aa&delta=2028-12-01", "too_small", ("delta",)),
        ("model=Aa&variant=a:b", "invalid_format", ("variant",)),
        ("model=Aa&ids=", "too_small", ("ids", 0)),
        ("model=Aa&ids=" + "a" * 257, "too_big", ("ids", 0)),
        ("model=Aa&" + "&".join(["ids=a"] * 101), "too_big", ("ids",)),
        ("model=Aa&variant=%ff", "invalid_format", ()),
    ],
)
def test_a_bad_query_is_refused_by_name(query: str, code: str, place: tuple[str | int, ...]) -> None:
    assert refused(query) == [(code, place)]


def test_delta_wins_over_modified_after_and_zones_are_kept() -> None:
    query = parse_query(b"model=Aa&delta=2029-12-31T12:00:00+02:00&modified_after=2029-12-01", now=NOW)

    assert query.modified_after == NOW - timedelta(hours=14)
    assert query.actions is None
    assert parse_query(b"model=Aa&filter=added,UPDATED", now=NOW).actions == {Action.ADDED, Action.UPDATED}
