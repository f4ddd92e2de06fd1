"""The part put together as the composition root does it, with stories the tests can listen to."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman_server.connect.authorize import Authorize, Outcome
from dragoman_server.connect.book import PgBook, SealedCredentials
from dragoman_server.connect.connecting import Connecting, OnConnected, OnConnectFailed
from dragoman_server.connect.credentials import Credentials
from dragoman_server.connect.device import DeviceAuthorizations, Tell
from dragoman_server.connect.endpoint import ProviderEndpoints
from dragoman_server.connect.enter import Enter
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.handshake import Handshakes
from dragoman_server.connect.installations import Installations
from dragoman_server.connect.loops import DueQueue, Replay, Sweeper
from dragoman_server.connect.model import CredentialKey, RefreshFailed
from dragoman_server.connect.refresh import Refresher, Timing
from dragoman_server.connect.revoking import Revoking
from dragoman_server.connect.service import Connect, OnDeleting
from dragoman_server.connect.sessions import Sessions
from dragoman_server.connect.spill import Spill
from dragoman_server.connect.verification import Verifier
from dragoman_server.control.connections import Connections
from dragoman_server.control.environments import Environments
from dragoman_server.control.integrations import Integrations
from dragoman_server.db import Conn, Database, Invalidations
from dragoman_server.egress.client import EgressClient
from dragoman_server.kit.clock import Clock
from dragoman_server.logs.service import Logs
from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.vault import Vault

OnRefreshFailed = Callable[[Conn, RefreshFailed], Awaitable[None]]
"""Writes on the transaction that counts the failure: the auth webhook's fact."""


async def nobody_waits(outcome: Outcome) -> None:
    """No socket is open."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """The stories that commit together with what happens here."""

    on_connected: OnConnected
    on_connect_failed: OnConnectFailed
    on_refresh_failed: OnRefreshFailed
    on_deleting: OnDeleting
    tell: Tell = nobody_waits


@dataclass(frozen=True, slots=True)
class Parts:
    """`replay.once()` runs at start; `refresher.stop()` before the database closes; the rest as loops."""

    connect: Connect
    credentials: Credentials
    sessions: Sessions
    book: PgBook
    refresher: Refresher
    due_queue: DueQueue
    replay: Replay
    sweeper: Sweeper
    sealed: SealedCredentials
    revoking: Revoking
    devices: DeviceAuthorizations
    installations: Installations


def assemble(
    *,
    database: Database,
    vault: Vault,
    invalidations: Invalidations,
    clock: Clock,
    catalogue: Catalogue,
    egress: EgressClient,
    integrations: Integrations,
    connections: Connections,
    logs: Logs,
    public_url: str,
    spill_folder: Path,
    hooks: Hooks,
    timing: Timing | None = None,
) -> Parts:
    """Connect the pieces; opens nothing and starts nothing."""

    async def after_renewal(conn: Conn, key: CredentialKey, config: Mapping[str, Any]) -> None:
        if config:
            await connections.merge_config(key.environment_id, key.connection, config, conn=conn)
        await connections.clear_errors(key.environment_id, key.connection, "auth", conn=conn)

    async def after_failure(conn: Conn, failed: RefreshFailed) -> None:
        log_id = str(failed.failure.operation_id or "")
        await connections.add_error(failed.key.environment_id, failed.key.connection, "auth", log_id, conn=conn)
        await hooks.on_refresh_failed(conn, failed)

    book = PgBook(
        database=database,
        vault=vault,
        invalidations=invalidations,
        clock=clock,
        after_renewal=after_renewal,
        after_failure=after_failure,
    )
    exchange = Exchange(egress=egress)
    spill = Spill(spill_folder)
    endpoint = ProviderEndpoints(
        connections=connections,
        integrations=integrations,
        catalogue=catalogue,
        exchange=exchange,
        logs=logs,
        clock=clock,
    )
    refresher = Refresher(book=book, endpoint=endpoint, spill=spill, clock=clock, timing=timing)
    connecting = Connecting(
        database=database,
        connections=connections,
        book=book,
        verifier=Verifier(egress=egress),
        on_connected=hooks.on_connected,
        on_failed=hooks.on_connect_failed,
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
    devices = DeviceAuthorizations(
        database=database,
        vault=vault,
        integrations=integrations,
        catalogue=catalogue,
        exchange=exchange,
        connecting=connecting,
        logs=logs,
        tell=hooks.tell,
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
            environments=Environments(database=database, vault=vault, invalidations=invalidations),
            public_url=public_url,
        ),
        enter=Enter(database=database, exchange=exchange, connecting=connecting, logs=logs),
        devices=devices,
        installations=installations,
        on_deleting=hooks.on_deleting,
        revoking=revoking,
        public_url=public_url,
    )
    return Parts(
        connect=connect,
        credentials=Credentials(book=book, refresher=refresher, clock=clock),
        sessions=sessions,
        book=book,
        refresher=refresher,
        due_queue=DueQueue(book=book, refresher=refresher),
        replay=Replay(book=book, spill=spill),
        sweeper=Sweeper(database=database),
        sealed=SealedCredentials(database=database, vault=vault),
        revoking=revoking,
        devices=devices,
        installations=installations,
    )
