"""Whose address is that? URLs back to the entries, and the roles, they belong to. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast
from urllib.parse import urlsplit

from dragoman_server.providers.model import AuthMode, Provider, split_alternatives
from dragoman_server.simulator import aws
from dragoman_server.simulator.reading import literal_length, url_pattern


class Role(StrEnum):
    AUTHORIZE = "authorize"
    TOKEN = "token"  # noqa: S105 (an address, no secret)
    REVOKE = "revoke"
    REGISTER = "register"
    TEMPORARY = "temporary"
    ASSUME = "assume"
    INSTALLED = "installed"
    INSTALLATION = "installation"
    INSTALLATIONS = "installations"
    API = "api"


@dataclass(frozen=True, slots=True)
class Place:
    provider: Provider
    role: Role
    template: str

    def pattern(self) -> "re.Pattern[str]":
        return url_pattern(self.template, prefix=self.role is Role.API)


def places_of(provider: Provider) -> Iterator[Place]:
    """Every address of an entry."""
    raw = provider.raw
    if provider.authorization_url:
        yield Place(provider, Role.AUTHORIZE, provider.authorization_url)
    urls: Any = raw.get("token_url")
    own = "APP" if provider.auth_mode is AuthMode.APP else "OAUTH2"
    by_mode = dict(cast("Mapping[str, str]", urls)) if isinstance(urls, Mapping) else {own: urls}
    if by_mode.get("APP"):
        yield Place(provider, Role.INSTALLED, str(by_mode.pop("APP")))
    token_urls = list(by_mode.values())
    if provider.auth_mode is AuthMode.AWS_SIGV4:
        yield Place(provider, Role.ASSUME, aws.STS)
    for name, role in (("installation_url", Role.INSTALLATION), ("installations_url", Role.INSTALLATIONS)):
        if raw.get(name):
            yield Place(provider, role, str(raw[name]))
    steps = cast("list[Mapping[str, Any]]", raw.get("additional_steps") or [])
    if raw.get("request_url"):
        yield Place(provider, Role.TEMPORARY, str(raw["request_url"]))
    if raw.get("registration_url"):
        yield Place(provider, Role.REGISTER, str(raw["registration_url"]))
    for url in (*token_urls, raw.get("refresh_url"), *(step.get("token_url") for step in steps)):
        if url:
            yield Place(provider, Role.TOKEN, str(url))
    revocation = cast("Mapping[str, Any]", raw.get("revocation") or {})
    if revocation.get("url"):
        yield Place(provider, Role.REVOKE, str(revocation["url"]))
    verification = provider.proxy.verification
    override = verification.base_url_override if verification else None
    for template in (*provider.proxy.base_urls, *provider.proxy.origins, *split_alternatives(override or "")):
        yield Place(provider, Role.API, template)


class Map:
    """All addresses of some entries."""

    def __init__(self, providers: Iterable[Provider]) -> None:
        self._by_host: dict[str, list[Place]] = {}
        self._anywhere: list[Place] = []
        for provider in providers:
            for place in places_of(provider):
                host = _fixed_host(place.template)
                (self._anywhere if host is None else self._by_host.setdefault(host, [])).append(place)

    def find(self, url: str) -> list[Place]:
        """Return the places `url` may be, the most specific first; an endpoint beats the API it lies in."""
        plain = url.partition("?")[0]
        host = (urlsplit(plain).hostname or "").lower()
        candidates = [*self._by_host.get(host, ()), *self._anywhere]
        found = [place for place in candidates if place.pattern().fullmatch(plain)]
        found.sort(key=lambda place: (place.role is Role.API, -literal_length(place.template), place.provider.name))
        exact = [place for place in found if place.role is not Role.API]
        return exact or found


def _fixed_host(template: str) -> str | None:
    host = template.partition("://")[2].partition("/")[0].partition("?")[0]
    return None if "${" in host or not host else host.partition(":")[0].lower()
