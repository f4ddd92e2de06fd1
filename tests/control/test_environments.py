"""Environments, keys and variables."""

import asyncio
from datetime import timedelta

import pytest

from dragoman_server.control.errors import (
    EnvironmentExistsError,
    InvalidValueError,
    ProductionEnvironmentError,
    UnknownEnvironmentError,
)
from dragoman_server.control.loops import Purger, Toucher
from dragoman_server.control.model import WebhookSettings
from dragoman_server.control.sealed import sealed_tables
from dragoman_server.vault import DataKeyRotation
from tests.conftest import MoveClock
from tests.control.conftest import Control


async def test_names_are_unique_in_an_account_until_the_environment_is_deleted(control: Control) -> None:
    with pytest.raises(EnvironmentExistsError):
        await control.environments.create(control.account.id, "dev")
    await control.environments.delete(control.environment.id, control.account.id)

    again = await control.environments.create(control.account.id, "dev")

    assert again.id != control.environment.id
    assert [found.id for found in await control.environments.list(control.account.id)] == [again.id]


async def test_renaming_onto_another_environment_is_a_conflict(control: Control) -> None:
    other = await control.environments.create(control.account.id, "prod")

    with pytest.raises(EnvironmentExistsError):
        await control.environments.update(other.id, name="dev")


async def test_a_production_environment_is_not_deleted(control: Control) -> None:
    made = await control.environments.create(control.account.id, "prod", is_production=True)

    with pytest.raises(ProductionEnvironmentError):
        await control.environments.delete(made.id, control.account.id)
    assert await control.environments.get(made.id) == made


async def test_another_accounts_environment_cannot_be_deleted(control: Control) -> None:
    other = await control.accounts.create("Other")

    with pytest.raises(UnknownEnvironmentError):
        await control.environments.delete(control.environment.id, other.id)


async def test_webhook_settings_are_kept_and_checked(control: Control) -> None:
    wanted = WebhookSettings(primary_url="https://example.com/hook", on_sync_error=False)

    await control.environments.set_webhook_settings(control.environment.id, wanted)

    assert await control.environments.webhook_settings(control.environment.id) == wanted
    with pytest.raises(InvalidValueError):
        await control.environments.set_webhook_settings(control.environment.id, WebhookSettings(primary_url="ftp://x"))


async def test_an_environment_is_found_by_its_uuid(control: Control) -> None:
    assert await control.environments.by_uuid(control.environment.uuid) == control.environment


async def test_the_signing_key_is_stable_until_rotated_and_never_printed(control: Control) -> None:
    first = await control.environments.signing_key(control.environment.id)
    assert await control.environments.signing_key(control.environment.id) == first

    second = await control.environments.rotate_signing_key(control.environment.id)

    assert first != second == await control.environments.signing_key(control.environment.id)
    assert second.reveal() not in repr(second)


async def test_the_previous_signing_key_still_counts_for_five_minutes(
    control: Control, database_url: str, move_clock: MoveClock
) -> None:
    env = control.environment.id
    first = await control.environments.signing_key(env)
    second = await control.environments.rotate_signing_key(env)
    assert await control.environments.signing_keys(env) == (second, first)

    await move_clock(database_url, timedelta(minutes=6))

    assert await control.environments.signing_keys(env) == (second, None)


async def test_a_key_is_shown_once_and_authenticates_its_environment(control: Control) -> None:
    key, secret = await control.keys.create(
        control.account.id, "ci", environment_id=control.environment.id, scopes=["environment:mcp"]
    )

    assert await control.keys.authenticate(secret.reveal()) == key
    assert await control.keys.authenticate(secret.reveal().upper()) == key
    assert key.scopes == {"environment:mcp"}
    assert await control.keys.authenticate("00000000-0000-4000-8000-000000000000") is None


async def test_a_key_cannot_have_scopes_of_another_kind(control: Control) -> None:
    with pytest.raises(InvalidValueError, match="account:"):
        await control.keys.create(control.account.id, "x", environment_id=control.environment.id, scopes=["account:*"])


async def test_a_key_of_another_environment_cannot_be_revoked(control: Control) -> None:
    key, secret = await control.keys.create(control.account.id, "x", environment_id=control.environment.id)
    other = await control.environments.create(control.account.id, "other")

    assert not await control.keys.delete(control.account.id, other.id, key.id)
    assert not await control.keys.delete(control.account.id, None, key.id)
    assert await control.keys.authenticate(secret.reveal()) is not None


