"""Rotations keep everything readable, survive a crash anywhere, and drop a key only when nobody needs it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from dragoman_server.db import Database, Invalidations
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.vault import DataKeyRotation, KeyRing, UnknownDataKeyError, Vault, WrongKeyError, data_key_of
from dragoman_server.vault.keyfile import read_key_file, write_key_file
from tests.conftest import MoveClock

ENV = EnvironmentId(1)


@dataclass
class MemoryTable:
    """A sealed table of a few rows, each with its own subject."""

    vault: Vault
    name: str = "memory"
    rows: dict[UUID, bytes] = field(default_factory=dict[UUID, bytes])
    die_after: int | None = None

    async def add(self, *texts: bytes) -> None:
        for text in texts:
            subject = uuid4()
            self.rows[subject] = (await self.vault.sealer(ENV, "t", subject)).seal(text, subject.bytes)

    async def texts(self) -> list[bytes]:
        return [
            (await self.vault.open_all(ENV, "t", subject, [(sealed, subject.bytes)]))[0]
            for subject, sealed in self.rows.items()
        ]

    def _under(self, data_key_id: int) -> Sequence[UUID]:
        return [subject for subject, sealed in self.rows.items() if data_key_of(sealed) == data_key_id]

    async def count(self, environment_id: EnvironmentId, data_key_id: int) -> int:
        return len(self._under(data_key_id))

    async def reseal(self, environment_id: EnvironmentId, data_key_id: int, limit: int) -> int:
        todo = self._under(data_key_id)[:limit]
        for done, subject in enumerate(todo):
            if self.die_after == done:
                raise RuntimeError("killed")
            sealer = await self.vault.sealer(environment_id, "t", subject)
            self.rows[subject] = sealer.seal(sealer.open(self.rows[subject], subject.bytes), subject.bytes)
        return len(todo)


@pytest.fixture
async def table(vault: Vault, database: Database) -> MemoryTable:
    async with database.transaction() as conn:
        await vault.create_environment(conn, ENV)
    made = MemoryTable(vault)
    await made.add(b"a", b"b", b"c")
    return made


async def test_after_a_data_key_rotation_new_writes_use_the_new_key_and_old_ones_open(
    vault: Vault, table: MemoryTable
) -> None:
    new = await vault.rotate_data_keys(ENV)
    await table.add(b"d")

    assert await table.texts() == [b"a", b"b", b"c", b"d"]
    assert await table.count(ENV, new) == 1


async def test_a_killed_re_encryption_goes_on_where_it_stopped(
    vault: Vault, table: MemoryTable, database: Database
) -> None:
    new = await vault.rotate_data_keys(ENV)
    rotation = DataKeyRotation(database=database, tables=[table], limit=2)
    table.die_after = 1
    with pytest.raises(RuntimeError):
        await rotation.once()
    assert await table.texts() == [b"a", b"b", b"c"]
    table.die_after = None

    assert [await rotation.once(), await rotation.once()] == [0.0, None]

    assert await table.count(ENV, new) == 3
    assert await table.texts() == [b"a", b"b", b"c"]


async def test_a_data_key_is_dropped_only_after_its_grace_and_a_count_of_zero(
    vault: Vault, table: MemoryTable, database: Database, database_url: str, move_clock: MoveClock
) -> None:
    late = (await vault.sealer(ENV, "t", subject := uuid4())).seal(b"late", subject.bytes)
    await vault.rotate_data_keys(ENV)
    rotation = DataKeyRotation(database=database, tables=[table])
    while await rotation.once() is not None:
        pass
    await rotation.once()
    assert (await vault.open_all(ENV, "t", subject, [(late, subject.bytes)])) == [b"late"]  # within the grace

    table.rows[subject] = late
    await move_clock(database_url, timedelta(hours=1))
    while await rotation.once() is not None:
        pass
    await rotation.once()

    assert await table.texts() == [b"a", b"b", b"c", b"late"]
    with pytest.raises(UnknownDataKeyError):
        await vault.open_all(ENV, "t", subject, [(late, subject.bytes)])


async def test_a_data_key_that_a_table_still_counts_is_never_dropped(
    vault: Vault, table: MemoryTable, database: Database, database_url: str, move_clock: MoveClock
) -> None:
    class Stuck(MemoryTable):
        async def reseal(self, environment_id: EnvironmentId, data_key_id: int, limit: int) -> int:
            return 0

    stuck = Stuck(vault, "stuck", dict(table.rows))
    await vault.rotate_data_keys(ENV)
    await move_clock(database_url, timedelta(hours=1))

    assert await DataKeyRotation(database=database, tables=[MemoryTable(vault), stuck]).once() is None

    assert len((await vault.sealer(ENV, "t", fresh=True)).keys.keys) == 2
    assert await stuck.texts() == [b"a", b"b", b"c"]


@pytest.mark.usefixtures("table")
async def test_a_sealer_from_before_a_rotation_learns_of_the_new_key(
    vault: Vault, database: Database, ring: KeyRing
) -> None:
    before = await vault.sealer(ENV, "t")
    other = Vault(database=database, keyring=ring, invalidations=Invalidations(database.url))
    await other.open()
    await other.rotate_data_keys(ENV)
    sealed = (await other.sealer(ENV, "t")).seal(b"new")

    with pytest.raises(UnknownDataKeyError):
        before.open(sealed)

    assert await vault.open_all(ENV, "t", None, [(sealed, b"")]) == [b"new"]


async def test_a_kek_rotation_rewraps_everything_and_running_processes_follow(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "keys"
    old = write_key_file(path)
    made = [
        Vault(
            database=database,
            keyring=old,
            invalidations=Invalidations(database.url),
            reload_keyring=lambda: read_key_file(path),
        )
        for _ in range(2)
    ]
    for vault in made:
        await vault.open()
    async with database.transaction() as conn:
        await made[0].create_environment(conn, ENV)
    table = MemoryTable(made[0])
    await table.add(b"a", b"b")
    hashed, hash_key = made[0].lookup_hash("token"), await made[0].hash_key(ENV)

    new = write_key_file(path, old.with_new_current())
    assert await made[1].rotate_keks(new) == 4  # two data keys (system, ENV), a hash key, the lookup key

    assert set(await made[1].keks_in_use()) == {new.current_id}
    write_key_file(path, new.keeping(list(await made[1].keks_in_use())))
    async with database.transaction() as conn:
        await made[0].create_environment(conn, EnvironmentId(2))  # a process that still held the old ring
    assert set(await made[1].keks_in_use()) == {new.current_id}
    assert await table.texts() == [b"a", b"b"]
    restarted = Vault(database=database, keyring=read_key_file(path), invalidations=Invalidations(database.url))
    await restarted.open()
    assert restarted.lookup_hash("token") == hashed
    assert await restarted.hash_key(ENV) == hash_key


async def test_a_kek_rotation_that_lacks_the_old_key_changes_nothing(
    vault: Vault, table: MemoryTable, ring: KeyRing
) -> None:
    with pytest.raises(WrongKeyError):
        await vault.rotate_keks(KeyRing(b"N" * 32))

    assert set(await vault.keks_in_use()) == {ring.current_id}
    assert await table.texts() == [b"a", b"b", b"c"]


@pytest.mark.usefixtures("table")
async def test_without_a_way_to_reload_an_unknown_kek_is_named_not_guessed(
    vault: Vault, database: Database, ring: KeyRing
) -> None:
    other = Vault(database=database, keyring=ring, invalidations=Invalidations(database.url))
    await other.open()
    await other.rotate_keks(ring.with_new_current())

    with pytest.raises(WrongKeyError):
        await vault.sealer(ENV, "t", fresh=True)
