"""Connections and transactions over asyncpg. Only `Statement`s run here."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Protocol, cast

import msgspec

from dragoman_server.db.driver import UNAVAILABLE, RawConnection, RawPool, create_pool
from dragoman_server.db.statement import Statement, read_sql
from dragoman_server.kit.errors import UnavailableError

NOW = read_sql(__package__ or "", "now")


class Row(Protocol):
    """A row: unpacks like a tuple, and `row["column"]`."""

    def __getitem__(self, key: str | int) -> Any: ...
    def __iter__(self) -> Iterator[Any]: ...
    def __len__(self) -> int: ...


class DatabaseUnavailableError(UnavailableError):
    """The control plane's database does not answer; try again shortly."""

    def __init__(self) -> None:
        super().__init__("The database does not answer. Try again shortly.", headers={"Retry-After": "1"})


class Conn:
    """A connection lent by `Database`; inside `transaction()` everything on it commits or rolls back together."""

    __slots__ = ("_after", "_raw")

    def __init__(self, raw: RawConnection, after: list[Callable[[], None]] | None = None) -> None:
        self._raw = raw
        self._after = after

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call it once this transaction has committed; at once where there is none. Not after a roll-back."""
        if self._after is None:
            call()
        else:
            self._after.append(call)

    async def fetch(self, statement: Statement, *args: object) -> Sequence[Row]:
        return cast("Sequence[Row]", await self._raw.fetch(statement.text, *args))

    async def fetchrow(self, statement: Statement, *args: object) -> Row | None:
        return cast("Row | None", await self._raw.fetchrow(statement.text, *args))

    async def fetchval(self, statement: Statement, *args: object) -> Any:
        return await self._raw.fetchval(statement.text, *args)

    async def execute(self, statement: Statement, *args: object) -> str:
        """Run it; return the command tag, e.g. `UPDATE 3`."""
        return await self._raw.execute(statement.text, *args)

    async def executemany(self, statement: Statement, rows: Iterable[Sequence[object]]) -> None:
        await self._raw.executemany(statement.text, rows)

    async def copy(self, schema: str, table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """COPY `rows` into a table in binary form."""
        await self._raw.copy_records_to_table(table, schema_name=schema, columns=list(columns), records=rows)

    @asynccontextmanager
    async def savepoint(self) -> AsyncGenerator[None]:
        """Roll back only to here when the block raises."""
        async with self._raw.transaction():
            yield

    async def now(self) -> datetime:
        """The database's `kit.now()`."""
        return cast("datetime", await self.fetchval(NOW))


def encode_json(value: object) -> str:
    """Encode for a jsonb parameter (also what the codec does with Python values)."""
    return msgspec.json.encode(value).decode()


async def _prepare(raw: RawConnection) -> None:
    for kind in ("json", "jsonb"):
        await raw.set_type_codec(kind, schema="pg_catalog", encoder=encode_json, decoder=msgspec.json.decode)


async def _nothing_to_reset(_raw: Any) -> None:
    """Save a round trip a release: pooled code leaves no session state (the driver rolls an open transaction back)."""


class Database:
    """A pool on one database. `open` before use, `close` at the end; survives restarts of Postgres."""

    def __init__(
        self, url: str, *, min_size: int = 1, max_size: int = 10, command_timeout: float = 60.0, name: str = "dragoman"
    ) -> None:
        self.url = url
        self._min_size = min_size
        self._max_size = max_size
        self._command_timeout = command_timeout
        self._name = name
        self._pool: RawPool | None = None

    async def open(self) -> None:
        """Connect; raise `DatabaseUnavailableError` when it does not answer within ten seconds."""
        try:
            # jit is switched off per database or role by the set-up (`migrate`), never by SET in pooled code; the
            # start-up parameter below reaches Postgres directly and is dropped where a pooler refuses it.
            self._pool = await create_pool(
                self.url,
                min_size=self._min_size,
                max_size=self._max_size,
                command_timeout=self._command_timeout,
                timeout=10.0,
                init=_prepare,
                reset=_nothing_to_reset,
                max_inactive_connection_lifetime=300.0,
                server_settings={"application_name": self._name, "jit": "off"},
            )
        except UNAVAILABLE as error:
            raise DatabaseUnavailableError from error

    async def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                await asyncio.wait_for(pool.close(), 5.0)
            except UNAVAILABLE:  # too slow, or a server that is gone: nobody hears a goodbye
                pool.terminate()

    def _open_pool(self) -> RawPool:
        if self._pool is None:
            raise DatabaseUnavailableError
        return self._pool

    @asynccontextmanager
    async def connection(self) -> AsyncGenerator[Conn]:
        """Lend a connection without a transaction: each statement commits by itself."""
        async with self._open_pool().acquire(timeout=15.0) as raw:
            yield Conn(raw)

    @asynccontextmanager
    async def transaction(self, *, read_only: bool = False) -> AsyncGenerator[Conn]:
        """Lend a connection in a READ COMMITTED transaction; commit when the block ends, roll back when it raises."""
        after: list[Callable[[], None]] = []
        async with self._open_pool().acquire(timeout=15.0) as raw, raw.transaction(readonly=read_only):
            yield Conn(raw, after)
        for call in after:
            call()

    async def fetch(self, statement: Statement, *args: object) -> Sequence[Row]:
        async with self.connection() as conn:
            return await conn.fetch(statement, *args)

    async def fetchrow(self, statement: Statement, *args: object) -> Row | None:
        async with self.connection() as conn:
            return await conn.fetchrow(statement, *args)

    async def fetchval(self, statement: Statement, *args: object) -> Any:
        async with self.connection() as conn:
            return await conn.fetchval(statement, *args)

    async def execute(self, statement: Statement, *args: object) -> str:
        async with self.connection() as conn:
            return await conn.execute(statement, *args)
