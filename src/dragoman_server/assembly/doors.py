"""The public port: every router and raw door, put together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from dragoman_server.api import (
    action_routes,
    connect_routes,
    connect_ui_routes,
    connection_routes,
    deployment_routes,
    environment_routes,
    function_routes,
    inbound_routes,
    integration_routes,
    logs_routes,
    provider_routes,
    sync_routes,
    system_routes,
    webhook_routes,
)
from dragoman_server.api.action_door import PATH as ACTION
from dragoman_server.api.action_door import ActionDoor
from dragoman_server.api.app import build_app
from dragoman_server.api.connect_ui import PATH, ConnectUiDoor
from dragoman_server.api.demands import HOT
from dragoman_server.api.openapi import build_openapi
from dragoman_server.api.popups import PopupDoor, Popups
from dragoman_server.api.proxy_door import ProxyDoor
from dragoman_server.api.records_door import RecordsDoor
from dragoman_server.assembly.settings import Settings
from dragoman_server.connect.service import Connect
from dragoman_server.connect.sessions import Sessions
from dragoman_server.control import ApiKeys, Connections, Environments, Functions, Integrations, Variables
from dragoman_server.db import Database, read_sql
from dragoman_server.db.driver import UNAVAILABLE, PostgresError
from dragoman_server.flows.actions import Actions
from dragoman_server.flows.delete_connection import DeleteConnection
from dragoman_server.flows.delete_environment import DeleteEnvironment
from dragoman_server.flows.delete_integration import DeleteIntegration
from dragoman_server.flows.deploy import Deploy
from dragoman_server.flows.inbound_webhook import InboundWebhook
from dragoman_server.flows.read_connection import ReadConnection
from dragoman_server.flows.syncs import SyncControl
from dragoman_server.kit.clock import Clock
from dragoman_server.kit.ids import EnvironmentId
from dragoman_server.logs import Logs
from dragoman_server.providers import Catalogue
from dragoman_server.proxy import Proxy, Target
from dragoman_server.proxy.targets import Targets
from dragoman_server.records import Records
from dragoman_server.runners.host.service import LocalRunnerHost
from dragoman_server.scripts import Scripts
from dragoman_server.web.asgi import App, Front, Receive, Scope, Send
from dragoman_server.web.authenticate import Authenticator
from dragoman_server.web.built import BuiltPages
from dragoman_server.web.errors import FeatureDisabledError
from dragoman_server.web.limits import RateLimiter
from dragoman_server.web.metrics import Measured
from dragoman_server.web.principal import Principal
from dragoman_server.webhooks import Webhooks

NOW = read_sql("dragoman_server.db", "now")
BUILT = Path(__file__).parent.parent / "ui_dist"
"""Where `make ui` and the wheel put the browser applications."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Doors:
    """All the doors need."""

    settings: Settings
    edition: str
    simulated: bool
    public_url: str
    database: Database
    tasks: Database
    clock: Clock
    api_keys: ApiKeys
    environments: Environments
    variables: Variables
    integrations: Integrations
    connections: Connections
    functions: Functions
    scripts: Scripts
    catalogue: Catalogue
    sessions: Sessions
    connect: Connect
    popups: Popups
    proxy: Proxy
    records: Records
    logs: Logs
    webhooks: Webhooks
    inbound_webhook: InboundWebhook
    actions: Actions
    deploy: Deploy
    sync_control: SyncControl
    read_connection: ReadConnection
    delete_connection: DeleteConnection
    delete_integration: DeleteIntegration
    delete_environment: DeleteEnvironment
    host: LocalRunnerHost | None


