"""What can go wrong with keys and seals. No message ever names a key or a plaintext."""

from dragoman_server.kit.errors import DragomanError, Reaction


class VaultError(DragomanError):
    """The root of the vault's errors: something sealed cannot be handled. The caller cannot mend it."""

    code = "server_error"
    default_status = 500
    reaction = Reaction.GIVE_UP


class SealBrokenError(VaultError):
    """The ciphertext was changed, or was sealed for another purpose, environment, connection or record."""

    def __init__(self) -> None:
        super().__init__("A stored secret could not be opened: it was changed, or it belongs elsewhere.")


class UnknownDataKeyError(VaultError):
    """Sealed under a data key this sealer does not hold (yet): ask the vault for a fresh one and retry."""

    reaction = Reaction.RETRY

    def __init__(self, data_key_id: int) -> None:
        super().__init__(f"A stored secret names data key {data_key_id}, which is not loaded.")
        self.data_key_id = data_key_id


class SubjectShreddedError(VaultError):
    """The subject's salt was destroyed: what was sealed for it can never be read again."""

    def __init__(self) -> None:
        super().__init__("This connection's secrets were destroyed when it was deleted.")


class NoDataKeyError(VaultError):
    """The environment has no data key: it was never created, or it was erased."""

    def __init__(self, environment_id: int) -> None:
        super().__init__(f"Environment {environment_id} has no data key.")


class WrongKeyError(VaultError):
    """The key we were given is not the one this database was sealed with."""

    reaction = Reaction.FIX

    def __init__(self, kek_id: bytes) -> None:
        super().__init__(
            f"This database is sealed with key {kek_id.hex()}, which is neither in the key file nor in"
            " DRAGOMAN_ENCRYPTION_KEY. Restore that key and start again."
        )
        self.kek_id = kek_id


class KeyFileError(VaultError):
    """The key file is missing, unsafe or malformed; the message says what to do."""

    reaction = Reaction.FIX
