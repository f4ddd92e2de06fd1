"""An async action whose worker died is told of as soon as the engine knows, not at the next look."""

from datetime import timedelta

from dragoman_server import outbox
from dragoman_server.control.model import FunctionSpec
from dragoman_server.db import Database, Invalidations
from dragoman_server.flows.actions import FACT, Actions
from dragoman_server.flows.report_action import ReportAction
from dragoman_server.kit.ids import DeploymentId, RunId
from dragoman_server.logs import Logs
from dragoman_server.orchestrator.pg import PgEngine
from dragoman_server.outbox import Relay
from tests.conftest import MoveClock
from tests.control.conftest import make_control


async def test_a_lost_async_action_is_told_when_the_engine_ends_it(
    database: Database,
    database_url: str,
    orchestrator_database: Database,
    orchestrator_url: str,
    move_clock: MoveClock,
) -> None:
    control = await make_control(database, Invalidations(database_url))
    await control.connect(await control.integration())
    environment_id = control.environment.id
    async with database.transaction() as conn:
        specs = [FunctionSpec("github", "order", "action", {})]
        await control.functions.replace_deployment(conn, environment_id, DeploymentId("v1"), specs)
    logs = Logs(database=database)
    engine = PgEngine(database=orchestrator_database, listen_url=orchestrator_url)
    actions = Actions(
        database=database,
        integrations=control.integrations,
        connections=control.connections,
        functions=control.functions,
        runs=control.runs,
        engine=engine,
        logs=logs,
        run_timeout=timedelta(minutes=1),
    )
    report = ReportAction(
        database=database, connections=control.connections, runs=control.runs, engine=engine, logs=logs
    )
    engine.tell_abandoned(report.hurry)
    relay = Relay(database=database, handlers={FACT: report.handle})
    await engine.turn()
    await engine.register("w", {"action": 1})
    action_id = await actions.trigger_async(environment_id, "github", "c1", "order", None, max_retries=0)
    [task] = await engine.claim("w", {"action": 1})
    assert task.id == action_id
    await relay.once()
    assert await control.runs.get(environment_id, RunId(action_id)) is None

    for _ in range(6):  # the reaper watches a lease's time before it calls anyone dead; the outbox's clock stands still
        await move_clock(orchestrator_url, timedelta(seconds=2))
        await engine.turn()
    await relay.once()

    told = await control.runs.get(environment_id, RunId(action_id))
    assert told is not None
    assert told.state == "interrupted"
    async with database.connection() as conn:
        assert FACT not in await outbox.backlog(conn)
