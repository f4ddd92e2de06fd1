"""Integrations and connections."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from dragoman_server.control.errors import (
    IntegrationInUseError,
    IntegrationKeyTakenError,
    InvalidValueError,
    UnknownConnectionError,
    UnknownIntegrationError,
)
from dragoman_server.control.loops import Purger, Toucher
from dragoman_server.control.model import ConnectionFilter, EndUser, Organization
from dragoman_server.vault import SubjectShreddedError
from tests.conftest import MoveClock
from tests.control.conftest import Control

OAUTH = {"type": "OAUTH2", "client_id": "id", "client_secret": "hush", "scopes": "a,b"}


async def test_an_integrations_secrets_come_back_and_are_never_printed(control: Control) -> None:
    made = await control.integration(credentials=OAUTH, custom={"token": "hidden"}, config={"base": "x"})

    found = await control.integrations.require(control.environment.id, "github")

    assert found == made
    assert await control.integrations.credentials(found) == OAUTH
    assert found.custom == {"token": "hidden"}
    assert "hidden" not in repr(found)
    assert await control.integrations.list(control.environment.id) == [made]


async def test_a_key_is_unique_in_its_environment_only(control: Control) -> None:
    await control.integration()
    other = await control.environments.create(control.account.id, "other")

    with pytest.raises(IntegrationKeyTakenError):
        await control.integration()
    assert (await control.integrations.create(other.id, "github", "github")).environment_id == other.id


async def test_an_update_changes_only_what_is_given(control: Control) -> None:
    await control.integration(credentials=OAUTH, display_name="GitHub", config={"a": "b"})

    changed = await control.integrations.update(control.environment.id, "github", new_key="gh", custom={"x": "y"})

    assert (changed.unique_key, changed.display_name, changed.config) == ("gh", "GitHub", {"a": "b"})
    assert await control.integrations.credentials(changed) == OAUTH
    assert await control.integrations.get(control.environment.id, "github") is None


async def test_a_connected_integration_is_not_renamed(control: Control) -> None:
    await control.connect(await control.integration())

    with pytest.raises(IntegrationInUseError):
        await control.integrations.update(control.environment.id, "github", new_key="gh")
    await control.integration("other")
    with pytest.raises(IntegrationKeyTakenError):
        await control.integrations.update(control.environment.id, "other", new_key="github")


async def test_deleting_an_integration_takes_its_connections_along_and_frees_its_key(control: Control) -> None:
    integration = await control.integration()
    made = await control.connect(integration)

    gone = await control.integrations.delete(control.environment.id, "github")

    assert [row[0] for row in gone.connections] == [made.id]
    assert await control.connections.list(control.environment.id) == []
    with pytest.raises(UnknownIntegrationError):
        await control.connect(integration)
    await control.integration()


async def test_upsert_creates_then_updates_what_is_given(control: Control) -> None:
    integration = await control.integration()
    first = await control.connect(
        integration,
        connection_config={"a": 1},
        metadata={"m": 1},
        tags={"T": "x"},
        webhook_url_override="https://a.b/c",
    )

    async with control.database.transaction() as conn:
        second, created = await control.connections.upsert(conn, integration, "c1", connection_config={"b": 2})

    assert not created
    assert (second.id, second.uuid) == (first.id, first.uuid)
    assert second.connection_config == {"a": 1, "b": 2}
    assert (second.metadata, second.tags, second.webhook_url_override) == ({"m": 1}, {"t": "x"}, "https://a.b/c")


async def test_many_upserts_of_one_id_at_once_make_one_connection(control: Control) -> None:
    integration = await control.integration()

    made = await asyncio.gather(*(control.connect(integration) for _ in range(6)))

    assert len({connection.id for connection in made}) == 1


async def test_the_same_id_in_another_integration_or_environment_is_another_connection(control: Control) -> None:
    other_environment = await control.environments.create(control.account.id, "other")
    integrations = [
        await control.integration(),
        await control.integration("other"),
        await control.integrations.create(other_environment.id, "github", "github"),
    ]

    made = [await control.connect(integration) for integration in integrations]

    assert len({connection.id for connection in made}) == 3
    assert await control.connections.get(other_environment.id, "github", "c1") == made[2]
    assert await control.connections.by_row_id(other_environment.id, made[0].id) is None


async def test_a_deleted_id_is_free_at_once_and_starts_anew(control: Control) -> None:
    integration = await control.integration()
    first = await control.connect(integration, metadata={"m": 1})
    async with control.database.transaction() as conn:
        await control.connections.delete(conn, control.environment.id, "github", "c1")
    with pytest.raises(UnknownConnectionError):
        await control.connections.require(control.environment.id, "github", "c1")

    second = await control.connect(integration)

    assert second.uuid != first.uuid
    assert second.metadata is None


async def test_a_deleted_connection_is_purged_and_shredded_after_31_days(
    control: Control, database_url: str, move_clock: MoveClock
) -> None:
    made = await control.connect(await control.integration())
    await control.vault.sealer(control.environment.id, "credentials", made.uuid)
    async with control.database.transaction() as conn:
        await control.connections.delete(conn, control.environment.id, "github", "c1")
    purger = Purger(database=control.database, vault=control.vault)

    await purger.once()
    await control.vault.sealer(control.environment.id, "credentials", made.uuid)
    await move_clock(database_url, timedelta(days=32))
    await purger.once()

    with pytest.raises(SubjectShreddedError):
        await control.vault.sealer(control.environment.id, "credentials", made.uuid)


async def test_unknown_integration_and_unknown_connection_are_told_apart(control: Control) -> None:
    await control.integration()

    with pytest.raises(UnknownIntegrationError):
        await control.connections.require(control.environment.id, "nope", "c1")
    with pytest.raises(UnknownConnectionError):
        await control.connections.require(control.environment.id, "github", "c1")


BAD: list[dict[str, Any]] = [
    {"tags": {"1": "x"}},
    {"metadata": {"a": "\0"}},
    {"connection_config": {"a\0": 1}},
    {"webhook_url_override": "nope"},
    {"end_user": EndUser("")},
    {"end_user": EndUser("u", email="nope")},
]


async def test_bad_input_is_refused_before_anything_is_stored(control: Control) -> None:
    integration = await control.integration()

    for more in BAD:
        with pytest.raises(InvalidValueError):
            await control.connect(integration, **more)
    assert await control.connections.list(control.environment.id) == []


USER = EndUser("u1", "ann@example.com", "Ann_100%", organization=Organization("o1", "Org"))


@pytest.fixture
async def crowd(control: Control) -> Control:
    github, slack = await control.integration(), await control.integration("slack")
    await control.connect(github, "one", end_user=USER, tags={"plan": "pro", "team": "red"})
    await control.connect(github, "two", tags={"plan": "pro", "end_user_id": "u2"})
    await control.connect(slack, "three", tags={"plan": "free"})
    await control.connect(slack, "two")
    other = await control.environments.create(control.account.id, "other")
    await control.connect(await control.integrations.create(other.id, "slack", "slack"), "two", tags={"plan": "pro"})
    return control


FILTERS: list[tuple[ConnectionFilter, list[str]]] = [
    (ConnectionFilter(), ["two", "three", "two", "one"]),
    (ConnectionFilter(connection_id="two"), ["two", "two"]),
    (ConnectionFilter(connection_id="two", integration_keys=["slack"]), ["two"]),
    (ConnectionFilter(integration_keys=["slack", "none"]), ["two", "three"]),
    (ConnectionFilter(tags={"plan": "pro"}), ["two", "one"]),
    (ConnectionFilter(tags={"plan": "pro", "team": "red"}), ["one"]),
    (ConnectionFilter(tags={"organization_id": "o1"}), ["one"]),
    (ConnectionFilter(end_user_id="u1"), ["one"]),
    (ConnectionFilter(end_user_id="u2"), ["two"]),
    (ConnectionFilter(end_user_organization_id="o1"), ["one"]),
    (ConnectionFilter(search="ANN@"), ["one"]),
    (ConnectionFilter(search="ann_100%"), ["one"]),
    (ConnectionFilter(search="%"), ["one"]),
    (ConnectionFilter(search="hre"), ["three"]),
    (ConnectionFilter(limit=3, page=1), ["one"]),
    (ConnectionFilter(limit=2, page=0), ["two", "three"]),
    (ConnectionFilter(with_errors=True), []),
]


async def test_filters_narrow_within_the_environment(crowd: Control) -> None:
    found = [await crowd.connections.list(crowd.environment.id, wanted) for wanted, _ in FILTERS]

    assert [[connection.connection_id for connection in page] for page in found] == [ids for _, ids in FILTERS]


async def test_an_end_user_is_kept_and_shown(crowd: Control) -> None:
    found = await crowd.connections.require(crowd.environment.id, "github", "one")

    assert found.end_user == USER
    assert found.tags["end_user_email"] == "ann@example.com"


async def test_patching_replaces_tags_and_removes_an_override(crowd: Control) -> None:
    env = crowd.environment.id
    changed = await crowd.connections.patch(env, "github", "one", tags={"a": "b"}, webhook_url_override="https://x.y")
    assert (changed.tags, changed.webhook_url_override, changed.end_user) == ({"a": "b"}, "https://x.y", USER)

    changed = await crowd.connections.patch(env, "github", "one", end_user=EndUser("u9"), webhook_url_override="")
    assert (changed.tags, changed.webhook_url_override) == ({"a": "b", "end_user_id": "u9"}, None)


async def test_metadata_is_replaced_or_merged_for_all_or_none(control: Control) -> None:
    integration, env = await control.integration(), control.environment.id
    for connection_id in ("a", "b"):
        await control.connect(integration, connection_id, metadata={"x": 1, "y": {"z": 1}})

    with pytest.raises(UnknownConnectionError) as caught:
        await control.connections.set_metadata(env, "github", ["a", "nope"], {"n": 1})
    assert caught.value.status == 404
    await control.connections.merge_metadata(env, "github", ["a", "b", "a"], {"y": 2})
    await control.connections.set_metadata(env, "github", ["b"], {"n": 1})

    assert (await control.connections.require(env, "github", "a")).metadata == {"x": 1, "y": 2}
    assert (await control.connections.require(env, "github", "b")).metadata == {"n": 1}


async def test_metadata_writes_of_many_in_opposite_orders_never_deadlock(control: Control) -> None:
    integration, env = await control.integration(), control.environment.id
    ids = [f"c{number}" for number in range(10)]
    for connection_id in ids:
        await control.connect(integration, connection_id)

    await asyncio.gather(
        *(
            control.connections.merge_metadata(env, "github", ids[::direction], {f"k{number}": 1})
            for number in range(5)
            for direction in (1, -1)
        )
    )

    assert len((await control.connections.require(env, "github", "c3")).metadata or {}) == 5


async def test_errors_stand_until_cleared_per_kind_and_subject(control: Control) -> None:
    made, env = await control.connect(await control.integration()), control.environment.id
    await control.connections.add_error(env, made.id, "auth", "log1")
    await control.connections.add_error(env, made.id, "auth", "log2")
    await control.connections.add_error(env, made.id, "sync", "log3", subject="s1")
    await control.connections.add_error(env, made.id, "sync", "log4", subject="s2")

    await control.connections.clear_errors(env, made.id, "sync", subject="s1")
    assert (await control.connections.require(env, "github", "c1")).errors == [
        {"type": "auth", "log_id": "log2"},
        {"type": "sync", "log_id": "log4"},
    ]
    await control.connections.clear_errors(env, made.id, "sync")
    await control.connections.clear_errors(env, made.id, "auth")
    assert (await control.connections.require(env, "github", "c1")).errors == []


async def test_a_fetch_is_noted_later_in_one_go(control: Control) -> None:
    made = await control.connect(await control.integration())
    control.connections.touch_fetched(made)

    await Toucher([control.connections.touches]).once()

    found = await control.connections.require(control.environment.id, "github", "c1")
    assert made.last_fetched_at is None
    assert found.last_fetched_at is not None
    assert found.updated_at == made.updated_at


async def test_a_cached_connection_follows_every_change_within_a_second(cached_control: Control) -> None:
    control, env = cached_control, cached_control.environment.id
    made = await control.connect(await control.integration())
    async with asyncio.timeout(2):
        while (found := await control.connections.get(env, "github", "c1")) is not await control.connections.get(
            env, "github", "c1"
        ):
            await asyncio.sleep(0.01)  # between two looks
    assert await control.connections.by_row_id(env, made.id) == found

    await control.connections.set_metadata(env, "github", ["c1"], {"new": True})
    async with asyncio.timeout(1):
        while True:
            now = [
                await control.connections.get(env, "github", "c1"),
                await control.connections.by_row_id(env, made.id),
            ]
            if all(connection and connection.metadata == {"new": True} for connection in now):
                break
            await asyncio.sleep(0.01)  # between two looks
    async with control.database.transaction() as conn:
        await control.connections.delete(conn, env, "github", "c1")
    async with asyncio.timeout(1):
        while await control.connections.get(env, "github", "c1") is not None:
            await asyncio.sleep(0.01)  # between two looks
