import pytest

from dragoman_server.db import Database, Invalidations
from dragoman_server.vault import KeyRing, Vault


@pytest.fixture
def ring() -> KeyRing:
    return KeyRing(b"K" * 32)


@pytest.fixture
async def vault(database: Database, database_url: str, ring: KeyRing) -> Vault:
    made = Vault(database=database, keyring=ring, invalidations=Invalidations(database_url))
    await made.open()
    return made
