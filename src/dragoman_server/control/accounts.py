"""Accounts: the owner of environments and of account keys."""

from dragoman_server.control._store import environments as _store
from dragoman_server.control.model import Account
from dragoman_server.control.transactions import joined, lent
from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.kit.ids import AccountId
from dragoman_server.vault import Vault


class Accounts:
    """The verbs on accounts."""

    def __init__(self, *, database: Database, vault: Vault, invalidations: Invalidations) -> None:
        self._database = database

    async def create(self, name: str, *, conn: Conn | None = None) -> Account:
        async with joined(self._database, conn) as own:
            return await _store.insert_account(own, name)

    async def get(self, account_id: AccountId, *, conn: Conn | None = None) -> Account | None:
        async with lent(self._database, conn) as own:
            return await _store.account(own, account_id)

    async def list(self, *, conn: Conn | None = None) -> list[Account]:
        async with lent(self._database, conn) as own:
            return await _store.accounts(own)
