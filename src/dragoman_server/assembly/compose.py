"""The composition root: settings in, connected parts out. The one place that knows what a process is made of."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dragoman_server import control
from dragoman_server.api.popups import Popups
from dragoman_server.assembly.doors import Doors, build_front
from dragoman_server.assembly.keys import keyring_of, reload_keyring
from dragoman_server.assembly.layout import Databases, DataFolder
from dragoman_server.assembly.metrics import LagWatch, OutboxWatch
from dragoman_server.assembly.settings import Settings
from dragoman_server.assembly.simulating import make_catalogue, make_egress, make_page_of
from dragoman_server.connect.authorize import Authorize
from dragoman_server.connect.book import PgBook, SealedCredentials
from dragoman_server.connect.connecting import Connecting
from dragoman_server.connect.credentials import Credentials
from dragoman_server.connect.device import FACT as DEVICE_FACT
from dragoman_server.connect.device import DeviceAuthorizations
from dragoman_server.connect.endpoint import ProviderEndpoints
from dragoman_server.connect.enter import Enter
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.handshake import Handshakes
from dragoman_server.connect.installations import FACT as INSTALLATION_FACT
from dragoman_server.connect.installations import Installations
from dragoman_server.connect.loops import DueQueue, Replay, Sweeper
from dragoman_server.connect.refresh import Refresher
from dragoman_server.connect.revoking import Revoking
from dragoman_server.connect.service import Connect
from dragoman_server.connect.sessions import Sessions
from dragoman_server.connect.spill import Spill
from dragoman_server.connect.verification import Verifier
from dragoman_server.control.loops import Purger, Toucher
from dragoman_server.control.sealed import sealed_tables
from dragoman_server.control.tasks import ACTION_QUEUE, SYNC_QUEUE
from dragoman_server.db import Database, Invalidations
from dragoman_server.flows.actions import Actions
from dragoman_server.flows.close_runs import CloseRuns
from dragoman_server.flows.connected import AfterConnect
from dragoman_server.flows.delete_connection import DeleteConnection
from dragoman_server.flows.delete_environment import DeleteEnvironment
from dragoman_server.flows.delete_integration import DeleteIntegration
from dragoman_server.flows.deploy import Deploy
from dragoman_server.flows.erasing import Erasing
from dragoman_server.flows.inbound_webhook import InboundWebhook
from dragoman_server.flows.notify import sync_facts
from dragoman_server.flows.read_connection import ReadConnection
from dragoman_server.flows.report_action import ReportAction
from dragoman_server.flows.schedules import Schedules
from dragoman_server.flows.syncs import SyncControl
from dragoman_server.gate.calls import Gate
from dragoman_server.jobs.consumer import Consumer
from dragoman_server.jobs.loading import Loader, RunLimits
from dragoman_server.jobs.model import RunTarget
from dragoman_server.jobs.run_action import ActionRunner
from dragoman_server.jobs.run_sync import CLOSE_FACT, SyncRunner
from dragoman_server.kit.clock import SystemClock
from dragoman_server.kit.ids import EnvironmentId, random_token
from dragoman_server.kit.loops import Loop, Service
from dragoman_server.logs import Logs, LogsKeeper
from dragoman_server.orchestrator.model import QueueLimits, lane
from dragoman_server.orchestrator.pg import PgEngine
from dragoman_server.outbox import Nudger, Relay
from dragoman_server.proxy import Proxy
from dragoman_server.records import Records
from dragoman_server.records.loops import make_loops
from dragoman_server.runners.host.service import HostSettings, LocalRunnerHost
from dragoman_server.scripts import Scripts, open_blobs
from dragoman_server.vault import DataKeyRotation, Vault
from dragoman_server.web.asgi import App
from dragoman_server.webhooks import Deliverer, DeliveryKeeper, SigningKeys, Webhooks
from dragoman_server.webhooks.rules import WebhookTargets

ACTION_NOW = lane(ACTION_QUEUE, interactive=True)


@dataclass(slots=True)
class Platform:
    """A process's connected parts; `services` are what its roles keep running."""

    front: App
    every: Sequence[Service]
    by_role: Mapping[str, Sequence[Service]]

    def services(self, roles: Sequence[str]) -> list[Service]:
        """What runs for `roles`, in the order it is started."""
        chosen = list(self.every)
        for role in roles:
            chosen += self.by_role[role]
        return chosen


