"""One connection of one entry, from the consent to the revocation, without a database: nothing is stored anywhere.

The grants, consents and the renderer are those the server uses. Who answers is the caller's choice: a simulator
(`rehearsal`), or the vendor itself with a developer's own app and account (`dragoman providers test`).
"""

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, cast
from uuid import uuid4

from dragoman_server.connect.consents.installation import AppConsent, CustomConsent, PluginConsent
from dragoman_server.connect.consents.mcp import McpConsent
from dragoman_server.connect.consents.model import EXCHANGE_SECONDS, Asking, Consent, Leaving, Returning
from dragoman_server.connect.consents.oauth1 import OAuth1Consent
from dragoman_server.connect.consents.oauth2 import CodeConsent
from dragoman_server.connect.enter import typed_values
from dragoman_server.connect.exchange import Exchange
from dragoman_server.connect.grants import revocation, two_step
from dragoman_server.connect.grants.model import Need, TokenAnswer
from dragoman_server.connect.grants.registry import ISSUERS
from dragoman_server.connect.handshake import Pending
from dragoman_server.connect.target import Owner, Target, check_config
from dragoman_server.control.environments import Environments
from dragoman_server.control.model import Integration
from dragoman_server.egress.client import EgressClient
from dragoman_server.kit.clock import SystemClock
from dragoman_server.kit.errors import DragomanError
from dragoman_server.kit.ids import EnvironmentId, IntegrationId, OperationId, uuid7
from dragoman_server.logs.operation import Operation
from dragoman_server.providers.model import AuthMode, Credential, Provider
from dragoman_server.providers.rendering import RequestScope, build_request
from dragoman_server.providers.verification import verification_calls

LIMIT = 4_000_000
_NOBODY = EnvironmentId(0)
_STATE_NAMES = ("state", "payload", "customField")


@dataclass(frozen=True, slots=True)
class Step:
    what: str
    state: Literal["ok", "failed", "left out"]
    why: str = ""


class FailedError(Exception):
    """A step did not go as it should."""


@dataclass(frozen=True, slots=True, repr=False)
class Given:
    """What the developer gave: the app and its settings, the connection's settings, what a person types in."""

    app: Mapping[str, str] = field(default_factory=dict[str, str])
    custom: Mapping[str, str] = field(default_factory=dict[str, str])
    config: Mapping[str, str] = field(default_factory=dict[str, str])
    typed: Mapping[str, str] = field(default_factory=dict[str, str])


Browse = Callable[[str], Awaitable[Mapping[str, str]]]
"""Sends a person to a URL; returns the query of the callback the person comes back to."""
Act = Callable[[], Awaitable[str | None]]


class _Nowhere:
    """Where the operations of a trial go."""

    def now(self) -> datetime:
        return SystemClock().now()

    def changed(self, operation: Operation) -> None: ...
    def add(self, row: Any) -> None: ...


