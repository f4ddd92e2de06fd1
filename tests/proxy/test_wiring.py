"""The parts below fit the proxy's ports as they are; the type checker is what judges this file."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dragoman_server.connect.credentials import Credentials
    from dragoman_server.control.connections import Connections
    from dragoman_server.control.integrations import Integrations
    from dragoman_server.egress import EgressClient
    from dragoman_server.logs.service import Logs
    from dragoman_server.providers.catalogue import Catalogue

from dragoman_server.proxy import Proxy, Targets


def wired(
    egress: "EgressClient",
    catalogue: "Catalogue",
    credentials: "Credentials",
    integrations: "Integrations",
    connections: "Connections",
    logs: "Logs",
) -> tuple[Proxy, Targets]:
    proxy = Proxy(
        egress=egress,
        catalogue=catalogue,
        fresh_credential=credentials.fresh,
        integration_credentials=integrations.credentials,
        logs=logs,
    )
    return proxy, Targets(integration=integrations.get, connection=connections.get)
