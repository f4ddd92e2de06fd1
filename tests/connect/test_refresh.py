"""Refreshes against a real Postgres and a real token endpoint."""

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from dragoman_server.connect.errors import (
    NoCredentialError,
    RefreshBackoffError,
    RefreshExhaustedError,
    RefreshFailedError,
)
from dragoman_server.connect.model import CredentialKey, Lease
from tests.conftest import MoveClock
from tests.connect.world import World, process, until


async def test_a_fresh_token_is_handed_out_without_asking_anybody(world: World) -> None:
    integration = await world.integration()
    connection = await world.imported(integration, expires_in=3600)

    credential = await world.fresh(connection, integration)

    assert credential.values["access_token"] == "old"
    assert world.server.calls["refresh_token"] == 0


async def test_a_stale_token_is_renewed_once_and_rotated(world: World) -> None:
    integration = await world.integration()
    connection = await world.imported(integration)

    first = await world.fresh(connection, integration)
    second = await world.fresh(connection, integration)

    assert first.values["access_token"] in world.server.access
    assert second.values == first.values
    assert first.expires_at is not None
    assert timedelta(minutes=58) < first.expires_at - datetime.now(UTC) < timedelta(minutes=61)
    assert world.server.calls["refresh_token"] == 1


async def test_two_hundred_readers_in_four_processes_make_one_call(world: World) -> None:
    integration = await world.integration()
    connection = await world.imported(integration)
    world.server.pause = 0.03
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(process(world.url, world.folder, world.told)) for _ in range(3)]

        found = await asyncio.gather(
            *(
                one.parts.credentials.fresh(world.environment.id, connection, integration)
                for one in [world.one, *others]
                for _ in range(50)
            )
        )

    assert len({c.values["access_token"] for c in found}) == 1
    assert world.server.calls["refresh_token"] == 1
    assert not world.server.revoked


async def test_a_cancelled_reader_does_not_drop_the_answer(world: World) -> None:
    integration = await world.integration()
    connection = await world.imported(integration)
    world.server.pause = 0.1

    reader = asyncio.create_task(world.fresh(connection, integration))
    await world.server.asked.wait()
    reader.cancel()
    credential = await world.fresh(connection, integration)

    assert credential.values["refresh_token"] in world.server.live
    assert world.server.calls["refresh_token"] == 1


async def test_a_refusal_is_counted_told_and_not_repeated_within_the_cool_down(
    world: World, move_clock: MoveClock
) -> None:
    integration = await world.integration()
    connection = await world.imported(integration, refresh_token="unknown-token")

    with pytest.raises(RefreshFailedError) as caught:
        await world.fresh(connection, integration)
    with pytest.raises(RefreshBackoffError) as backing_off:
        await world.fresh(connection, integration)

    assert caught.value.dead
    assert "unknown-token" not in str(caught.value)
    assert backing_off.value.status == 424
    assert world.server.calls["refresh_token"] == 1
    assert [f.first for f in world.told.refresh_failed] == [True]
    shown = await world.one.connections.by_row_id(world.environment.id, connection.id)
    assert shown is not None
    assert [e["type"] for e in shown.errors] == ["auth"]

    await move_clock(world.url, timedelta(seconds=31))
    with pytest.raises(RefreshFailedError):
        await world.fresh(connection, integration)
    assert world.server.calls["refresh_token"] == 2


async def test_force_bypasses_cool_down_and_exhaustion_and_success_resets_both(
    world: World, move_clock: MoveClock
) -> None:
    integration = await world.integration()
    connection = await world.imported(integration)
    for _ in range(4):
        world.server.breaks = [503, 503]
        with pytest.raises(RefreshFailedError):
            await world.fresh(connection, integration)
        await move_clock(world.url, timedelta(hours=25))
    with pytest.raises(RefreshExhaustedError):
        await world.fresh(connection, integration)

    credential = await world.fresh(connection, integration, force=True)

    stored = await world.one.parts.credentials.state(world.environment.id, connection)
    assert credential.values["access_token"] in world.server.access
    assert stored is not None
    assert stored.failures.attempts == 0
    assert not stored.failures.exhausted
    shown = await world.one.connections.by_row_id(world.environment.id, connection.id)
    assert shown is not None
    assert not shown.errors


async def test_a_token_that_still_works_is_handed_out_while_the_provider_is_down(
    world: World, move_clock: MoveClock
) -> None:
    integration = await world.integration()
    connection = await world.imported(integration, expires_in=3600)
    await move_clock(world.url, timedelta(minutes=50))
    world.server.breaks = [503, 503]

    credential = await world.fresh(connection, integration)

    assert credential.values["access_token"] == "old"
    assert world.server.calls["refresh_token"] == 2


async def test_an_answer_lost_after_the_server_failed_is_asked_for_again_at_once(world: World) -> None:
    integration = await world.integration()
    connection = await world.imported(integration)
    world.server.breaks = [502]

    credential = await world.fresh(connection, integration)

    assert credential.values["access_token"] in world.server.access
    assert world.server.calls["refresh_token"] == 2


async def test_a_reconnect_during_a_refresh_wins(world: World) -> None:
    integration = await world.integration()
    connection = await world.imported(integration)
    world.server.pause = 0.2

    reader = asyncio.create_task(world.fresh(connection, integration))
    await world.server.asked.wait()
    await world.imported(integration, expires_in=3600, access_token="by-the-person")
    credential = await reader

    assert credential.values["access_token"] == "by-the-person"
    assert (await world.fresh(connection, integration)).values["access_token"] == "by-the-person"


