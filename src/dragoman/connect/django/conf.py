"""`settings.DRAGOMAN`, read once.

| key | what it is |
|---|---|
| `API_KEY`, `WEBHOOK_SIGNING_KEY` | of the environment; both required |
| `URL` | where Dragoman is; else the variable DRAGOMAN_URL, else http://127.0.0.1:3003 |
| `ON_AUTH` | required: a function of an `AuthEvent`, or the path to one; when it raises, Dragoman delivers again |
| `ON_OTHER` | the same for every other webhook, as a dictionary |
| `USER` | a function, or the path to one, from a request to a `User` or None; else `request.user` |
| `INTEGRATIONS` | those users may choose from; else all of the environment |
| `CACHE` | the name of the cache that remembers deliveries; else `default`. Share it between processes. |
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.http import HttpRequest
from django.utils.module_loading import import_string

from dragoman.client import Client
from dragoman.connect.core import AuthEvent, User

_KNOWN = {"URL", "API_KEY", "WEBHOOK_SIGNING_KEY", "ON_AUTH", "ON_OTHER", "USER", "INTEGRATIONS", "CACHE"}


@dataclass(frozen=True, slots=True, repr=False)
class Configuration:
    client: Client
    webhook_signing_key: str
    on_auth: Callable[[AuthEvent], None]
    on_other: Callable[[Mapping[str, Any]], None] | None
    user: Callable[[HttpRequest], User | None]
    integrations: Sequence[str] | None
    cache: str


@lru_cache(maxsize=1)
def configuration() -> Configuration:
    """What the settings say; raise `ImproperlyConfigured` naming every mistake."""
    given: Any = getattr(settings, "DRAGOMAN", None)
    if not isinstance(given, Mapping):
        raise ImproperlyConfigured("settings.DRAGOMAN is missing; it is a dictionary, see dragoman.connect.django.conf")
    found = cast("Mapping[str, Any]", given)
    problems = [f"{name} is unknown" for name in sorted(found.keys() - _KNOWN)]
    problems += [f"{name} is missing" for name in ("API_KEY", "WEBHOOK_SIGNING_KEY", "ON_AUTH") if not found.get(name)]
    loaded: dict[str, Any] = {}
    for name in ("ON_AUTH", "ON_OTHER", "USER"):
        try:
            loaded[name] = import_string(found[name]) if isinstance(found.get(name), str) else found.get(name)
        except ImportError as error:
            problems.append(f"{name}: {error}")
    integrations = found.get("INTEGRATIONS")
    if integrations is not None and (isinstance(integrations, str) or not isinstance(integrations, Sequence)):
        problems.append("INTEGRATIONS is no list")
    if problems:
        raise ImproperlyConfigured(f"settings.DRAGOMAN: {'; '.join(problems)}")
    try:
        client = Client(url=found.get("URL"), api_key=found["API_KEY"])
    except ValueError as error:
        raise ImproperlyConfigured(f"settings.DRAGOMAN: URL: {error}") from None
    return Configuration(
        client=client,
        webhook_signing_key=found["WEBHOOK_SIGNING_KEY"],
        on_auth=loaded["ON_AUTH"],
        on_other=loaded["ON_OTHER"],
        user=loaded["USER"] or signed_in,
        integrations=None if integrations is None else list(cast("Sequence[str]", integrations)),
        cache=found.get("CACHE", "default"),
    )


def signed_in(request: HttpRequest) -> User | None:
    """`request.user` by its primary key, email and full name."""
    user: Any = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return None
    return User(id=str(user.pk), email=getattr(user, "email", None), display_name=user.get_full_name() or None)


def _forget(*, setting: str, **_: Any) -> None:
    if setting == "DRAGOMAN":
        configuration.cache_clear()


setting_changed.connect(_forget)
