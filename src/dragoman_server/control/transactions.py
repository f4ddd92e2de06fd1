"""Joining a caller's transaction, or having one of our own."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from dragoman_server.db import Conn, Database


@asynccontextmanager
async def joined(database: Database, conn: Conn | None) -> AsyncGenerator[Conn]:
    """Yield the caller's connection as it is, or one in a transaction of its own."""
    if conn is not None:
        yield conn
        return
    async with database.transaction() as own:
        yield own


@asynccontextmanager
async def lent(database: Database, conn: Conn | None) -> AsyncGenerator[Conn]:
    """Yield the caller's connection, or one without a transaction: for single reads."""
    if conn is not None:
        yield conn
        return
    async with database.connection() as own:
        yield own
