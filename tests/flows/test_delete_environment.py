"""What a deleted environment leaves behind: nothing that runs, nothing that can be used, in the end nothing at all."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, cast

from dragoman_server import outbox
from dragoman_server.connect.book import PgBook
from dragoman_server.connect.model import CredentialKey, SessionOptions
from dragoman_server.connect.service import Connect
from dragoman_server.connect.sessions import Sessions
from dragoman_server.control.loops import Purger
from dragoman_server.control.model import FunctionSpec
from dragoman_server.db import Database, Invalidations
from dragoman_server.flows.delete_environment import DeleteEnvironment
from dragoman_server.flows.schedules import Schedules, schedule_key
from dragoman_server.kit.clock import SystemClock
from dragoman_server.kit.ids import DeploymentId, EnvironmentId
from dragoman_server.orchestrator.port import Engine
from dragoman_server.outbox import Relay
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.records import Records, StreamKey
from tests.conftest import MoveClock
from tests.control.conftest import Control, make_control


class ScheduleBook:
    """The engine's schedules, by key."""

    def __init__(self) -> None:
        self.keys: set[str] = set()

    async def upsert_schedules(self, specs: Sequence[Any]) -> None:
        self.keys |= {spec.key for spec in specs}

    async def delete_schedules(self, keys: Sequence[str]) -> int:
        self.keys -= set(keys)
        return len(keys)


async def nothing(*_: object) -> None: ...


class Silent:
    """No provider wants to be told."""

    async def end(self, *_: object) -> None: ...


def make_book(control: Control, invalidations: Invalidations) -> PgBook:
    return PgBook(
        database=control.database,
        vault=control.vault,
        invalidations=invalidations,
        clock=SystemClock(),
        after_renewal=nothing,
        after_failure=nothing,
    )


async def test_a_deleted_environment_ends_its_schedules_and_credentials_at_once_and_is_erased_later(
    database: Database, database_url: str, move_clock: MoveClock
) -> None:
    invalidations = Invalidations(database_url)
    control = await make_control(database, invalidations)
    environment_id = control.environment.id
    integration = await control.integration()
    connection = await control.connect(integration)
    book, sessions = make_book(control, invalidations), Sessions(database=database, vault=control.vault)
    key = CredentialKey(environment_id, connection.id)
    async with database.transaction() as conn:
        specs = [FunctionSpec("github", "issues", "sync", {"interval_seconds": 300})]
        await control.functions.replace_deployment(conn, environment_id, DeploymentId("v1"), specs)
        [sync] = await control.syncs.create_missing(conn, environment_id)
        await book.store(conn, key, connection.uuid, Credential(AuthMode.OAUTH2, {"access_token": "x"}))
    records = Records(database=database, vault=control.vault)
    stream = StreamKey(connection.id, connection.uuid, "Issue", "base")
    await records.save(environment_id, None, 1, stream, [("1", b'{"id":"1"}')])
    _, token = await sessions.create(environment_id, control.account.id, SessionOptions())
    engine = ScheduleBook()
    schedules = Schedules(syncs=control.syncs, engine=cast("Engine", engine), run_timeout=timedelta(hours=1))
    await schedules.bring_in_step(environment_id, [sync.id])
    assert engine.keys == {schedule_key(sync.id)}

    connect = cast("Any", object.__new__(Connect))
    connect._book = book  # noqa: SLF001 (those of its parts the story needs)
    connect._integrations, connect._connections = control.integrations, control.connections  # noqa: SLF001
    connect._revoking = Silent()  # noqa: SLF001
    delete = DeleteEnvironment(
        database=database,
        environments=control.environments,
        integrations=control.integrations,
        syncs=control.syncs,
        connect=connect,
    )
    await delete(control.account.id, environment_id)
    await Relay(database=database, handlers={"schedule": schedules.handle}).once()

    assert engine.keys == set()
    assert await book.read(key) is None
    assert await sessions.find(token.reveal()) is None

    erased: list[EnvironmentId] = []

    async def erase(environment: EnvironmentId) -> None:
        erased.append(environment)

    await move_clock(database_url, timedelta(days=32))
    await Purger(
        database=database,
        vault=control.vault,
        erasers=[book.delete_environment, records.erase_environment],
        before_erasing=[erase],
    ).once()

    assert erased == [environment_id]
    assert (await records.counts(environment_id, [connection.id]))[connection.id] == {}
    async with database.connection() as conn:
        assert await outbox.backlog(conn) == {}
