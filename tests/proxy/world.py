"""A proxy over real loopback upstreams, with catalogue entries written for the test and logs kept in a list."""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml

from dragoman_server.egress import EgressClient, EgressRules
from dragoman_server.kit.clock import ManualClock
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId
from dragoman_server.logs.operation import MessageRow, Operation, new_operation_id
from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.proxy import Proxy, Target

SECRET = "tok-0123456789abcdef"


@dataclass
class KeptLogs:
    """What the logs part would have been told; redaction is the real one."""

    operations: list[Operation] = field(default_factory=list[Operation])
    rows: list[MessageRow] = field(default_factory=list[MessageRow])

    def now(self) -> datetime:
        return datetime.now(UTC)

    def changed(self, operation: Operation) -> None:
        if operation not in self.operations:
            self.operations.append(operation)

    def add(self, row: MessageRow) -> None:
        self.rows.append(row)

    def start(
        self,
        environment_id: EnvironmentId,
        kind: str,
        *,
        integration: str | None = None,
        connection: str | None = None,
        connection_row_id: ConnectionRowId | None = None,
    ) -> Operation:
        operation = Operation(self, environment_id, new_operation_id(self.now()), kind)
        operation.set_fields(integration, connection, connection_row_id, None, None, None)
        self.changed(operation)
        return operation

    @property
    def text(self) -> str:
        return "\n".join(f"{row[8]} {row[9]}" for row in self.rows) + "".join(
            str(o.error_json) for o in self.operations
        )


@dataclass(frozen=True)
class AnIntegration:
    unique_key: str = "acme"
    provider: str = "acme"
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    custom: Mapping[str, Any] = field(default_factory=dict[str, Any])
    allowed_origins: Sequence[str] = ()


@dataclass(frozen=True)
class AConnection:
    id: ConnectionRowId = ConnectionRowId(7)
    uuid: UUID = UUID(int=7)
    connection_id: str = "user-1"
    connection_config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    metadata: Mapping[str, Any] | None = None


@dataclass
class Credentials:
    """Stands for connect: gives `tokens[0]`; asked for another one, moves on to the next if there is any."""

    tokens: list[str] = field(default_factory=lambda: [SECRET])
    forced: int = 0
    failure: Exception | None = None
    fixed: Credential | None = None

    async def __call__(
        self,
        environment_id: Any,
        connection: Any,
        integration: Any,
        *,
        force: bool = False,
        reject: Credential | None = None,
    ) -> Credential:
        if self.fixed is not None:
            return self.fixed
        if reject is not None:
            self.forced += 1
            if self.failure is not None:
                raise self.failure
            if len(self.tokens) > 1:
                self.tokens.pop(0)
        return Credential(AuthMode.OAUTH2, {"access_token": self.tokens[0]})


@dataclass
class World:
    proxy: Proxy
    target: Target
    logs: KeptLogs
    credentials: Credentials
    clock: ManualClock
    slept: list[float]


async def _application(integration: Any) -> Mapping[str, Any]:
    return {"client_id": "app", "client_secret": "app-secret-value"}


@asynccontextmanager
async def world(
    tmp_path: Path,
    base_url: str,
    *,
    entry: Mapping[str, Any] | None = None,
    proxy_hints: Mapping[str, Any] | None = None,
    rules: EgressRules | None = None,
    resolve: Any = None,
    integration: AnIntegration | None = None,
    connection: AConnection | None = None,
    **options: Any,
) -> AsyncGenerator[World]:
    """A proxy whose provider `acme` is at `base_url`. Waits between tries move the clock and end at once."""
    description = {
        "display_name": "Acme", "docs": "https://acme.example/docs", "auth_mode": "OAUTH2",
        "proxy": {"base_url": base_url, **(proxy_hints or {})}, **(entry or {}),
    }  # fmt: skip
    path = tmp_path / "acme.yaml"
    path.write_text(yaml.safe_dump(description))
    clock = ManualClock(datetime.now(UTC).replace(microsecond=0))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        from datetime import timedelta

        slept.append(seconds)
        clock.advance(timedelta(seconds=seconds))
        await asyncio.sleep(0)

    credentials, logs = Credentials(), KeptLogs()
    async with EgressClient(rules or EgressRules(["127.0.0.0/8"]), resolve=resolve) as egress:
        proxy = Proxy(
            egress=egress, catalogue=Catalogue({"acme": path}), fresh_credential=credentials,
            integration_credentials=_application, logs=logs, clock=clock, sleep=sleep, **options,
        )  # fmt: skip
        target = Target(EnvironmentId(1), integration or AnIntegration(), connection or AConnection())
        yield World(proxy, target, logs, credentials, clock, slept)
