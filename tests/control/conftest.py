from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from dragoman_server.control.accounts import Accounts
from dragoman_server.control.api_keys import ApiKeys
from dragoman_server.control.connections import Connections
from dragoman_server.control.environments import Environments
from dragoman_server.control.functions import Functions
from dragoman_server.control.integrations import Integrations
from dragoman_server.control.model import Account, Connection, Environment, Integration
from dragoman_server.control.runs import Runs
from dragoman_server.control.syncs import Syncs
from dragoman_server.control.variables import Variables
from dragoman_server.db import Database, Invalidations
from dragoman_server.vault import KeyRing, Vault


@dataclass(frozen=True)
class Control:
    """Every service of the part over one database, and an environment to play in."""

    database: Database
    vault: Vault
    accounts: Accounts
    environments: Environments
    keys: ApiKeys
    variables: Variables
    integrations: Integrations
    connections: Connections
    functions: Functions
    syncs: Syncs
    runs: Runs
    account: Account
    environment: Environment

    async def integration(self, key: str = "github", **more: object) -> Integration:
        return await self.integrations.create(self.environment.id, key, "github", **more)  # type: ignore[arg-type]

    async def connect(self, integration: Integration, connection_id: str = "c1", **more: object) -> Connection:
        async with self.database.transaction() as conn:
            made, _ = await self.connections.upsert(conn, integration, connection_id, **more)  # type: ignore[arg-type]
        return made


async def make_control(database: Database, invalidations: Invalidations) -> Control:
    vault = Vault(database=database, keyring=KeyRing(b"K" * 32), invalidations=invalidations)
    await vault.open()
    accounts = Accounts(database=database, vault=vault, invalidations=invalidations)
    environments = Environments(database=database, vault=vault, invalidations=invalidations)
    account = await accounts.create("Acme")
    return Control(
        database=database,
        vault=vault,
        accounts=accounts,
        environments=environments,
        keys=ApiKeys(database=database, vault=vault, invalidations=invalidations),
        variables=Variables(database=database, vault=vault, invalidations=invalidations),
        integrations=Integrations(database=database, vault=vault, invalidations=invalidations),
        connections=Connections(database=database, vault=vault, invalidations=invalidations),
        functions=Functions(database=database, vault=vault, invalidations=invalidations),
        syncs=Syncs(database=database, vault=vault, invalidations=invalidations),
        runs=Runs(database=database, vault=vault, invalidations=invalidations),
        account=account,
        environment=await environments.create(account.id, "dev"),
    )


@pytest.fixture
async def control(database: Database, database_url: str) -> Control:
    """Without a running listener: nothing is cached, every read is the database's."""
    return await make_control(database, Invalidations(database_url))


@pytest.fixture
async def cached_control(database: Database, database_url: str) -> AsyncIterator[Control]:
    """With a running listener: reads come from caches."""
    import asyncio

    invalidations = Invalidations(database_url)
    listening = asyncio.create_task(invalidations.run())
    made = await make_control(database, invalidations)
    async with asyncio.timeout(10):
        while not invalidations.healthy():
            await asyncio.sleep(0.01)
    yield made
    await invalidations.stop()
    await listening
