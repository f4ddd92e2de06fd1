"""What browsers of a simulated platform need: consent pages are the simulator's."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from dragoman_server.providers.catalogue import Catalogue
from dragoman_server.providers.model import Provider
from dragoman_server.simulator import discovery
from dragoman_server.simulator.app import CONSENT_PATH

_ABOUT_THE_PAGE = frozenset({"authorization_url_fragment", "authorization_url_replacements", "decode_url"})


class SimulatedCatalogue(Catalogue):
    """`catalogue` with every `authorization_url` moved to `origin`; what we send ourselves stays as it is."""

    def __init__(self, catalogue: Catalogue, origin: str) -> None:
        super().__init__({})
        self._real = catalogue
        self._origin = origin.rstrip("/")
        self._moved: dict[str, Provider] = {}

    def names(self) -> list[str]:
        return self._real.names()

    def get(self, name: str) -> Provider | None:
        found = self._moved.get(name)
        if found is None and (real := self._real.get(name)) is not None:
            found = self._moved[name] = _moved(real, self._origin)
        return found


def moved_page(url: str, origin: str) -> str:
    """Return the address a browser is sent to instead of `url`, where that was discovered and so is in no entry."""
    page = discovery.page_of(url)
    return f"{origin.rstrip('/')}{CONSENT_PATH}{page}" if page else url


def _moved(provider: Provider, origin: str) -> Provider:
    if provider.authorization_url is None:
        return provider
    raw: Mapping[str, Any] = MappingProxyType(
        {k: v for k, v in provider.raw.items() if k not in _ABOUT_THE_PAGE}
        | {"authorization_url": f"{origin}{CONSENT_PATH}{provider.name}"}
    )
    return Provider.read(provider.name, raw)