async def test_a_401_on_a_token_without_a_life_renews_it_and_teaches_its_life(
    world: World, move_clock: MoveClock
) -> None:
    integration = await world.integration("acme-forever")
    connection = await world.imported(integration, expires_at=None)
    first = await world.fresh(connection, integration)
    same = await world.fresh(connection, integration, reject=first)
    await move_clock(world.url, timedelta(hours=2))
    world.one.parts.book.forget(CredentialKey(world.environment.id, connection.id))

    second = await world.fresh(connection, integration, reject=first)

    stored = await world.one.parts.credentials.state(world.environment.id, connection)
    assert same.values == first.values
    assert second.values["access_token"] != first.values["access_token"]
    assert stored is not None
    assert stored.learned_life is not None
    assert timedelta(hours=2) <= stored.learned_life < timedelta(hours=2, minutes=1)
    assert stored.times.stale_at is not None


async def test_a_rejected_token_somebody_already_renewed_costs_no_call(world: World) -> None:
    integration = await world.integration()
    connection = await world.imported(integration)
    old = await world.one.parts.book.read(CredentialKey(world.environment.id, connection.id))
    assert old is not None
    renewed = await world.fresh(connection, integration)

    answer = await world.fresh(connection, integration, reject=old.credential)

    assert answer.values == renewed.values
    assert world.server.calls["refresh_token"] == 1


async def test_the_due_queue_renews_ahead_and_puts_idle_credentials_off(world: World, move_clock: MoveClock) -> None:
    integration = await world.integration()
    connection = await world.imported(integration, expires_in=3600)
    queue = world.one.parts.due_queue

    await queue.once()
    assert world.server.calls["refresh_token"] == 0

    await move_clock(world.url, timedelta(minutes=46))
    await queue.once()
    await queue.drain()
    await queue.once()
    await queue.drain()
    assert world.server.calls["refresh_token"] == 1

    await move_clock(world.url, timedelta(hours=25))
    await queue.once()
    await queue.drain()
    await queue.once()
    await queue.drain()
    assert world.server.calls["refresh_token"] == 2
    await move_clock(world.url, timedelta(hours=2))
    await queue.once()
    await queue.drain()
    await queue.once()
    await queue.drain()
    assert world.server.calls["refresh_token"] == 2
    assert (await world.fresh(connection, integration)).values["access_token"] in world.server.access


async def test_an_answer_the_database_cannot_take_is_spilled_and_replayed(world: World) -> None:
    integration = await world.integration()
    connection = await world.imported(integration)
    world.server.pause = 0.2

    async def spilled() -> bool:
        return bool(list((world.folder / "spill").glob("*.answer")))

    async with process(world.url, world.folder, world.told) as other:
        reader = asyncio.create_task(other.parts.credentials.fresh(world.environment.id, connection, integration))
        await world.server.asked.wait()
        await other.database.close()
        await until(spilled)
        await other.parts.refresher.stop(grace=0.1)
        with pytest.raises(BaseException):  # whatever its own lost database makes of it
            await reader
    [file] = (world.folder / "spill").iterdir()
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    assert b"refresh-" not in file.read_bytes()
    assert b"access-" not in file.read_bytes()

    await world.one.parts.replay.once()

    credential = await world.fresh(connection, integration)
    assert credential.values["refresh_token"] in world.server.live
    assert world.server.calls["refresh_token"] == 1
    assert not list((world.folder / "spill").iterdir())


async def test_a_dead_process_leaves_its_lease_for_seconds_only_and_an_intent(
    world: World, move_clock: MoveClock
) -> None:
    integration = await world.integration()
    connection = await world.imported(integration)
    key = CredentialKey(world.environment.id, connection.id)
    book = world.one.parts.book
    held = await book.lease(key, holder=uuid4(), version=1, length=timedelta(seconds=5))
    assert held is not None
    assert not held.repeated
    assert await book.lease(key, holder=uuid4(), version=1, length=timedelta(seconds=5)) is None

    await move_clock(world.url, timedelta(seconds=6))
    taken: list[Lease] = []

    async def taken_over() -> bool:
        lease = await book.lease(key, holder=uuid4(), version=1, length=timedelta(seconds=5))
        taken.extend([lease] if lease is not None else [])
        return bool(taken)

    await until(taken_over)  # not before Postgres has been up for as long as a lease

    assert taken[0].repeated


async def test_a_revoked_connection_is_refused_and_its_credential_unreadable(world: World) -> None:
    integration = await world.integration()
    connection = await world.imported(integration, expires_in=3600)
    await world.fresh(connection, integration)

    await world.one.parts.connect.delete(world.environment.id, "acme", "c1")

    with pytest.raises(NoCredentialError):
        await world.fresh(connection, integration)
    assert [c.id for c in world.told.deleted] == [connection.id]


async def test_client_credentials_are_asked_for_again(world: World, move_clock: MoveClock) -> None:
    integration = await world.integration("machine")
    session, _ = await world.session()
    from dragoman_server.providers.model import AuthMode

    made = await world.one.parts.connect.connect_with_credentials(
        session, "machine", AuthMode.OAUTH2_CC, {"client_id": "own", "client_secret": "own-secret"}, {}
    )
    first = await world.fresh(made.connection, integration)
    await move_clock(world.url, timedelta(minutes=50))
    world.one.parts.book.forget(CredentialKey(world.environment.id, made.connection.id))

    second = await world.fresh(made.connection, integration)

    assert first.values["token"] != second.values["token"]
    assert second.values["client_secret"] == "own-secret"
    assert world.server.calls["client_credentials"] == 2
