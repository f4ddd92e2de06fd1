"""`PgEngine` keeps the port's promises."""

from tests.orchestrator.conformance import EngineConformance


class TestPgEngine(EngineConformance):
    pass
