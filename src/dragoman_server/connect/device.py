"""Connecting with a code the person types in on another device (RFC 8628): begin, tell how it stands, ask till it ends.

The device code is stored sealed and leaves only for the provider. Asking is a fact in the outbox that comes back after
each interval: it goes on in any process after a restart, and the row's `polling_until` keeps it one call at a time.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from dragoman_server import outbox
from dragoman_server.connect import _device_store, turns
from dragoman_server.connect.authorize import CONNECTED, KIND, Outcome, outcome_of, pending_of, target_of
from dragoman_server.connect.connecting import Connected, Connecting
from dragoman_server.connect.consents.model import EXCHANGE_SECONDS, Asking, Departure
from dragoman_server.connect.errors import InvalidAuthModeError, InvalidCredentialsError, TokenRequestError
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.expiry import learn_life
from dragoman_server.connect.grants import device, dpop
from dragoman_server.connect.grants.device import DeviceCode, Waiting
from dragoman_server.connect.grants.model import TokenAnswer, TokenRefusal
from dragoman_server.connect.grants.token_response import text_or_none
from dragoman_server.connect.handshake import Pending
from dragoman_server.connect.model import ConnectSession
from dragoman_server.connect.target import Target
from dragoman_server.control.integrations import Integrations
from dragoman_server.db import Conn, Database
from dragoman_server.kit.clock import SystemClock
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.ids import EnvironmentId, OperationId, uuid7
from dragoman_server.logs.operation import Operation
from dragoman_server.logs.service import Logs
from dragoman_server.outbox import Fact, StoredFact
from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.providers.model import AuthMode, Credential
from dragoman_server.vault import Vault, data_key_of

FACT = "device"
PURPOSE = "device_authorization"
CLAIM = timedelta(seconds=60)
"""Longer than one poll takes: until then nobody else asks, even if the one who does is gone."""
MOST_OF_A_SESSION = 20
"""Each code is asked about every few seconds for up to half an hour: nobody with a link may begin them without end."""
TURN_SECONDS = 8.0
"""A turn begins no poll later. What one takes (an answer, its expiry, a check) then ends within the relay's patience:
one that was cut off there would lose the token it had in hand."""
Tell = Callable[[Outcome], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Begun:
    """What the person is shown."""

    id: UUID
    code: DeviceCode


@dataclass(frozen=True, slots=True)
class Standing:
    """How a device authorization stands; without an `outcome` it waits for the person."""

    outcome: Outcome | None
    interval: int
    seconds_left: int


class DeviceAuthorizations:
    def __init__(
        self,
        *,
        database: Database,
        vault: Vault,
        integrations: Integrations,
        catalogue: Catalogue,
        exchange: Exchange,
        connecting: Connecting,
        logs: Logs,
        tell: Tell,
    ) -> None:
        self._database = database
        self._vault = vault
        self._integrations = integrations
        self._catalogue = catalogue
        self._exchange = exchange
        self._connecting = connecting
        self._logs = logs
        self._tell = tell
        self.turn_seconds = TURN_SECONDS

    async def begin(self, session: ConnectSession, target: Target, asking: Asking) -> Begun:
        """Return the code to show; raise before anything is stored when the provider gives none."""
        entry, client = target.provider.raw, target.client(asking.client_override)
        unique_key = target.integration.unique_key
        if target.provider.auth_mode is not AuthMode.OAUTH2 or not device.offered(entry):
            raise InvalidAuthModeError(unique_key, target.provider.auth_mode.value, "a device authorization endpoint")
        if not client.client_id:
            raise InvalidCredentialsError(f"Integration `{unique_key}` has no client id yet.")
        async with self._database.connection() as conn:
            waiting = await _device_store.pending(conn, session.environment_id, session.id)
        if waiting >= MOST_OF_A_SESSION:
            raise TokenRequestError(
                f"{waiting} codes of this session wait to be used. Use one, or start again later.",
                public_code=device.CODE,
            )
        operation = self._logs.start(target.environment_id, KIND, integration=unique_key)
        try:
            code = await self._exchange.follow(
                device.begin(entry, client, target.connection_config, now=SystemClock().now()),
                seconds=EXCHANGE_SECONDS,
                operation=operation,
            )
        except DragomanError as error:
            operation.finish("failed", {"type": error.public_code, "message": error.message})
            raise
        memory: dict[str, Any] = {"device_code": code.device_code, "dpop_key": dpop.key_for(entry)}
        pending = pending_of(target, asking, Departure("", memory=memory), "", operation.id)
        id_ = uuid7()
        await self._store(id_, session, pending, code)
        operation.info("The person was given a code for another device.", provider=target.provider.name)
        return Begun(id_, code)

    async def standing(self, session: ConnectSession, id_: UUID) -> Standing | None:
        """Return how it stands; None for one this session did not begin."""
        async with self._database.connection() as conn:
            row = await _device_store.read(conn, session.environment_id, session.id, id_)
        if row is None:
            return None
        told = None if row.outcome is None else _outcome(row.outcome)
        return Standing(told, row.interval, row.seconds_left)

    async def handle(self, facts: Sequence[StoredFact]) -> None:
        """Ask the providers once each; what is not decided yet comes back after its interval."""

        async def act(fact: StoredFact) -> timedelta | None:
            return await self.poll(fact.environment_id, UUID(fact.key))

        await turns.each(facts, act, seconds=self.turn_seconds)

    async def poll(self, environment_id: EnvironmentId, id_: UUID) -> timedelta | None:
        """Ask once; return when to ask again, None once it has ended. Safe to call from anywhere at any time."""
        async with self._database.connection() as conn:
            row = await _device_store.claim(conn, environment_id, id_, CLAIM)
            if row is None:
                return None if await _device_store.ended(conn, environment_id, id_) else CLAIM
        [plain] = await self._vault.open_all(environment_id, PURPOSE, None, [(row.sealed, id_.bytes)])
        pending = msgspec.json.decode(plain, type=Pending)
        operation = self._logs.reopen(environment_id, OperationId(pending.operation_id))
        try:
            target = await target_of(pending, self._integrations, self._catalogue)
        except DragomanError as error:  # the integration is gone
            operation.finish("failed", {"type": error.public_code, "message": error.message})
            return await self._end(id_, pending, error)
        if not row.alive:
            return await self._fail(
                id_, pending, target, operation, "expired_token", "The code was not used in time. Start again."
            )
        return await self._ask(id_, pending, target, operation, row.interval, row.now)

    async def _ask(
        self, id_: UUID, pending: Pending, target: Target, operation: Operation, interval: int, now: datetime
    ) -> timedelta | None:
        entry, client = target.provider.raw, target.client(pending.config_override)
        code, key = str(pending.memory["device_code"]), text_or_none(pending.memory.get("dpop_key"))
        flow = device.ask(entry, client, target.connection_config, code, dpop_key=key, now=now)
        try:
            found = await self._exchange.follow(flow, seconds=EXCHANGE_SECONDS, operation=operation)
        except DragomanError:  # section 3.5: a server that does not answer is asked less often
            found = Waiting(slower=True)
        if isinstance(found, TokenRefusal) and found.may_have_happened:
            found = Waiting(slower=True)
        if isinstance(found, Waiting):
            longer = interval + device.SLOWER * found.slower
            async with self._database.connection() as conn:
                await _device_store.release(conn, target.environment_id, id_, longer)
            return timedelta(seconds=longer)
        if isinstance(found, TokenRefusal):
            told = _REFUSALS.get(found.error or "")
            public_code, message = (found.error or "", told) if told else ("token_err", found.sentence())
            return await self._fail(id_, pending, target, operation, public_code, message)
        await self._complete(id_, pending, target, operation, found, now)
        return None

    async def _complete(
        self, id_: UUID, pending: Pending, target: Target, operation: Operation, answer: TokenAnswer, now: datetime
    ) -> None:
        client = target.client(pending.config_override)
        life = answer.life or await learn_life(
            self._exchange,
            target.provider.raw,
            client,
            target.connection_config,
            answer.access_token,
            now=now,
            operation=operation,
        )
        values: dict[str, Any] = {"access_token": answer.access_token, "raw": dict(answer.raw), **answer.fields}
        if answer.refresh_token:
            values["refresh_token"] = answer.refresh_token
        if pending.config_override:
            values["config_override"] = pending.config_override
        credential = Credential(AuthMode.OAUTH2, values, None if life is None else now + life)

        async def also(conn: Conn, connected: Connected) -> None:
            told = outcome_of(pending, None, CONNECTED, connected.connection.connection_id)
            await _device_store.end(conn, target.environment_id, id_, _told(told))

        try:
            made = await self._connecting.complete(
                target, credential, operation, extra_config=answer.metadata, also=also
            )
        except DragomanError as error:
            await self._connecting.failed(target, error, operation)
            await self._end(id_, pending, error)
            return
        await self._tell(outcome_of(pending, None, CONNECTED, made.connection.connection_id))

    async def _fail(
        self, id_: UUID, pending: Pending, target: Target, operation: Operation, public_code: str, message: str
    ) -> None:
        error = TokenRequestError(message, public_code=public_code)
        await self._connecting.failed(target, error, operation)
        await self._end(id_, pending, error)

    async def _end(self, id_: UUID, pending: Pending, error: DragomanError) -> None:
        outcome = outcome_of(pending, error.public_code, error.message)
        async with self._database.connection() as conn:
            await _device_store.end(conn, EnvironmentId(pending.environment_id), id_, _told(outcome))
        await self._tell(outcome)

    async def _store(self, id_: UUID, session: ConnectSession, pending: Pending, code: DeviceCode) -> None:
        environment_id = EnvironmentId(pending.environment_id)
        sealer = await self._vault.sealer(environment_id, PURPOSE)
        sealed = sealer.seal(msgspec.json.encode(pending), id_.bytes)
        async with self._database.transaction() as conn:
            begun_at = await _device_store.insert(
                conn,
                id_=id_,
                environment_id=environment_id,
                session_id=session.id,
                sealed=sealed,
                data_key_id=data_key_of(sealed),
                interval=code.interval,
                life=code.life,
            )
            first = begun_at + timedelta(seconds=code.interval)
            await outbox.put(conn, [Fact(FACT, environment_id, str(id_), {"v": 1}, first)])


_REFUSALS: Mapping[str, str] = {
    "access_denied": "The authorization was declined on the other device.",
    "expired_token": "The code was not used in time. Start again.",
}
"""What an end of section 3.5 says to the person."""


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "v": 1,
        "error_type": outcome.error_type,
        "message": outcome.message,
        "integration": outcome.integration,
        "connection_id": outcome.connection_id,
    }


def _outcome(raw: Mapping[str, Any]) -> Outcome:
    return Outcome(raw["error_type"], raw["message"], raw["integration"], raw["connection_id"])
