"""The one place that imports asyncpg: its own types are partial, so what we use of it is spelled out here."""

import ssl
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast

import asyncpg

UNAVAILABLE: tuple[type[BaseException], ...] = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what a connection that dies between two steps of a query raises
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    ssl.SSLError,
    ConnectionError,
    OSError,
    TimeoutError,
)
"""What a lost or restarting Postgres raises. Doors answer these with 503, loops try again."""

UNSTORABLE_TEXT: tuple[type[BaseException], ...] = (
    asyncpg.CharacterNotInRepertoireError,
    asyncpg.UntranslatableCharacterError,
)
"""What Postgres raises for a NUL in text or JSON: somebody's input, whichever check it slipped through."""

PostgresError: type[Exception] = asyncpg.PostgresError
UniqueViolationError: type[Exception] = asyncpg.UniqueViolationError
ForeignKeyViolationError: type[Exception] = asyncpg.ForeignKeyViolationError
DuplicateDatabaseError: type[Exception] = asyncpg.DuplicateDatabaseError
InvalidCatalogNameError: type[Exception] = asyncpg.InvalidCatalogNameError
InsufficientPrivilegeError: type[Exception] = asyncpg.InsufficientPrivilegeError
LockNotAvailableError: type[Exception] = asyncpg.LockNotAvailableError


class RawConnection(Protocol):
    """What we use of an asyncpg connection."""

    async def execute(self, query: str, *args: object, timeout: float | None = None) -> str: ...
    async def fetch(self, query: str, *args: object, timeout: float | None = None) -> Sequence[Any]: ...
    async def fetchrow(self, query: str, *args: object, timeout: float | None = None) -> Any: ...
    async def fetchval(self, query: str, *args: object, timeout: float | None = None) -> Any: ...
    async def executemany(self, command: str, args: Iterable[Sequence[object]]) -> None: ...
    async def copy_records_to_table(
        self, table_name: str, *, records: Iterable[Sequence[object]], columns: Sequence[str], schema_name: str
    ) -> str: ...
    def transaction(self, *, readonly: bool = False) -> AbstractAsyncContextManager[None]: ...
    async def add_listener(self, channel: str, callback: Callable[[Any, int, str, object], None]) -> None: ...
    async def set_type_codec(
        self, typename: str, *, schema: str, encoder: Callable[[Any], str], decoder: Callable[[str], Any]
    ) -> None: ...
    async def close(self, *, timeout: float | None = None) -> None: ...
    def terminate(self) -> None: ...
    def is_closed(self) -> bool: ...


class RawPool(Protocol):
    """What we use of an asyncpg pool."""

    def acquire(self, *, timeout: float | None = None) -> AbstractAsyncContextManager[RawConnection]: ...
    async def close(self) -> None: ...
    def terminate(self) -> None: ...


async def connect(
    url: str, *, timeout: float = 10.0, command_timeout: float | None = 60.0, name: str = "dragoman"
) -> RawConnection:
    """Open one connection outside any pool (LISTEN, migrations, tests)."""
    connecting = cast("Any", asyncpg).connect
    made = await connecting(
        url, timeout=timeout, command_timeout=command_timeout, server_settings={"application_name": name}
    )
    return cast("RawConnection", made)


async def create_pool(url: str, **options: Any) -> RawPool:
    """Open a pool; options as asyncpg's `create_pool`."""
    return cast("RawPool", await cast("Any", asyncpg).create_pool(url, **options))
