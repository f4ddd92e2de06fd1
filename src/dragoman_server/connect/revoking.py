"""What deleted connections still owe their providers: the grants are ended there, too.

A deletion only marks the credentials as ended, so that nobody uses or renews them any more, and puts one fact for
their integration; it never waits for a provider. The fact's handler makes the calls in small batches, shreds what the
provider has heard of, and comes again for the rest until they are told or too old.
"""

import asyncio
import base64
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from dragoman_server.connect.book import PgBook
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants import revocation
from dragoman_server.connect.grants.model import TokenRequest
from dragoman_server.connect.model import Ended
from dragoman_server.connect.target import client_of
from dragoman_server.control.connections import Connections
from dragoman_server.control.integrations import Integrations
from dragoman_server.control.model import Integration
from dragoman_server.db import Conn, Database
from dragoman_server.db.statement import read_sql
from dragoman_server.egress.errors import EgressRefusedError
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.ids import ConnectionRowId, EnvironmentId, IntegrationId
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.logs.service import Logs
from dragoman_server.outbox import Fact, FactsFailedError, NotYetError, StoredFact
from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.providers.model import AuthMode
from dragoman_server.vault import Vault

FACT = "revoke"
KIND = "auth:revoke_token"
PURPOSE = "revocation"
SECONDS = 15.0
BATCH = 8
"""How many providers are told at once."""
TURN_SECONDS = 20.0
"""A turn begins no batch later; with a batch's own seconds it stays within the relay's lease."""
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=2), timedelta(minutes=10)
LONGEST_OWED = timedelta(days=3)
"""For so long a provider that is away is told again; then the credential is shredded without its having heard."""
TIME_NOW = read_sql(__package__ or "", "time_now")
_TRY_AGAIN = frozenset({408, 425, 429})
_DISCOVERED = frozenset({AuthMode.MCP_OAUTH2, AuthMode.MCP_OAUTH2_GENERIC})
log = get_logger("connect")


class _Call(msgspec.Struct):
    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes | None
    secrets: list[str]
    integration: str
    connection_id: str


class Revoking:
    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        book: PgBook,
        integrations: Integrations,
        connections: Connections,
        catalogue: Catalogue,
        exchange: Exchange,
        logs: Logs,
    ) -> None:
        self._database = database
        self._vault = vault
        self._book = book
        self._integrations = integrations
        self._connections = connections
        self._catalogue = catalogue
        self._exchange = exchange
        self._logs = logs

    async def end(
        self,
        conn: Conn,
        environment_id: EnvironmentId,
        integration_id: IntegrationId,
        provider: str,
        numbers: Sequence[ConnectionRowId],
    ) -> Fact | None:
        """Keep the credentials of these connections for their revocation; return the fact the deletion puts.

        None, with nothing done, where the provider knows no such call: the caller shreds them at once.
        """
        entry = self._catalogue.get(provider)
        if entry is None or not numbers or not (entry.get("revocation") or entry.auth_mode in _DISCOVERED):
            return None
        await self._book.end(conn, environment_id, integration_id, numbers)
        return Fact(FACT, environment_id, str(integration_id), {"v": 2, "integration": integration_id})

    async def handle(self, facts: Sequence[StoredFact]) -> None:
        """Tell the providers; safe to repeat. A provider that is away is told again later."""
        failures: dict[int, Exception] = {}
        ends_at = asyncio.get_running_loop().time() + TURN_SECONDS
        for fact in facts:
            try:
                await (self._tell_sealed(fact) if "sealed" in fact.body else self._tell_all(fact, ends_at))
            except (DragomanError, NotYetError) as error:
                failures[fact.id] = error
        if failures:
            raise FactsFailedError(failures)

    async def _tell_all(self, fact: StoredFact, ends_at: float) -> None:
        environment_id, integration_id = fact.environment_id, IntegrationId(int(fact.body["integration"]))
        found = await self._integrations.even_deleted(environment_id, integration_id)
        began = await self._database.fetchval(TIME_NOW)
        while asyncio.get_running_loop().time() < ends_at:
            batch = await self._book.ended(environment_id, integration_id, before=began, limit=BATCH)
            if not batch:
                break
            configs = await self._connections.even_deleted(environment_id, [ended.connection for ended in batch])
            results = [True] * len(batch)
            if found is not None:
                telling = (self._tell(ended, *found, *configs.get(ended.connection, ("", {}))) for ended in batch)
                results = await asyncio.gather(*telling)
            pairs = list(zip(batch, results, strict=True))
            await self._book.settle(environment_id, [e for e, ok in pairs if ok], [e for e, ok in pairs if not ok])
        age = await self._book.newest_ended(environment_id, integration_id)
        if age is not None:
            raise NotYetError(min(max(age / 2, FIRST_WAIT), LONGEST_WAIT))

    async def _tell(
        self,
        ended: Ended,
        integration: Integration,
        credentials: Mapping[str, Any],
        connection_id: str,
        config: Mapping[str, Any],
    ) -> bool:
        """Return whether nothing is owed any more: heard, refused, nothing to say, or owed for too long."""
        provider = self._catalogue.get(integration.provider)
        if provider is None or ended.credential is None or ended.shared:
            return True
        client = client_of(integration, credentials, ended.credential.values.get("config_override"))
        try:
            request = revocation.request(provider.raw, client, ended.credential, dict(config), ended.read_at)
        except DragomanError as error:  # a field the template names is missing: there is nothing that could be sent
            log.warning("revocation_not_built", provider=provider.name, code=error.public_code)
            return True
        if request is None or await self._send(
            integration.environment_id, integration.unique_key, connection_id, request
        ):
            return True
        late = ended.read_at - ended.ended_at > LONGEST_OWED
        if late:
            log.warning("revocation_given_up", provider=provider.name, environment_id=integration.environment_id)
        return late

    async def _tell_sealed(self, fact: StoredFact) -> None:
        """A fact of the first release: the whole call, sealed."""
        items = [(base64.b64decode(str(fact.body["sealed"])), fact.key.encode())]
        [plain] = await self._vault.open_all(fact.environment_id, PURPOSE, None, items)
        call = msgspec.json.decode(plain, type=_Call)
        request = TokenRequest(call.method, call.url, call.headers, call.body, tuple(call.secrets))
        if not await self._send(fact.environment_id, call.integration, call.connection_id, request):
            raise NotYetError(LONGEST_WAIT)

    async def _send(
        self, environment_id: EnvironmentId, integration: str, connection_id: str, request: TokenRequest
    ) -> bool:
        """Return False when the provider must be told again."""
        operation = self._logs.start(environment_id, KIND, integration=integration, connection=connection_id or None)
        shown: dict[str, Any] = {"method": request.method, "url": request.url.partition("?")[0]}
        try:
            answer = await self._exchange.send(request, SECONDS, operation)
        except DragomanError as error:
            operation.finish("failed", {"type": error.public_code, "message": error.message})
            return isinstance(error, EgressRefusedError)  # an address that may not be called will not become one
        operation.http(
            request=shown, response={"status": answer.status}, level="info" if answer.status < 400 else "warn"
        )
        if answer.status >= 500 or answer.status in _TRY_AGAIN:
            operation.finish("failed", {"type": "revocation_failed", "message": f"HTTP {answer.status}"})
            return False
        if answer.status >= 400:  # the token is not good any more, or the call is not: repeating it changes neither
            operation.finish("failed", {"type": "revocation_refused", "message": f"HTTP {answer.status}"})
            return True
        operation.finish("success")
        return True
