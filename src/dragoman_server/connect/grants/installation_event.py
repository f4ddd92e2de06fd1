"""What a provider's webhook says of an installation, read as the entry declares it (`installation.webhook`). Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from dragoman_server.connect.grants.model import Entry

LONGEST_VALUE = 255
LONGEST_CODE = 8192


@dataclass(frozen=True, slots=True)
class Installed:
    """An installation: whose it is, and what it brings."""

    match: Mapping[str, str]
    code: str | None = field(repr=False)
    config: Mapping[str, str | bool]


@dataclass(frozen=True, slots=True)
class EventRule:
    """`when` and the others name places in the body by dots."""

    when: Mapping[str, Any]
    match: Mapping[str, str]
    code: str | None
    config: Mapping[str, str]

    @classmethod
    def of(cls, entry: Entry) -> "EventRule | None":
        """Return what the entry declares; None where its provider reports no installations."""
        installation = cast("Mapping[str, Any]", entry.get("installation") or {})
        raw = cast("Mapping[str, Any] | None", installation.get("webhook"))
        if not raw:
            return None
        return cls(raw["when"], raw["match"], raw.get("code"), raw.get("config") or {})

    def read(self, body: object) -> Installed | None:
        """Return the installation `body` tells of; None for every other event and for one that lacks something."""
        if any(_at(body, path) != wanted for path, wanted in self.when.items()):
            return None
        match = {key: value for key, path in self.match.items() if (value := matched(_at(body, path)))}
        code = None if self.code is None else _at(body, self.code)
        if len(match) != len(self.match):
            return None
        if self.code is not None and not (isinstance(code, str) and 0 < len(code) <= LONGEST_CODE):
            return None
        config = {key: value for key, path in self.config.items() if (value := _kept(_at(body, path))) is not None}
        return Installed(match, cast("str | None", code), config)


def matched(value: object) -> str | None:
    """Return a value as it is compared: text or a whole number; None for what cannot be whose installation it is."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    return text if 0 < len(text) <= LONGEST_VALUE else None


def print_of(match: Mapping[str, str]) -> bytes:
    """Return what an awaited installation is found by."""
    return hashlib.sha256(json.dumps(sorted(match.items())).encode()).digest()


def _kept(value: object) -> str | bool | None:
    return value if isinstance(value, bool) else matched(value)


def _at(body: object, path: str) -> object:
    for key in path.split("."):
        if not isinstance(body, Mapping):
            return None
        body = cast("Mapping[str, object]", body).get(key)
    return body