@asynccontextmanager
async def compose(config: Mapping[str, Any], settings: Settings) -> AsyncGenerator[Platform]:
    """Connect everything; close it in reverse order at the end.

    `config` comes from the supervisor: data_dir, public_url, edition, roles, databases, name.
    """
    databases = Databases(**config["databases"])
    folder = DataFolder(Path(config["data_dir"]))
    async with AsyncExitStack() as stack:
        database = Database(databases.main, max_size=settings.database_pool_size, name=f"dragoman-{config['name']}")
        await database.open()
        stack.push_async_callback(database.close)
        tasks = Database(databases.orchestrator, max_size=8, name=f"dragoman-{config['name']}")
        await tasks.open()
        stack.push_async_callback(tasks.close)
        yield await _connect_parts(stack, config, settings, databases, folder, database, tasks)


async def _connect_parts(
    stack: AsyncExitStack,
    config: Mapping[str, Any],
    settings: Settings,
    databases: Databases,
    folder: DataFolder,
    database: Database,
    tasks: Database,
) -> Platform:
    clock = SystemClock()
    invalidations = Invalidations(databases.main_direct)
    vault = Vault(
        database=database,
        keyring=keyring_of(settings, folder),
        invalidations=invalidations,
        reload_keyring=reload_keyring(settings, folder),
    )
    await vault.open()
    common: dict[str, Any] = {"database": database, "vault": vault, "invalidations": invalidations}
    environments = control.Environments(**common)
    api_keys = control.ApiKeys(**common)
    variables = control.Variables(**common)
    integrations = control.Integrations(**common)
    connections = control.Connections(**common)
    functions = control.Functions(**common)
    syncs = control.Syncs(**common)
    runs = control.Runs(**common)

    catalogue = make_catalogue(config, settings)
    logs = Logs(database=database, clock=clock)
    records = Records(database=database, vault=vault)
    blobs = open_blobs(settings.blob_url or None, folder.blobs)
    scripts = Scripts(blobs, cache_folder=folder.runtime / "bundles")
    engine = PgEngine(
        database=tasks, listen_url=databases.orchestrator_direct, limits=_queue_limits(settings), clock=clock
    )
    egress = make_egress(config, settings)
    await egress.open()
    stack.push_async_callback(egress.close)

    async def targets(environment_id: EnvironmentId) -> WebhookTargets | None:
        found = await environments.get(environment_id)
        return found.webhooks if found else None

    async def signing_keys(environment_id: EnvironmentId) -> SigningKeys:
        return SigningKeys(*await environments.signing_keys(environment_id))

    deliverer = Deliverer(
        database=database, egress=egress, signing_keys=signing_keys, version=version("dragoman"), logs=logs, clock=clock
    )
    webhooks = Webhooks(database=database, targets=targets, logs=logs, on_new=deliverer.wake)

    # -- connect -----------------------------------------------------------------------------------------------------
    after = AfterConnect(
        database=database,
        environments=environments,
        integrations=integrations,
        connections=connections,
        syncs=syncs,
        catalogue=catalogue,
    )
    erasing = Erasing(records=records, logs=logs, webhooks=webhooks, erase_logs=settings.erase_logs_with_connection)
    exchange = Exchange(egress=egress)
    book = PgBook(
        database=database,
        vault=vault,
        invalidations=invalidations,
        clock=clock,
        after_renewal=after.renewed,
        after_failure=after.refresh_failed,
    )
    spill = Spill(folder.spill)
    refresher = Refresher(
        book=book,
        endpoint=ProviderEndpoints(
            connections=connections,
            integrations=integrations,
            catalogue=catalogue,
            exchange=exchange,
            logs=logs,
            clock=clock,
        ),
        spill=spill,
        clock=clock,
    )
    stack.push_async_callback(refresher.stop)
    credentials = Credentials(book=book, refresher=refresher, clock=clock)
    connecting = Connecting(
        database=database,
        connections=connections,
        book=book,
        verifier=Verifier(egress=egress),
        on_connected=after.connected,
        on_failed=after.failed,
    )
    sessions = Sessions(database=database, vault=vault)
    revoking = Revoking(
        database=database,
        vault=vault,
        book=book,
        integrations=integrations,
        connections=connections,
        catalogue=catalogue,
        exchange=exchange,
        logs=logs,
    )
    popups = Popups(database=database, listen_url=databases.main_direct)
    devices = DeviceAuthorizations(
        database=database,
        vault=vault,
        integrations=integrations,
        catalogue=catalogue,
        exchange=exchange,
        connecting=connecting,
        logs=logs,
        tell=popups.tell,
    )
    installations = Installations(
        database=database,
        vault=vault,
        integrations=integrations,
        connections=connections,
        catalogue=catalogue,
        exchange=exchange,
        connecting=connecting,
        logs=logs,
    )
    connect = Connect(
        database=database,
        integrations=integrations,
        connections=connections,
        catalogue=catalogue,
        sessions=sessions,
        book=book,
        authorize=Authorize(
            integrations=integrations,
            catalogue=catalogue,
            handshakes=Handshakes(database=database, vault=vault),
            exchange=exchange,
            connecting=connecting,
            logs=logs,
            environments=environments,
            public_url=config["public_url"],
            page_of=make_page_of(config),
        ),
        enter=Enter(database=database, exchange=exchange, connecting=connecting, logs=logs),
        devices=devices,
        installations=installations,
        on_deleting=erasing.deleting,
        revoking=revoking,
        public_url=config["public_url"],
    )
    proxy = Proxy(
        egress=egress,
        catalogue=catalogue,
        fresh_credential=credentials.fresh,
        integration_credentials=integrations.credentials,
        logs=logs,
        clock=clock,
    )

    # -- functions ---------------------------------------------------------------------------------------------------
    sync_timeout = timedelta(seconds=settings.sync_timeout_seconds)
    action_timeout = timedelta(seconds=settings.action_timeout_seconds)
    host = LocalRunnerHost(
        HostSettings(
            cache=folder.runtime,
            sandbox=settings.sandbox,
            idle_seconds=float(settings.runner_idle_seconds),
            installer_environment=_installer_environment(settings),
        )
    )
    schedules = Schedules(syncs=syncs, engine=engine, run_timeout=sync_timeout)
    actions = Actions(
        database=database,
        integrations=integrations,
        connections=connections,
        functions=functions,
        runs=runs,
        engine=engine,
        logs=logs,
        run_timeout=action_timeout,
    )
    report = ReportAction(database=database, connections=connections, runs=runs, engine=engine, logs=logs)
    engine.tell_abandoned(report.hurry)
    deploy = Deploy(
        database=database,
        environments=environments,
        integrations=integrations,
        connections=connections,
        functions=functions,
        syncs=syncs,
        records=records,
        scripts=scripts,
        host=host,
        logs=logs,
    )
    sync_control = SyncControl(
        database=database,
        integrations=integrations,
        connections=connections,
        syncs=syncs,
        runs=runs,
        records=records,
        engine=engine,
        schedules=schedules,
        logs=logs,
    )

    async def trigger_action(target: RunTarget, name: str, given: bytes | None) -> bytes | None:
        prepared = target.prepared
        return await actions.trigger_for_function(
            prepared.environment_id, prepared.connection, name, given, depth=target.depth + 1
        )

    gate = Gate(
        proxy=proxy, records=records, connections=connections, variables=variables, trigger_action=trigger_action
    )
    limits = RunLimits(memory_bytes=settings.run_memory_mb * 2**20, sync=sync_timeout, action=action_timeout)
    loader = Loader(
        environments=environments,
        integrations=integrations,
        connections=connections,
        functions=functions,
        catalogue=catalogue,
        scripts=scripts,
    )
    run_action = ActionRunner(
        loader=loader, host=host, calls=gate.for_run, logs=logs, limits=limits, report=report, holds=engine.holds
    )
    run_sync = SyncRunner(
        database=database,
        syncs=syncs,
        runs=runs,
        connections=connections,
        loader=loader,
        host=host,
        calls=gate.for_run,
        records=records,
        logs=logs,
        limits=limits,
        facts=sync_facts,
    )
    consumer = Consumer(
        engine=engine,
        worker=config.get("identity") or f"{config['name']}-{os.getpid()}-{random_token(bytes_=4)}",
        handlers={SYNC_QUEUE: run_sync, ACTION_QUEUE: run_action, ACTION_NOW: run_action},
        slots={
            SYNC_QUEUE: settings.sync_slots,
            ACTION_QUEUE: max(1, settings.action_slots // 2),
            ACTION_NOW: settings.action_slots,
        },
        drain=timedelta(seconds=settings.drain_seconds),
        after_cancel={SYNC_QUEUE: run_sync.cancelled},
    )

    roles: Sequence[str] = config["roles"]
    full = config["edition"] == "full"
    if full and {"api", "jobs"} & set(roles):
        await host.open()
        stack.push_async_callback(host.close)

    # -- doors and loops ---------------------------------------------------------------------------------------------
    front = build_front(
        Doors(
            settings=settings,
            edition=config["edition"],
            simulated="simulator" in config,
            public_url=config["public_url"],
            database=database,
            tasks=tasks,
            clock=clock,
            api_keys=api_keys,
            environments=environments,
            variables=variables,
            integrations=integrations,
            connections=connections,
            functions=functions,
            scripts=scripts,
            catalogue=catalogue,
            sessions=sessions,
            connect=connect,
            popups=popups,
            proxy=proxy,
            records=records,
            logs=logs,
            webhooks=webhooks,
            inbound_webhook=InboundWebhook(
                environments=environments, integrations=integrations, catalogue=catalogue, installations=installations
            ),
            actions=actions,
            deploy=deploy,
            sync_control=sync_control,
            read_connection=ReadConnection(integrations=integrations, connections=connections, credentials=credentials),
            delete_connection=DeleteConnection(connect=connect),
            delete_integration=DeleteIntegration(
                database=database, integrations=integrations, connect=connect, erasing=erasing, records=records
            ),
            delete_environment=DeleteEnvironment(
                database=database, environments=environments, integrations=integrations, syncs=syncs, connect=connect
            ),
            host=host if full else None,
        )
    )
    close_runs = CloseRuns(
        database=database,
        syncs=syncs,
        connections=connections,
        runs=runs,
        records=records,
        engine=engine,
        logs=logs,
    )
    relay = Relay(
        database=database,
        handlers={
            "webhook": webhooks.handle,
            "schedule": schedules.handle,
            "erase": erasing.handle,
            "revoke": revoking.handle,
            DEVICE_FACT: devices.handle,
            INSTALLATION_FACT: installations.handle,
            "action": report.handle,
            CLOSE_FACT: close_runs.handle,
        },
        listen_url=databases.main_direct,
    )
    rotation = DataKeyRotation(
        database=database,
        tables=[
            *sealed_tables(database=database, vault=vault),
            SealedCredentials(database=database, vault=vault),
            records.sealed_table(),
        ],
    )
    purger = Purger(
        database=database,
        vault=vault,
        erasers=[book.delete_environment, records.erase_environment, webhooks.forget_environment],
        before_erasing=[scripts.erase_environment],
    )
    prune_after = timedelta(days=settings.records_prune_after_days) if settings.records_prune_after_days else None
    relay_services: list[Service] = [
        relay,
        deliverer,
        DeliveryKeeper(database=database, logs=logs),
        LogsKeeper(database=database, keep_days=settings.logs_retention_days),
        Loop("refresh_ahead", DueQueue(book=book, refresher=refresher).once, 5.0),
        Loop("connect_sweeper", Sweeper(database=database).once, 300.0),
        Loop("installation_expiry", installations.expire, 300.0),
        Loop("outbox_watch", OutboxWatch(database).once, 30.0),
        Loop("key_rotation", rotation.once, 30.0),
        Loop("control_purger", purger.once, 600.0),
        *make_loops(records, prune_after=prune_after),
    ]
    replay = Replay(book=book, spill=spill)
    await asyncio.wait_for(replay.once(), 30.0)
    relay_services.append(Loop("spilled_answers", replay.once, 5.0))  # a process that was replaced leaves them later
    own_loops = "orchestrator" in roles
    every: list[Service] = [
        LagWatch(consumer),
        invalidations,
        logs,
        Toucher([api_keys.touches, connections.touches]),
        Loop("credentials_used", credentials.flush_used, 10.0),
        Nudger(database=database, local=relay.wake if "relay" in roles else None),
    ]
    if full:
        for departed in config.get("departed", ()):
            await engine.unregister(departed)  # it is dead, as the supervisor saw: its tasks go back at once
        every += engine.services(loops=own_loops)
    jobs: list[Service] = [consumer, Loop("runner_housekeeping", host.once, 15.0)]
    return Platform(
        front=front,
        every=every,
        by_role={"api": [popups], "orchestrator": [], "jobs": jobs if full else [], "relay": relay_services},
    )


def _queue_limits(settings: Settings) -> dict[str, QueueLimits]:
    one = QueueLimits(environment_cap=settings.environment_concurrency, connection_cap=settings.connection_concurrency)
    return {SYNC_QUEUE: one, ACTION_QUEUE: one, ACTION_NOW: one}


def _installer_environment(settings: Settings) -> dict[str, str]:
    """What installing a deployment's wheels may see of the operator's environment: where packages come from."""
    names = ("PIP_", "UV_", "SSL_CERT", "REQUESTS_CA_BUNDLE")
    found = {k: v for k, v in os.environ.items() if k.startswith(names)}
    if settings.package_index_url is not None:
        found["UV_DEFAULT_INDEX"] = found["PIP_INDEX_URL"] = settings.package_index_url.get_secret_value()
    return found
