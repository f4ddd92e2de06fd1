"""Where a process's key-encryption keys come from: the setting, else the key file in the data folder."""

from collections.abc import Callable

from dragoman_server.assembly.layout import DataFolder
from dragoman_server.assembly.settings import Settings
from dragoman_server.vault import KeyRing
from dragoman_server.vault.keyfile import ensure_key_file, read_key_file


def keyring_of(settings: Settings, folder: DataFolder) -> KeyRing:
    """Return the ring; the key file is made on first use. Raise `KeyFileError` saying what is wrong with it."""
    if settings.encryption_key is None:
        return ensure_key_file(folder.key_file)
    text = settings.encryption_key.get_secret_value()
    if settings.previous_encryption_keys is not None:
        text += " " + settings.previous_encryption_keys.get_secret_value()
    return KeyRing.parse(text)


def reload_keyring(settings: Settings, folder: DataFolder) -> Callable[[], KeyRing] | None:
    """How a running process follows a rotation: read the file again; a setting only changes with a restart."""
    if settings.encryption_key is not None:
        return None
    return lambda: read_key_file(folder.key_file)
