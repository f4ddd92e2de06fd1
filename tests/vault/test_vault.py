"""Keys in the database: made with the environment, found by every process, destroyed for good."""

import asyncio
from uuid import uuid4

import pytest

from dragoman_server.db import Database, Invalidations
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.vault import SYSTEM, KeyRing, SealBrokenError, SubjectShreddedError, Vault, WrongKeyError
from dragoman_server.vault.errors import NoDataKeyError

ENV = EnvironmentId(1)


async def another(database: Database, ring: KeyRing) -> Vault:
    made = Vault(database=database, keyring=ring, invalidations=Invalidations(database.url))
    await made.open()
    return made


async def create(vault: Vault, database: Database, environment_id: EnvironmentId = ENV) -> None:
    async with database.transaction() as conn:
        await vault.create_environment(conn, environment_id)


async def test_another_process_opens_what_was_sealed_here(vault: Vault, database: Database, ring: KeyRing) -> None:
    await create(vault, database)
    subject = uuid4()
    sealed = (await vault.sealer(ENV, "credentials", subject)).seal(b"token", b"row")

    elsewhere = await another(database, ring)

    assert await elsewhere.open_all(ENV, "credentials", subject, [(sealed, b"row")]) == [b"token"]
    assert elsewhere.lookup_hash("t") == vault.lookup_hash("t") != vault.lookup_hash("u")
    assert await elsewhere.hash_key(ENV) == await vault.hash_key(ENV)


async def test_environments_do_not_share_keys(vault: Vault, database: Database) -> None:
    await create(vault, database)
    await create(vault, database, EnvironmentId(2))
    sealed = (await vault.sealer(ENV, "credentials")).seal(b"token")

    with pytest.raises(Exception, match=r"opened|not loaded"):
        await vault.open_all(EnvironmentId(2), "credentials", None, [(sealed, b"")])
    assert await vault.hash_key(ENV) != await vault.hash_key(EnvironmentId(2))


@pytest.mark.usefixtures("vault")
async def test_a_key_that_is_not_the_databases_is_refused_at_the_start(database: Database) -> None:
    with pytest.raises(WrongKeyError):
        await another(database, KeyRing(b"X" * 32))


async def test_many_first_starts_at_once_agree_on_the_keys(database: Database, ring: KeyRing) -> None:
    vaults = await asyncio.gather(*(another(database, ring) for _ in range(5)))

    assert len({made.lookup_hash("token") for made in vaults}) == 1
    sealed = (await vaults[0].sealer(SYSTEM, "password")).seal(b"x")
    assert await vaults[4].open_all(SYSTEM, "password", None, [(sealed, b"")]) == [b"x"]


async def test_a_shredded_subject_can_never_be_read_nor_sealed_for_again(vault: Vault, database: Database) -> None:
    await create(vault, database)
    subject, bystander = uuid4(), uuid4()
    sealed = (await vault.sealer(ENV, "credentials", subject)).seal(b"token")
    kept = (await vault.sealer(ENV, "credentials", bystander)).seal(b"other")

    async with database.transaction() as conn:
        await vault.shred(conn, ENV, subject)

    with pytest.raises(SubjectShreddedError):
        await vault.open_all(ENV, "credentials", subject, [(sealed, b"")])
    assert await vault.open_all(ENV, "credentials", bystander, [(kept, b"")]) == [b"other"]


async def test_shredding_reaches_a_process_that_holds_the_salt_in_its_cache(database: Database, ring: KeyRing) -> None:
    invalidations = Invalidations(database.url)
    listening = asyncio.create_task(invalidations.run())
    vault = Vault(database=database, keyring=ring, invalidations=invalidations)
    await vault.open()
    await create(vault, database)
    subject = uuid4()
    async with asyncio.timeout(5):
        while not invalidations.healthy():
            await asyncio.sleep(0.01)  # between two looks
    cached, version = await vault.sealer(ENV, "credentials", subject), invalidations.version
    assert await vault.sealer(ENV, "credentials", subject) is cached

    async with database.transaction() as conn:
        await vault.shred(conn, ENV, subject)

    async with asyncio.timeout(5):
        while invalidations.version == version:
            await asyncio.sleep(0.01)  # between two looks
    with pytest.raises(SubjectShreddedError):
        await vault.sealer(ENV, "credentials", subject)
    await invalidations.stop()
    await listening


async def test_keys_of_a_rolled_back_environment_leave_nothing_behind(vault: Vault, database: Database) -> None:
    with pytest.raises(RuntimeError):
        async with database.transaction() as conn:
            await vault.create_environment(conn, ENV)
            (await vault.sealer(ENV, "credentials", uuid4(), conn=conn)).seal(b"x")
            raise RuntimeError

    with pytest.raises(NoDataKeyError):
        await vault.sealer(ENV, "credentials")


async def test_an_erased_environment_is_unreadable(vault: Vault, database: Database) -> None:
    await create(vault, database)

    async with database.transaction() as conn:
        await vault.erase_environment(conn, ENV)

    with pytest.raises(NoDataKeyError):
        await vault.sealer(ENV, "credentials")


async def test_a_seal_for_one_record_does_not_open_another(vault: Vault, database: Database) -> None:
    await create(vault, database)
    sealed = (await vault.sealer(ENV, "records")).seal(b"{}", b"one")

    with pytest.raises(SealBrokenError):
        await vault.open_all(ENV, "records", None, [(sealed, b"two")])