class Trial:
    """`path` is a list of the vendor's API; without it the entry's verification call is the one that is made."""

    def __init__(
        self,
        provider: Provider,
        given: Given,
        *,
        egress: EgressClient,
        browse: Browse,
        redirect_uri: str,
        path: str | None = None,
    ) -> None:
        now = SystemClock().now()
        integration = Integration(
            id=IntegrationId(0), uuid=uuid4(), environment_id=_NOBODY, unique_key=provider.name, provider=provider.name,
            display_name=None, created_at=now, updated_at=now, forward_webhooks=False, config={}, custom=given.custom,
        )  # fmt: skip
        trusted = {name for name in given.config if name not in provider.connection_config or name == "external_id"}
        self.provider, self.given, self.egress, self.path = provider, given, egress, path
        self.target = Target(
            environment_id=_NOBODY, integration=integration, provider=provider, credentials=dict(given.app),
            connection_id="trial", owner=Owner(),
            connection_config=check_config(provider.connection_config, given.config, trusted=trusted),
        )  # fmt: skip
        self.config: dict[str, Any] = dict(self.target.connection_config)
        self.credential: Credential | None = None
        self.exchange = Exchange(egress=egress)
        self._browse, self._redirect_uri = browse, redirect_uri
        self._operation = Operation(cast("Any", _Nowhere()), _NOBODY, OperationId(uuid7()), "trial")

    def acts(self) -> Sequence[tuple[str, Act]]:
        return (
            ("connect", self.connect),
            ("verify", self.verify),
            ("call the API", self.call),
            ("read one page", self.read_page),
            ("renew the credential", self.renew),
            ("revoke it", self.revoke),
        )

    async def run(self, told: Callable[[Step], None] = lambda _step: None) -> list[Step]:
        """Make every step; each says whether it went well, and why not. Without a connection there are no more."""
        steps: list[Step] = []
        for what, act in self.acts():
            try:
                left_out = await act()
                step = Step(what, "left out" if left_out else "ok", left_out or "")
            except (FailedError, DragomanError, KeyError, ValueError) as error:
                step = Step(what, "failed", self._clean(str(getattr(error, "message", error))))
            steps.append(step)
            told(step)
            if what == "connect" and step.state == "failed":
                break
        return steps

    # -- acts: None when it went well, else why there is nothing to do -----------------------------------------------

    async def connect(self) -> str | None:
        consent = self._consent()
        if consent is not None:
            await self._agree(consent)
            return None
        mode, given = self.provider.auth_mode, self.given.typed
        values = typed_values(self.target, mode, given)
        self.credential = Credential(mode, values)
        issuer = ISSUERS.get(mode)
        if issuer is not None and issuer.obtain is not None:
            once = two_step.options(self.provider.raw, given) if mode is AuthMode.TWO_STEP else {}
            answer = await self._answer(issuer.obtain(self._need(values, once)))
            self.credential = Credential(mode, issuer.kept(values, answer))
        return None

    async def verify(self) -> str | None:
        status = await self.verification()
        if status is None:
            return "the entry has no verification call"
        if not 200 <= status < 300:
            raise FailedError(f"the credential was refused with HTTP {status}")
        return None

    async def call(self) -> str | None:
        if not self.provider.proxy.base_urls:
            return "the entry has no base URL"
        verification = self.provider.proxy.verification
        endpoint = self.path or (verification.endpoints[0] if verification and verification.method == "GET" else None)
        if endpoint is None or "${" in endpoint:
            return "name a path to call"
        status, _, _ = await self.send(endpoint, {})
        if not 200 <= status < 300:
            raise FailedError(f"HTTP {status}")
        return None

    async def read_page(self) -> str | None:
        from dragoman import pagination

        entry = dict(self.provider.proxy.paginate)
        if not entry or self.path is None:
            return "name a path that lists" if entry else "the entry does not say how it pages"
        settings = pagination.settings_from(entry, None)
        parameters = pagination.first_parameters(settings)
        status, headers, body = await self.send(self.path, parameters, in_body=settings.in_body)
        if status != 200:
            raise FailedError(f"HTTP {status}")
        content = json.loads(body)
        items = pagination.items_of(settings, content)
        if not items:
            raise FailedError("the entry's place for the list holds none")
        pagination.next_page(
            settings, items=len(items), body=content, link_header=headers.get("link"),
            offset=settings.offset_start_value, cursor=None,
        )  # fmt: skip
        return None

    async def renew(self) -> str | None:
        old = self.credential
        issuer = None if old is None else ISSUERS.get(old.type)
        if old is None or issuer is None or not issuer.grant(old.values):
            return "nothing renews it"
        answer = await self._answer(issuer.renew(self._need(old.values)))
        self.credential = Credential(old.type, issuer.kept(old.values, answer))
        self.config |= answer.metadata
        return await self.verify() and None

    async def revoke(self) -> str | None:
        credential = self.credential
        assert credential is not None  # the first step made it
        request = revocation.request(
            self.provider.raw, self.target.client(), credential, dict(self.config), SystemClock().now()
        )
        if request is None:
            return "the entry has no revocation call"
        answer = await self.exchange.send(request, EXCHANGE_SECONDS, self._operation)
        if answer.status >= 400:
            raise FailedError(f"HTTP {answer.status}")
        status = await self.verification()
        if status is not None and 200 <= status < 300:
            return "it was taken, but the token still works: the vendor ends it later, or only the refresh token"
        return None

    # -- machinery ---------------------------------------------------------------------------------------------------

    def _consent(self) -> Consent | None:
        exchange = self.exchange
        codes = CodeConsent(exchange=exchange)
        match self.provider.auth_mode:
            case AuthMode.OAUTH2:
                return codes
            case AuthMode.OAUTH1:
                return OAuth1Consent(exchange=exchange)
            case AuthMode.APP:
                return AppConsent(exchange=exchange)
            case AuthMode.CUSTOM:
                return CustomConsent(exchange=exchange, codes=codes)
            case AuthMode.INSTALL_PLUGIN:
                return PluginConsent()
            case AuthMode.MCP_OAUTH2 | AuthMode.MCP_OAUTH2_GENERIC:
                nowhere = cast("Environments", None)  # asked only for client documents, which need a public address
                return McpConsent(exchange=exchange, codes=codes, environments=nowhere, public_url=self._redirect_uri)
            case _:
                return None

    async def _agree(self, consent: Consent) -> None:
        state, now = secrets.token_urlsafe(32), SystemClock().now()
        asking = Asking({}, (), {})
        leaving = Leaving(self.target, self.target.client(), asking, state, self._redirect_uri, now, self._operation)
        departure = await consent.begin(leaving)
        query = await self._browse(departure.url)
        if not any(query.get(name) == state for name in _STATE_NAMES):
            raise FailedError("the browser came back without the state it left with")
        pending = Pending(
            environment_id=0, integration=self.provider.name, connection_id="trial", reconnect=None, session_id=None,
            verifier=departure.verifier, redirect_uri=self._redirect_uri, connection_config=dict(self.config),
            config_override=dict(departure.client) if departure.client else None, tags=None, end_user=None,
            webhook_url_override=None, operation_id=uuid4(), ws_client_id=None, opener_origin=None,
            memory=dict(departure.memory),
        )  # fmt: skip
        returning = Returning(self.target, pending, query, SystemClock().now(), self._operation)
        arrival = await consent.arrive(returning)
        self.credential = arrival.credential
        self.config |= arrival.config

    def _need(self, values: Mapping[str, Any], once: Mapping[str, Any] | None = None) -> Need:
        override = cast("Mapping[str, str] | None", values.get("config_override"))
        client, now = self.target.client(override), SystemClock().now()
        return Need(self.provider.raw, client, values, dict(self.config), now, dict(once or {}))

    async def _answer(self, flow: Any) -> TokenAnswer:
        answer = await self.exchange.follow(flow, seconds=EXCHANGE_SECONDS, operation=self._operation)
        if not isinstance(answer, TokenAnswer):
            raise FailedError(answer.sentence())
        self.config |= answer.metadata
        return answer

    def scope(self) -> RequestScope:
        return RequestScope(dict(self.config), self.credential, self.target.scope)

    async def verification(self) -> int | None:
        """Return the status of the first call that works, else of the last; None when the entry has none."""
        status: int | None = None
        for call in verification_calls(self.provider, self.scope()):
            request = call.request
            async with self.egress.request(
                request.method, request.url, headers=request.headers, body=call.body
            ) as answer:
                status = answer.status
            if 200 <= status < 300:
                break
        return status

    async def send(
        self, endpoint: str, parameters: Mapping[str, Any], *, in_body: bool = False
    ) -> tuple[int, dict[str, str], bytes]:
        """Make one call as the proxy would."""
        query = [] if in_body else [(k, str(v)) for k, v in parameters.items()]
        method, body = ("POST", json.dumps(parameters).encode()) if in_body else ("GET", None)
        headers = [("content-type", "application/json")] if in_body else []
        request = build_request(
            self.provider, self.scope(), method=method, endpoint=endpoint, query=query, headers=headers,
            body=body or b"",
        )  # fmt: skip
        async with self.egress.request(method, request.url, headers=request.headers, body=body) as answer:
            return answer.status, {k.lower(): v for k, v in answer.headers}, await answer.read(LIMIT)

    def _clean(self, text: str) -> str:
        known = [*self.given.app.values(), *self.given.custom.values(), *self.given.typed.values()]
        known += [] if self.credential is None else self.credential.secrets()
        for secret in sorted((s for s in known if len(s) >= 6), key=len, reverse=True):
            text = text.replace(secret, "***")
        return text
