"""Deploy a bundle: what it would change, and the change itself."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec

from dragoman.bundling import differences
from dragoman_server import outbox
from dragoman_server.control import Connections, Environments, Functions, Integrations, Syncs
from dragoman_server.control.model import Difference, FunctionSpec, FunctionType, FunctionVersion
from dragoman_server.db import Database
from dragoman_server.flows.schedules import schedule_facts
from dragoman_server.kit.errors import InvalidInputError, Issue
from dragoman_server.kit.ids import DeploymentId, EnvironmentId
from dragoman_server.logs import Logs
from dragoman_server.records import Records
from dragoman_server.runners.port import BundleRef, RunnerHost
from dragoman_server.scripts import Scripts
from dragoman_server.scripts.service import deployment_id_of

MOST_FUNCTIONS = 1000


class ManifestMismatchError(InvalidInputError):
    """The manifest sent along is not what the archive's code says of itself."""

    code = "deploy_script_security_rejected"

    def __init__(self, places: Sequence[str]) -> None:
        super().__init__(
            "The manifest is not that of the archive: deploy with the SDK's version the project uses.",
            issues=[Issue("custom", place, ("manifest",)) for place in places[:20]],
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """A bundle as uploaded."""

    deployment_id: DeploymentId
    archive: bytes
    manifest: Mapping[str, Any]
    specs: Sequence[FunctionSpec]


class Deploy:
    """The verbs of deployments."""

    def __init__(
        self,
        *,
        database: Database,
        environments: Environments,
        integrations: Integrations,
        connections: Connections,
        functions: Functions,
        syncs: Syncs,
        records: Records,
        scripts: Scripts,
        host: RunnerHost,
        logs: Logs,
    ) -> None:
        self._database = database
        self._environments = environments
        self._integrations = integrations
        self._connections = connections
        self._functions = functions
        self._syncs = syncs
        self._records = records
        self._scripts = scripts
        self._host = host
        self._logs = logs

    async def preview(self, environment_id: EnvironmentId, archive: bytes, manifest: bytes) -> dict[str, Any]:
        """What deploying would change, as the wire has it; changes nothing."""
        planned = await self._plan(environment_id, archive, manifest)
        found = await self._functions.plan_deployment(
            environment_id, planned.specs, deployment_id=planned.deployment_id
        )
        environment = await self._environments.require(environment_id)
        told = {"name": environment.name, "is_production": environment.is_production}
        return {**await self._shape(environment_id, found), "environment": told}

    async def deploy(self, environment_id: EnvironmentId, archive: bytes, manifest: bytes) -> dict[str, Any]:
        """Deploy: the archive is stored, its code described inside the sandbox, then everything changes at once."""
        operation = self._logs.start(environment_id, "deploy:custom")
        try:
            planned = await self._plan(environment_id, archive, manifest)
            await self._scripts.put(environment_id, planned.deployment_id, archive)
            folder = await self._scripts.fetch_unpacked(environment_id, planned.deployment_id)
            await self._recompute(environment_id, planned, folder)
            difference = await self._commit(environment_id, planned)
        except BaseException as error:
            operation.finish("failed", {"type": type(error).__name__, "message": str(error)[:2000]})
            raise
        names = [f"{s.integration_key}/{s.name}" for s in planned.specs]
        operation.info(f"Deployed {planned.deployment_id[:12]}: {len(names)} functions.", functions=names[:100])
        operation.finish("success")
        return {
            "id": planned.deployment_id,
            "functions": [
                {"name": s.name, "type": s.type, "providerConfigKey": s.integration_key} for s in planned.specs
            ],
            "difference": await self._shape(environment_id, difference),
        }

    async def _plan(self, environment_id: EnvironmentId, archive: bytes, manifest: bytes) -> Planned:
        read = read_manifest(manifest)
        specs = specs_of(read)
        known = {i.unique_key for i in await self._integrations.list(environment_id)}
        issues = [
            Issue("custom", "Integration does not exist", ("functions", n, "integration"))
            for n, spec in enumerate(specs)
            if spec.integration_key not in known
        ]
        if issues:
            missing = sorted({s.integration_key for s in specs if s.integration_key not in known})
            raise InvalidInputError(
                f"Create these integrations first: {', '.join(missing)}.",
                public_code="unknown_provider_config",
                issues=issues,
            )
        deployment_id = await asyncio.to_thread(deployment_id_of, archive)  # a hash over megabytes
        return Planned(deployment_id, archive, read, specs)

    async def _recompute(self, environment_id: EnvironmentId, planned: Planned, folder: Path) -> None:
        """Refuse a manifest that the code does not bear out: who reads it must know what would run."""
        bundle = BundleRef(environment_id, planned.deployment_id, folder)
        await self._host.prepare(bundle)
        found = await self._host.describe(bundle)
        try:
            places = differences(found, dict(planned.manifest))
        except (KeyError, TypeError, AttributeError):
            places = ["the code describes itself in a way that no release of the SDK does"]
        if places:
            raise ManifestMismatchError(places)

    async def _commit(self, environment_id: EnvironmentId, planned: Planned) -> Difference:
        async with self._database.transaction() as conn:
            difference = await self._functions.replace_deployment(
                conn, environment_id, planned.deployment_id, planned.specs, details={"functions": len(planned.specs)}
            )
            made = await self._syncs.create_missing(conn, environment_id)
            touched = [f.id for f in (*difference.updated, *difference.unchanged)]
            changed = await self._syncs.of_functions(environment_id, touched, conn=conn) if touched else []
            ids = dict.fromkeys([*difference.deleted_syncs, *(s.id for s in (*made, *changed))])
            await self._records.forget_owners(conn, environment_id, list(difference.deleted_syncs))
            await outbox.put(conn, schedule_facts(environment_id, ids))
        return difference

    async def _shape(self, environment_id: EnvironmentId, found: Difference) -> dict[str, Any]:
        counts = await self._connections.counts(environment_id)

        def entry(f: FunctionSpec | FunctionVersion) -> dict[str, Any]:
            shape: dict[str, Any] = {"name": f.name, "providerConfigKey": f.integration_key}
            if f.type == "sync":
                shape |= {"connections": counts.get(f.integration_key, 0)}
                shape["auto_start"] = f.manifest.get("auto_start") is not False
            if isinstance(f, FunctionVersion):
                shape |= {"id": f.id, "enabled": f.enabled}
            return shape

        def of(kind: str, functions: Sequence[FunctionSpec | FunctionVersion]) -> list[dict[str, Any]]:
            return [entry(f) for f in functions if f.type == kind]

        return {
            "newSyncs": of("sync", found.new),
            "updatedSyncs": of("sync", found.updated),
            "deletedSyncs": of("sync", found.deleted),
            "newActions": of("action", found.new),
            "updatedActions": of("action", found.updated),
            "deletedActions": of("action", found.deleted),
            "newOnEventScripts": [],
            "updatedOnEventScripts": [],
            "deletedOnEventScripts": [],
            "deletedModels": list(found.deleted_models),
        }


def read_manifest(text: bytes) -> dict[str, Any]:
    """Decode the manifest; raise InvalidInputError naming what is wrong."""
    try:
        found: Any = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInputError(
            f"manifest: not JSON ({error})", issues=[Issue("custom", str(error), ("manifest",))]
        ) from None
    if not isinstance(found, dict) or cast("dict[str, Any]", found).get("v") != 1:
        message = "expected an object with `v` 1; another version wants another release of the SDK"
        raise InvalidInputError(f"manifest: {message}", issues=[Issue("custom", message, ("manifest", "v"))])
    return cast("dict[str, Any]", found)


def specs_of(manifest: Mapping[str, Any]) -> list[FunctionSpec]:
    """The manifest's functions; raise InvalidInputError naming the place of one that is none."""
    functions: Any = manifest.get("functions")
    if not isinstance(functions, list) or not functions:
        raise InvalidInputError(
            "manifest.functions: expected a list with at least one function",
            issues=[Issue("invalid_type", "Expected a list of functions", ("manifest", "functions"))],
        )
    entries = cast("list[Any]", functions)
    if len(entries) > MOST_FUNCTIONS:
        raise InvalidInputError(f"manifest.functions: at most {MOST_FUNCTIONS}")
    specs: list[FunctionSpec] = []
    for number, entry in enumerate(entries):
        place = ("manifest", "functions", number)
        if not isinstance(entry, dict):
            raise InvalidInputError(
                "manifest: a function is an object", issues=[Issue("invalid_type", "Expected an object", place)]
            )
        read = cast("dict[str, Any]", entry)
        for name in ("integration", "name", "type"):
            if not isinstance(read.get(name), str):
                raise InvalidInputError(
                    f"manifest.functions.{number}.{name}: expected text",
                    issues=[Issue("invalid_type", "Expected text", (*place, name))],
                )
        if read["type"] not in ("sync", "action"):
            raise InvalidInputError(
                f"manifest.functions.{number}.type: expected sync or action",
                issues=[Issue("invalid_type", "Expected sync or action", (*place, "type"))],
            )
        specs.append(FunctionSpec(read["integration"], read["name"], cast("FunctionType", read["type"]), read))
    return specs
