"""Envelope encryption: every credential, variable and record payload is sealed here before it is stored.

A key-encryption key (KEK) from outside the database wraps one data key per environment; subkeys come from HKDF by
purpose and by subject (a connection), whose random salt can be destroyed. Called by every part that stores secrets.
Stores wrapped keys and salts, never a plaintext. Runs in every process; `DataKeyRotation` in the work process only.
"""

from dragoman_server.vault.envelope import Sealer, data_key_of, header_of
from dragoman_server.vault.errors import (
    SealBrokenError,
    SubjectShreddedError,
    UnknownDataKeyError,
    VaultError,
    WrongKeyError,
)
from dragoman_server.vault.keyring import KeyRing
from dragoman_server.vault.rotation import DataKeyRotation, SealedTable
from dragoman_server.vault.service import SYSTEM, Vault

__all__ = [
    "SYSTEM",
    "DataKeyRotation",
    "KeyRing",
    "SealBrokenError",
    "SealedTable",
    "Sealer",
    "SubjectShreddedError",
    "UnknownDataKeyError",
    "Vault",
    "VaultError",
    "WrongKeyError",
    "data_key_of",
    "header_of",
]
