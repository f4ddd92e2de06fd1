"""A provider calls us: is it really the provider, and for whom is what it says?

Today a connection that waits for its installation is who may want it. An event nobody handles is answered all the same.
"""

import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, cast
from uuid import UUID

import msgspec

from dragoman_server.connect.installations import Installations
from dragoman_server.control import Environments, Integrations
from dragoman_server.control.model import Integration
from dragoman_server.kit.clock import Clock, SystemClock
from dragoman_server.kit.errors import InvalidInputError
from dragoman_server.providers import Catalogue
from dragoman_server.providers.model import Provider
from dragoman_server.webhooks.inbound import InvalidSignatureError, SignatureRule, verify


class InboundWebhook:
    def __init__(
        self,
        *,
        environments: Environments,
        integrations: Integrations,
        catalogue: Catalogue,
        installations: Installations,
        clock: Clock | None = None,
    ) -> None:
        self._environments = environments
        self._integrations = integrations
        self._catalogue = catalogue
        self._installations = installations
        self._clock = clock or SystemClock()

    async def __call__(
        self, environment: str, unique_key: str, headers: Mapping[str, str], body: bytes
    ) -> Callable[[], Awaitable[bool]]:
        """Return what takes it and says whether somebody wanted it; raise InvalidSignatureError for a stranger's.

        `headers` by lower-case names; `body` as it came.
        """
        found = await self._find(environment, unique_key)
        if found is None:
            hmac.digest(b"nobody", body, "sha256")  # takes as long as a wrong signature
            raise InvalidSignatureError
        integration, provider = found
        installation = cast("Mapping[str, Any]", provider.get("installation") or {})
        declared = cast("Mapping[str, Any] | None", installation.get("webhook"))
        if declared is None:
            return _nobody
        rule = SignatureRule.read(declared["signature"])
        credentials = await self._integrations.credentials(integration)
        verify(rule, str(credentials.get(rule.secret) or ""), headers, body, self._clock.now())

        async def take() -> bool:
            return await self._installations.take(integration, provider, _parsed(body))

        return take

    async def _find(self, environment: str, unique_key: str) -> tuple[Integration, Provider] | None:
        try:
            uuid = UUID(environment)
        except ValueError:
            return None
        if "\0" in unique_key:
            return None  # Postgres holds no such text
        known = await self._environments.by_uuid(uuid)
        integration = None if known is None else await self._integrations.get(known.id, unique_key)
        provider = None if integration is None else self._catalogue.get(integration.provider)
        return None if integration is None or provider is None else (integration, provider)


async def _nobody() -> bool:
    """The provider's entry declares no events."""
    return False


def _parsed(body: bytes) -> object:
    """Return a JSON body; only its provider gets here."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInputError("The webhook's body is no JSON.") from error