async def test_a_revoked_key_is_refused_within_a_second(cached_control: Control) -> None:
    control = cached_control
    key, secret = await control.keys.create(control.account.id, "x", environment_id=control.environment.id)
    assert await control.keys.authenticate(secret.reveal()) is await control.keys.authenticate(secret.reveal())

    await control.keys.delete(control.account.id, control.environment.id, key.id)

    async with asyncio.timeout(1):
        while await control.keys.authenticate(secret.reveal()) is not None:
            await asyncio.sleep(0.01)  # between two looks


async def test_the_keys_of_a_deleted_environment_are_refused_within_a_second(cached_control: Control) -> None:
    control = cached_control
    _, secret = await control.keys.create(control.account.id, "x", environment_id=control.environment.id)
    _, account_secret = await control.keys.create(control.account.id, "account")
    assert await control.keys.authenticate(secret.reveal()) is not None

    await control.environments.delete(control.environment.id, control.account.id)

    async with asyncio.timeout(1):
        while await control.keys.authenticate(secret.reveal()) is not None:
            await asyncio.sleep(0.01)  # between two looks
    assert await control.keys.authenticate(account_secret.reveal()) is not None


async def test_last_use_is_written_later_in_one_go(control: Control) -> None:
    _, secret = await control.keys.create(control.account.id, "x", environment_id=control.environment.id)
    await control.keys.authenticate(secret.reveal())
    [before] = await control.keys.list(control.account.id, control.environment.id)

    await Toucher([control.keys.touches]).once()

    [after] = await control.keys.list(control.account.id, control.environment.id)
    assert before.last_used_at is None
    assert after.last_used_at is not None


async def test_variables_are_listed_replaced_and_removed(control: Control) -> None:
    env = control.environment.id
    await control.variables.put(env, {"A": "1", "B": "ü"})
    await control.variables.put(env, {"B": "2"})
    assert {n: v.reveal() for n, v in (await control.variables.list(env)).items()} == {"A": "1", "B": "2"}

    await control.variables.put(env, {"C": "3"}, replace_all=True)
    assert list(await control.variables.list(env)) == ["C"]
    assert await control.variables.delete(env, ["C", "D"]) == 1
    assert await control.variables.list(env) == {}


async def test_bad_variables_change_nothing(control: Control) -> None:
    bad = [{"1A": "x"}, {"": "x"}, {"A": "a\0"}, {"A": "x" * 70_000}]

    for values in bad:
        with pytest.raises(InvalidValueError):
            await control.variables.put(control.environment.id, {"GOOD": "1", **values})

    assert await control.variables.list(control.environment.id) == {}


async def test_everything_sealed_here_survives_a_rotation_of_the_data_key(
    control: Control, database_url: str, move_clock: MoveClock
) -> None:
    env = control.environment.id
    await control.variables.put(env, {"A": "1"})
    integration = await control.integration(
        credentials={"type": "OAUTH2", "client_id": "id", "client_secret": "s"}, custom={"k": "v"}
    )
    signing_key = await control.environments.signing_key(env)
    tables = sealed_tables(database=control.database, vault=control.vault)
    rotation = DataKeyRotation(database=control.database, tables=tables)

    await control.vault.rotate_data_keys(env)
    while await rotation.once() is not None:
        pass
    await move_clock(database_url, timedelta(hours=1))
    assert await rotation.once() is None  # drops the old key

    sealer = await control.vault.sealer(env, "variable", fresh=True)
    assert len(sealer.keys.keys) == 1
    assert (await control.variables.list(env))["A"].reveal() == "1"
    assert (await control.integrations.credentials(integration))["client_secret"] == "s"
    assert (await control.integrations.require(env, "github")).custom == {"k": "v"}
    assert await control.environments.signing_key(env) == signing_key


async def test_a_deleted_environment_is_erased_after_its_time_of_grace(
    control: Control, database_url: str, move_clock: MoveClock
) -> None:
    env = control.environment.id
    other = await control.environments.create(control.account.id, "other")
    await control.variables.put(env, {"A": "1"})
    await control.variables.put(other.id, {"A": "1"})
    await control.environments.delete(env, control.account.id)
    purger = Purger(database=control.database, vault=control.vault)

    await purger.once()
    assert len(await control.variables.list(env)) == 1
    await move_clock(database_url, timedelta(days=32))
    await purger.once()

    assert await control.variables.list(env) == {}
    assert len(await control.variables.list(other.id)) == 1
