"""What a deleted connection still owes its provider: the grant is ended there, too, as a fact that is tried again.

The call is built while the credential can still be read and waits sealed under the environment's key; the deletion
itself never waits for a provider.
"""

import base64
from collections.abc import Sequence
from typing import Any

import msgspec

from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants import revocation
from dragoman_server.connect.grants.model import TokenRequest
from dragoman_server.connect.model import Stored
from dragoman_server.connect.target import client_of
from dragoman_server.control.integrations import Integrations
from dragoman_server.control.model import Connection
from dragoman_server.db import Conn
from dragoman_server.egress.errors import EgressRefusedError
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.telemetry import get_logger
from dragoman_server.logs.service import Logs
from dragoman_server.outbox import Fact, FactsFailedError, StoredFact
from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.vault import Vault

FACT = "revoke"
KIND = "auth:revoke_token"
PURPOSE = "revocation"
SECONDS = 15.0
_TRY_AGAIN = frozenset({408, 425, 429})
log = get_logger("connect")


class _Call(msgspec.Struct):
    method: str
    url: str
    headers: list[tuple[str, str]]
    body: bytes | None
    secrets: list[str]
    integration: str
    connection_id: str


class StillOwedError(Exception):
    """The provider could not be told yet."""


class Revoking:
    def __init__(
        self, *, vault: Vault, integrations: Integrations, catalogue: Catalogue, exchange: Exchange, logs: Logs
    ) -> None:
        self._vault = vault
        self._integrations = integrations
        self._catalogue = catalogue
        self._exchange = exchange
        self._logs = logs

    async def fact(self, conn: Conn, connection: Connection, stored: Stored) -> Fact | None:
        """Return what to put in the deleting transaction; None where the provider knows no such call."""
        integration = await self._integrations.get(connection.environment_id, connection.integration_key)
        provider = None if integration is None else self._catalogue.get(integration.provider)
        if integration is None or provider is None:
            return None
        override = stored.credential.values.get("config_override")
        client = client_of(integration, await self._integrations.credentials(integration), override)
        try:
            request = revocation.request(
                provider.raw, client, stored.credential, dict(connection.connection_config), stored.read_at
            )
        except DragomanError as error:  # a field the template names is missing: nothing can be sent, deleting goes on
            log.warning("revocation_not_built", provider=provider.name, code=error.public_code)
            return None
        if request is None:
            return None
        key = str(connection.uuid)
        call = _Call(
            request.method,
            request.url,
            list(request.headers),
            request.body,
            list(request.secrets),
            connection.integration_key,
            connection.connection_id,
        )
        sealer = await self._vault.sealer(connection.environment_id, PURPOSE, conn=conn)
        sealed = base64.b64encode(sealer.seal(msgspec.json.encode(call), key.encode())).decode()
        return Fact(FACT, connection.environment_id, key, {"v": 1, "sealed": sealed})

    async def handle(self, facts: Sequence[StoredFact]) -> None:
        """Tell the providers; safe to repeat. A provider that is away is told again later."""
        failures: dict[int, Exception] = {}
        for fact in facts:
            try:
                await self._tell(fact)
            except (DragomanError, StillOwedError) as error:
                failures[fact.id] = error
        if failures:
            raise FactsFailedError(failures)

    async def _tell(self, fact: StoredFact) -> None:
        items = [(base64.b64decode(str(fact.body["sealed"])), fact.key.encode())]
        [plain] = await self._vault.open_all(fact.environment_id, PURPOSE, None, items)
        call = msgspec.json.decode(plain, type=_Call)
        operation = self._logs.start(
            fact.environment_id, KIND, integration=call.integration, connection=call.connection_id
        )
        request = TokenRequest(call.method, call.url, call.headers, call.body, tuple(call.secrets))
        shown: dict[str, Any] = {"method": call.method, "url": call.url.partition("?")[0]}
        try:
            answer = await self._exchange.send(request, SECONDS, operation)
        except EgressRefusedError as error:
            operation.finish("failed", {"type": error.public_code, "message": error.message})
            return  # an address that may not be called will not become one
        except DragomanError as error:
            operation.finish("failed", {"type": error.public_code, "message": error.message})
            raise
        operation.http(
            request=shown, response={"status": answer.status}, level="info" if answer.status < 400 else "warn"
        )
        if answer.status >= 500 or answer.status in _TRY_AGAIN:
            operation.finish("failed", {"type": "revocation_failed", "message": f"HTTP {answer.status}"})
            raise StillOwedError(f"HTTP {answer.status}")
        operation.finish("success")  # a refusal says that the token is not good any more, which was the aim
