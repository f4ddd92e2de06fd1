"""`dragoman keys rotate`: new keys beside the old ones, everything wrapped anew, nothing stopped."""

from typing import Any

from dragoman_server import control
from dragoman_server.assembly.layout import DataFolder, databases_of
from dragoman_server.assembly.settings import Settings
from dragoman_server.db import Database, Invalidations
from dragoman_server.db.embedded import EmbeddedPostgres, EmbeddedPostgresError
from dragoman_server.vault import KeyRing, Vault
from dragoman_server.vault.errors import KeyFileError
from dragoman_server.vault.keyfile import read_key_file, write_key_file


class RotationError(Exception):
    """The keys could not be rotated; the message says what to do."""


async def rotate_keys(settings: Settings, folder: DataFolder, *, data_keys: bool) -> dict[str, Any]:
    """Rotate; return `{lines: [...]}` for the operator. Safe to interrupt and to run again."""
    lines: list[str] = []
    try:
        embedded = EmbeddedPostgres.attach(folder.postgres) if settings.database_url is None else None
        ring = _new_ring(settings, folder, lines)
    except (EmbeddedPostgresError, KeyFileError) as error:
        raise RotationError(str(error)) from error
    databases = databases_of(settings, embedded=embedded)
    database = Database(databases.main, max_size=3)
    await database.open()
    try:
        common: dict[str, Any] = {"database": database, "invalidations": Invalidations(databases.main_direct)}
        vault = Vault(**common, keyring=KeyRing(ring.previous[0], ring.previous[1:]) if ring.previous else ring)
        await vault.open()
        lines.append(f"{await vault.rotate_keks(ring)} keys are wrapped with the new key-encryption key.")
        if data_keys:
            made = 0
            for account in await control.Accounts(**common, vault=vault).list():
                for environment in await control.Environments(**common, vault=vault).list(account.id):
                    await vault.rotate_data_keys(environment.id)
                    made += 1
            lines.append(f"{made} environments seal with new data keys; the running server re-encrypts the rest.")
        if settings.encryption_key is None:
            kept = ring.keeping(list(await vault.keks_in_use()))
            write_key_file(folder.key_file, kept)
            lines.append(f"{folder.key_file} holds {1 + len(kept.previous)} key(s). Back it up.")
    finally:
        await database.close()
    return {"lines": lines}


def _new_ring(settings: Settings, folder: DataFolder, lines: list[str]) -> KeyRing:
    """The ring to wrap under: in the key file before anything is wrapped with it, or as the settings give it."""
    if settings.encryption_key is not None:
        if settings.previous_encryption_keys is None:
            raise RotationError(
                "The key comes from DRAGOMAN_ENCRYPTION_KEY: set the new key there, the old one in "
                "DRAGOMAN_PREVIOUS_ENCRYPTION_KEYS, restart every process, and run this again."
            )
        given = (settings.encryption_key.get_secret_value(), settings.previous_encryption_keys.get_secret_value())
        return KeyRing.parse(" ".join(given))
    ring = read_key_file(folder.key_file).with_new_current()
    write_key_file(folder.key_file, ring)
    lines.append("A new key-encryption key is in the key file, beside the old one.")
    return ring
