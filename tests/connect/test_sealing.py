"""Stored credentials under key rotation, and what never reaches a log."""

from dragoman_server.connect.model import CredentialKey
from dragoman_server.logs.model import OperationFilter
from dragoman_server.vault import data_key_of
from tests.connect.world import World


async def test_a_rotation_of_data_keys_reseals_every_credential(world: World) -> None:
    integration = await world.integration()
    connection = await world.imported(integration, expires_in=3600)
    key = CredentialKey(world.environment.id, connection.id)
    sealed, vault = world.one.parts.sealed, world.one.vault
    from dragoman_server.connect import _store

    async with world.one.database.connection() as conn:
        before = await _store.read_credential(conn, key)
    assert before is not None
    old = data_key_of(before.sealed)

    new = await vault.rotate_data_keys(world.environment.id)
    done = await sealed.reseal(world.environment.id, old, 100)

    assert done == 1
    assert await sealed.count(world.environment.id, old) == 0
    assert await sealed.count(world.environment.id, new) == 1
    assert (await world.fresh(connection, integration)).values["access_token"] == "old"


async def test_the_logs_of_a_refresh_show_the_call_and_no_secret(world: World) -> None:
    integration = await world.integration()
    connection = await world.imported(integration)
    credential = await world.fresh(connection, integration)

    logs = world.one.logs
    await logs.flush()
    [operation] = (
        await logs.search_operations(world.environment.id, OperationFilter(kinds=["auth:refresh_token"]))
    ).items
    text = repr([*(await logs.messages(world.environment.id, operation.id)).items, operation])
    assert operation.state == "success"
    assert "/token" in text
    for secret in ("app-secret", str(credential.values["access_token"]), str(credential.values["refresh_token"])):
        assert secret not in text
