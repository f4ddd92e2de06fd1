"""The vendors themselves: which request is whose, and what they remember."""

from collections.abc import Iterable

from dragoman_server.kit.clock import Clock, SystemClock
from dragoman_server.kit.ids import random_token
from dragoman_server.providers.model import AuthMode, Provider
from dragoman_server.simulator import api, authorize, aws, discovery, installations, oauth1, token
from dragoman_server.simulator.exchange import Answer, Received, RefusedError
from dragoman_server.simulator.places import Map, Place, Role
from dragoman_server.simulator.tokens import Minted, read

REFUSED_WORD = "invalid"
"""A typed credential holding this word is a wrong one; any other works."""


class World:
    """Plays `providers`. What it remembers only makes it stricter: lost, at a restart, everything it gave out works."""

    def __init__(self, providers: Iterable[Provider], *, clock: Clock | None = None, life: int = 3600) -> None:
        self.providers = {provider.name: provider for provider in providers}
        self.clock = clock or SystemClock()
        self.life = life
        self.used_codes: set[str] = set()
        self.dead_families: set[str] = set()
        self.newest_refresh: dict[str, int] = {}
        self.limited: set[tuple[str, str]] = set()
        self.wrong_secrets: set[str] = set()
        self.told: dict[str, str] = {}
        self._map = Map(self.providers.values())

    def now(self) -> int:
        return int(self.clock.now().timestamp())

    def answer(self, request: Received) -> Answer:
        """Answer as the vendor whose address it is; several share some, then the first that takes it speaks."""
        places = self._map.find(request.url)
        if not places:
            return RefusedError(404, "unknown_address", "No entry of the catalogue has this address.").answer()
        first: RefusedError | None = None
        for place in places:
            try:
                return self._play(place, request)
            except RefusedError as error:
                first = error if first is None or first.status == 501 else first
        return first.answer() if first else Answer(404)

    def consent(self, name: str, request: Received, *, granted: bool) -> Answer:
        """The consent page of one entry, reached by a browser that sees our address instead of the vendor's."""
        provider = self.providers.get(name)
        if provider is None:
            return RefusedError(404, "unknown_provider", "The catalogue has no such entry.").answer()
        try:
            return authorize.answer(self, provider, request, granted=granted)
        except RefusedError as error:
            return error.answer()

    def _play(self, place: Place, request: Received) -> Answer:
        match place.role:
            case Role.AUTHORIZE:
                return authorize.answer(self, place.provider, request)
            case Role.TOKEN:
                return token.answer(self, place.provider, request)
            case Role.TEMPORARY:
                return oauth1.temporary(self, place.provider, request)
            case Role.REGISTER:
                return token.register(self, place.provider, request)
            case Role.REVOKE:
                return token.revoke(self, place.provider, request)
            case Role.ASSUME:
                return aws.assume_role(self, place.provider, request)
            case Role.INSTALLED:
                return installations.token(self, place.provider, request)
            case Role.INSTALLATION:
                return installations.read(self, request)
            case Role.INSTALLATIONS:
                return installations.listed(self, place.provider, request)
            case Role.API:
                if place.provider.auth_mode is AuthMode.MCP_OAUTH2_GENERIC:
                    found = discovery.answer(self, place.provider, request)
                    if found is not None:
                        return found
                return api.answer(self, place, request)

    # -- what a vendor knows -----------------------------------------------------------------------------------------

    def new_family(self) -> str:
        return random_token(bytes_=9)

    def tell(self, name: str, secret: str) -> None:
        """Let the vendors know the secret of a client, a user, a token or an app: from now on they check signatures."""
        self.told[name] = secret

    def is_wrong(self, secret: str) -> bool:
        return not secret or REFUSED_WORD in secret.lower() or secret in self.wrong_secrets

    def read_token(self, text: str, kind: str, provider: Provider) -> Minted:
        """Return the live token `text` is; raise RefusedError (`invalid_grant`) for any other."""
        minted = read(text)
        if minted is None or minted.kind != kind or not self._akin(minted.provider, provider):
            raise RefusedError(400, "invalid_grant", f"This is no {kind} token of {provider.display_name}.")
        if minted.family in self.dead_families:
            raise RefusedError(400, "invalid_grant", f"The {kind} token was revoked.")
        if minted.expires and minted.expires <= self.now():
            raise RefusedError(400, "invalid_grant", f"The {kind} token has expired.")
        return minted

    def _akin(self, name: str, provider: Provider) -> bool:
        """Several entries stand before one authorization server, e.g. all of Google's."""
        if name == provider.name:
            return True
        other = self.providers.get(name)
        return other is not None and other.get("token_url") == provider.get("token_url") is not None
