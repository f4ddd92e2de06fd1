"""What a function was handed as an environment variable is in nothing its run stores from then on."""

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from dragoman_server.gate.calls import RunCalls
from dragoman_server.jobs.model import RunTarget
from dragoman_server.kit.ids import EnvironmentId, uuid7
from dragoman_server.kit.secret import Secret
from dragoman_server.logs.operation import MessageRow, Operation, new_operation_id
from dragoman_server.runners.port import LogLine

VALUE = "s3cr3t/of+the environment"


class Sink:
    def __init__(self) -> None:
        self.rows: list[MessageRow] = []

    def now(self) -> datetime:
        return datetime.now(UTC)

    def changed(self, operation: Operation) -> None:
        pass

    def add(self, row: MessageRow) -> None:
        self.rows.append(row)


class Variables:
    async def list(self, _: EnvironmentId) -> dict[str, Secret]:
        return {"WAREHOUSE_KEY": Secret(VALUE)}


async def test_an_environment_variable_is_not_in_what_a_function_logs_or_fails_with() -> None:
    sink, nothing = Sink(), cast("Any", None)
    operation = Operation(sink, EnvironmentId(1), new_operation_id(datetime.now(UTC)), "action:run")
    prepared: Any = SimpleNamespace(environment_id=1, function=SimpleNamespace(manifest={}))
    target = RunTarget(prepared, uuid7(), operation)
    calls = RunCalls(
        target,
        proxy=nothing,
        records=nothing,
        connections=nothing,
        variables=cast("Any", Variables()),
        trigger_action=nothing,
    )

    handed = await calls.variables()
    calls.log([LogLine("info", f"connecting with {VALUE}", {"dsn": f"pg://u:{VALUE}@db"}, datetime.now(UTC))])
    operation.finish("failed", {"type": "script_error", "message": f"refused: {VALUE}"})

    assert handed == {"WAREHOUSE_KEY": VALUE}
    assert len(sink.rows) == 2
    assert "connecting with ***" in sink.rows[0][8]
    assert VALUE not in f"{sink.rows}{operation.error_json}"
