"""Pools, transactions, migrations, the SQL reader, cache invalidation and the embedded Postgres. Knows no table.

Every part with tables calls this; it stores only the list of applied migrations (`kit.migrations`) and the
database clock `kit.now()`. Runs in every process.
"""

from dragoman_server.db.cache import InvalidatedCache, Invalidations
from dragoman_server.db.database import Conn, Database, Row
from dragoman_server.db.statement import Statement, read_sql

__all__ = ["Conn", "Database", "InvalidatedCache", "Invalidations", "Row", "Statement", "read_sql"]