def build_front(parts: Doors) -> App:
    """Return the ASGI application of the public port."""
    limiter = RateLimiter(per_minute=parts.settings.rate_limit_per_minute, clock=parts.clock)
    authenticator = Authenticator(keys=parts.api_keys.authenticate, sessions=parts.sessions.find, limiter=limiter)
    demands = {demand.scope: demand for demand in HOT.values()}

    async def authenticate(scope: Mapping[str, Any], wanted: str) -> Principal:
        return await authenticator.check(scope, demands[wanted])

    targets = Targets(integration=parts.integrations.get, connection=parts.connections.get)

    async def find_target(environment_id: EnvironmentId, integration_key: str, connection_id: str) -> Target:
        found = await targets.find(environment_id, integration_key, connection_id)
        parts.connections.touches.note((environment_id, found.connection.id))
        return found

    proxy: App = ProxyDoor(proxy=parts.proxy, find_target=find_target, authenticate=authenticate)
    records: App = RecordsDoor(
        records=parts.records, authenticate=authenticate, find_connection=parts.connections.get, clock=parts.clock
    )
    if parts.edition == "auth":
        records = _disabled
    connect_ui: App = ConnectUiDoor(
        pages=BuiltPages.read(BUILT / "connect"),
        public_url=parts.public_url,
        frame_ancestors=parts.settings.connect_frame_ancestors,
        count=authenticator.anonymous,
    )
    rest = PopupDoor(rest=build_api(parts, authenticator), popups=parts.popups, count=authenticator.anonymous)
    action: App = ActionDoor(
        actions=parts.actions, authenticate=authenticate, rest=rest, disabled=parts.edition == "auth"
    )
    hot: dict[str, App] = {
        "/proxy/": proxy, "/records": records, ACTION: action, PATH: connect_ui, f"{PATH}/": connect_ui,
    }  # fmt: skip
    return Measured(Front(rest=rest, hot=hot))


def build_api(parts: Doors, authenticator: Authenticator) -> FastAPI:
    """Return the ordinary routes."""

    async def ready() -> tuple[bool, dict[str, Any]]:
        return await readiness(parts)

    document: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        if not document:
            document.update(build_openapi(app))
        return document

    app = build_app(
        authenticator=authenticator,
        edition=parts.edition,
        routers=[
            system_routes.routes(
                ready=ready,
                openapi=openapi,
                metrics_token=token.get_secret_value() if (token := parts.settings.metrics_token) else None,
            ),
            provider_routes.routes(parts.catalogue),
            integration_routes.routes(
                integrations=parts.integrations,
                functions=parts.functions,
                catalogue=parts.catalogue,
                delete_integration=parts.delete_integration,
                environments=parts.environments,
                public_url=parts.public_url,
            ),
            connection_routes.routes(
                connect=parts.connect,
                connections=parts.connections,
                integrations=parts.integrations,
                catalogue=parts.catalogue,
                read_connection=parts.read_connection,
                delete_connection=parts.delete_connection,
            ),
            function_routes.routes(integrations=parts.integrations, functions=parts.functions, scripts=parts.scripts),
            connect_routes.routes(
                connect=parts.connect,
                connections=parts.connections,
                environments=parts.environments,
                tell=parts.popups.tell,
            ),
            connect_ui_routes.routes(environments=parts.environments, sessions=parts.sessions),
            environment_routes.routes(
                environments=parts.environments,
                api_keys=parts.api_keys,
                variables=parts.variables,
                delete_environment=parts.delete_environment,
            ),
            sync_routes.routes(
                control=parts.sync_control,
                records=parts.records,
                integrations=parts.integrations,
                connections=parts.connections,
            ),
            action_routes.routes(parts.actions),
            deployment_routes.routes(parts.deploy),
            logs_routes.routes(logs=parts.logs),
            webhook_routes.routes(webhooks=parts.webhooks),
            inbound_routes.routes(parts.inbound_webhook),
        ],
    )
    return app


async def _disabled(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise FeatureDisabledError


async def readiness(parts: Doors) -> tuple[bool, dict[str, Any]]:
    """Both databases answer, and functions can be isolated."""
    details: dict[str, Any] = {"edition": parts.edition}
    if parts.simulated:
        details["simulated"] = True
    fit = True
    for name, database in (("database", parts.database), ("orchestrator_database", parts.tasks)):
        try:
            await database.fetchval(NOW)
            details[name] = "ok"
        except (*UNAVAILABLE, PostgresError) as error:
            details[name] = type(error).__name__
            fit = False
    if parts.host is not None:
        report = parts.host.tier
        details["sandbox"] = report.as_dict()
    return fit, details
