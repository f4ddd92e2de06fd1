import itertools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from dragoman_server.db import Database, Invalidations
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, RunId, uuid7
from dragoman_server.records import Fence, Page, Records, SaveResult, StreamKey
from dragoman_server.vault import KeyRing, Vault

ENVIRONMENT = EnvironmentId(1)


def record(external_id: str, **fields: Any) -> tuple[str, bytes]:
    return external_id, msgspec.json.encode({"id": external_id, **fields})


@dataclass(frozen=True)
class Feed:
    records: list[dict[str, Any]]
    next_cursor: str | None

    @property
    def ids(self) -> list[str]:
        return [r["id"] for r in self.records]

    @property
    def actions(self) -> list[str]:
        return [r["_nango_metadata"]["last_action"] for r in self.records]

    @property
    def last_cursor(self) -> str:
        return self.records[-1]["_nango_metadata"]["cursor"]


def parse(page: Page) -> Feed:
    body: Mapping[str, Any] = msgspec.json.decode(page.body)
    assert len(body["records"]) == page.count
    assert body["next_cursor"] == page.next_cursor
    return Feed(body["records"], body["next_cursor"])


class Writer:
    """One run's current attempt, numbering its batches."""

    def __init__(self, records: Records, stream: StreamKey, fence: Fence | None) -> None:
        self.records = records
        self.stream = stream
        self.fence = fence
        self._batches = itertools.count(1)

    async def save(self, *batch: tuple[str, bytes], **options: Any) -> SaveResult:
        return await self.records.save(ENVIRONMENT, self.fence, next(self._batches), self.stream, batch, **options)

    async def delete(self, *ids: str, **options: Any) -> int:
        result = await self.records.delete(ENVIRONMENT, self.fence, next(self._batches), self.stream, ids, **options)
        return result.deleted

    async def feed(self, **options: Any) -> Feed:
        stream = self.stream
        return parse(
            await self.records.page(ENVIRONMENT, stream.connection_row_id, stream.model, stream.variant, **options)
        )


@pytest.fixture
async def vault(database: Database, database_url: str) -> Vault:
    made = Vault(database=database, keyring=KeyRing(b"K" * 32), invalidations=Invalidations(database_url))
    await made.open()
    async with database.transaction() as conn:
        await made.create_environment(conn, ENVIRONMENT)
        await made.create_environment(conn, EnvironmentId(2))
    return made


@pytest.fixture
def records(database: Database, vault: Vault) -> Records:
    return Records(database=database, vault=vault)


def new_stream(connection: int = 10, model: str = "Contact", variant: str = "base") -> StreamKey:
    return StreamKey(ConnectionRowId(connection), uuid.UUID(int=connection), model, variant)


@pytest.fixture
def stream() -> StreamKey:
    return new_stream()


async def begin(
    records: Records, stream: StreamKey, owner: uuid.UUID | None = None, attempt: int = 1, run: RunId | None = None
) -> Writer:
    fence = Fence(owner or uuid.uuid4(), run or RunId(uuid7()), attempt)
    await records.begin_attempt(ENVIRONMENT, fence.owner, fence.run_id, fence.attempt)
    return Writer(records, stream, fence)


@pytest.fixture
async def writer(records: Records, stream: StreamKey) -> Writer:
    """A run that may write to `stream`."""
    return await begin(records, stream)


@pytest.fixture
def guest(records: Records, stream: StreamKey) -> Writer:
    """A writer that is no run (a webhook)."""
    return Writer(records, stream, None)
