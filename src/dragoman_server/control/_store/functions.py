"""Functions and deployments."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from dragoman_server.control.model import Deployment, FunctionSpec, FunctionVersion
from dragoman_server.db import Conn, read_sql
from dragoman_server.db.database import encode_json
from dragoman_server.kit.ids import DeploymentId, EnvironmentId

_PACKAGE = "dragoman_server.control"
ACTIVE_FUNCTIONS = read_sql(_PACKAGE, "active_functions")
FIND_FUNCTIONS = read_sql(_PACKAGE, "find_functions")
FUNCTION_BY_ID = read_sql(_PACKAGE, "function_by_id")
LOCK_DEPLOYMENTS = read_sql(_PACKAGE, "lock_deployments")
INSERT_DEPLOYMENT = read_sql(_PACKAGE, "insert_deployment")
DEPLOYMENT = read_sql(_PACKAGE, "deployment")
DEPLOYMENTS = read_sql(_PACKAGE, "deployments")
DEPLOY_FUNCTIONS = read_sql(_PACKAGE, "deploy_functions")
INSERT_FUNCTION_VERSIONS = read_sql(_PACKAGE, "insert_function_versions")
FUNCTION_VERSIONS = read_sql(_PACKAGE, "function_versions")
DELETE_FUNCTIONS = read_sql(_PACKAGE, "delete_functions")
SET_FUNCTION_ENABLED = read_sql(_PACKAGE, "set_function_enabled")
SET_FUNCTION_FREQUENCY = read_sql(_PACKAGE, "set_function_frequency")
INTEGRATION_IDS = read_sql(_PACKAGE, "integration_ids")


async def active(conn: Conn, environment_id: EnvironmentId, integration_key: str | None) -> list[FunctionVersion]:
    return [FunctionVersion(*row) for row in await conn.fetch(ACTIVE_FUNCTIONS, environment_id, integration_key)]


async def find(conn: Conn, environment_id: EnvironmentId, integration_key: str, name: str) -> list[FunctionVersion]:
    return [FunctionVersion(*row) for row in await conn.fetch(FIND_FUNCTIONS, environment_id, integration_key, name)]


async def by_id(conn: Conn, environment_id: EnvironmentId, function_id: int) -> FunctionVersion | None:
    row = await conn.fetchrow(FUNCTION_BY_ID, environment_id, function_id)
    return None if row is None else FunctionVersion(*row)


async def lock_deployments(conn: Conn, environment_id: EnvironmentId) -> bool:
    return cast("bool", await conn.fetchval(LOCK_DEPLOYMENTS, environment_id))


async def insert_deployment(
    conn: Conn, environment_id: EnvironmentId, deployment_id: DeploymentId, details: Mapping[str, Any]
) -> Deployment:
    row = await conn.fetchrow(INSERT_DEPLOYMENT, environment_id, deployment_id, details)
    assert row is not None
    return Deployment(*row)


async def deployment(conn: Conn, environment_id: EnvironmentId, deployment_id: DeploymentId) -> Deployment | None:
    row = await conn.fetchrow(DEPLOYMENT, environment_id, deployment_id)
    return None if row is None else Deployment(*row)


async def deployments(conn: Conn, environment_id: EnvironmentId, limit: int) -> list[Deployment]:
    return [Deployment(*row) for row in await conn.fetch(DEPLOYMENTS, environment_id, limit)]


async def deploy(
    conn: Conn,
    environment_id: EnvironmentId,
    deployment_id: DeploymentId,
    specs: Sequence[FunctionSpec],
    integration_ids: Mapping[str, int],
) -> None:
    rows = await conn.fetch(
        DEPLOY_FUNCTIONS,
        environment_id,
        deployment_id,
        [integration_ids[spec.integration_key] for spec in specs],
        [spec.name for spec in specs],
        [spec.type for spec in specs],
        [encode_json(spec.manifest) for spec in specs],
    )
    await conn.execute(INSERT_FUNCTION_VERSIONS, environment_id, [row["id"] for row in rows])


async def versions(conn: Conn, environment_id: EnvironmentId, function_id: int, limit: int) -> list[dict[str, Any]]:
    rows = await conn.fetch(FUNCTION_VERSIONS, environment_id, function_id, limit)
    names = ("version", "deployment_id", "manifest", "deployed_at")
    return [{name: row[name] for name in names} for row in rows]


async def delete(conn: Conn, environment_id: EnvironmentId, function_ids: Sequence[int]) -> None:
    await conn.execute(DELETE_FUNCTIONS, environment_id, list(function_ids))


async def set_enabled(conn: Conn, environment_id: EnvironmentId, function_id: int, *, enabled: bool) -> bool:
    return await conn.execute(SET_FUNCTION_ENABLED, environment_id, function_id, enabled) == "UPDATE 1"


async def set_frequency(conn: Conn, environment_id: EnvironmentId, function_id: int, frequency: str | None) -> bool:
    return await conn.execute(SET_FUNCTION_FREQUENCY, environment_id, function_id, frequency) == "UPDATE 1"


async def integration_ids(conn: Conn, environment_id: EnvironmentId, keys: Sequence[str]) -> dict[str, int]:
    return {row["unique_key"]: row["id"] for row in await conn.fetch(INTEGRATION_IDS, environment_id, list(keys))}
