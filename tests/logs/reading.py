"""What is really stored, past the service."""

import json
from typing import Any

from dragoman_server.db import Database, read_sql

OPERATIONS = read_sql("tests.logs", "all_operations")
MESSAGES = read_sql("tests.logs", "all_messages")


async def read_operations(database: Database) -> list[dict[str, Any]]:
    """Every stored operation."""
    return [json.loads(row[0]) for row in await database.fetch(OPERATIONS)]


async def read_messages(database: Database) -> list[dict[str, Any]]:
    """Every stored message."""
    return [json.loads(row[0]) for row in await database.fetch(MESSAGES)]
