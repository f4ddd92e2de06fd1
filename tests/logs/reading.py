"""What is really stored, past the service."""

import json
from typing import Any

import asyncpg

from dragoman_server.db import Database


async def _all(database: Database, table: str) -> list[dict[str, Any]]:
    connection = await asyncpg.connect(database.url)
    try:
        rows = await connection.fetch(f"SELECT to_jsonb(t)::text AS row FROM {table} t ORDER BY t.at, t.*")
    finally:
        await connection.close()
    return [json.loads(row["row"]) for row in rows]


async def read_operations(database: Database) -> list[dict[str, Any]]:
    """Every stored operation."""
    return await _all(database, "logs.operations")


async def read_messages(database: Database) -> list[dict[str, Any]]:
    """Every stored message."""
    return await _all(database, "logs.messages")
