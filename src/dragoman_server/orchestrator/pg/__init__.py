"""The engine on Postgres. SQL is in `sql/` and, where several statements share a round trip, in functions."""

from dragoman_server.orchestrator.pg.engine import PgEngine

__all__ = ["PgEngine"]
