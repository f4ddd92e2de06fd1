"""The nouns: auth modes, a credential, a provider as its catalogue entry describes it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Self, cast

_EMPTY: Mapping[str, Any] = MappingProxyType({})


def _empty() -> Mapping[str, Any]:
    return _EMPTY


class AuthMode(StrEnum):
    """How a provider lets us in; the names are those of the wire."""

    OAUTH2 = "OAUTH2"
    OAUTH2_CC = "OAUTH2_CC"
    API_KEY = "API_KEY"
    BASIC = "BASIC"
    NONE = "NONE"
    TWO_STEP = "TWO_STEP"
    MCP_OAUTH2 = "MCP_OAUTH2"
    MCP_OAUTH2_GENERIC = "MCP_OAUTH2_GENERIC"
    JWT = "JWT"
    OAUTH1 = "OAUTH1"
    BILL = "BILL"
    APP = "APP"
    CUSTOM = "CUSTOM"
    TBA = "TBA"
    SIGNATURE = "SIGNATURE"
    AWS_SIGV4 = "AWS_SIGV4"
    INSTALL_PLUGIN = "INSTALL_PLUGIN"


_PUBLIC_VALUES = frozenset(
    ["type", "client_id", "scope", "scopes", "token_type", "expires_in", "expires_at", "user_id", "organization_id",
     "role_arn", "region", "service", "app_id", "installation_id"]
)  # fmt: skip
_PUBLIC_NAMES_OF_SECRETS = ("token_type", "token_uri", "token_url", "token_endpoint")
_SECRET_WORDS = ("token", "secret", "key", "password", "code", "jwt", "assertion", "credential", "cookie", "session")
_TOKEN_KEYS = ("access_token", "token", "session_id")
_SHORTEST_SECRET = 4
"""Hiding shorter ones would blank ordinary words of a log and hide nothing worth hiding."""


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """What a connection is authorized with, by the field names of the wire. Never prints its values."""

    type: AuthMode
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Credential(type={self.type.value}, fields={sorted(self.values)})"

    def token(self) -> str | None:
        """Return what `${accessToken}` stands for, whatever the mode calls it."""
        for key in _TOKEN_KEYS:
            value = self.values.get(key)
            if isinstance(value, str) and value:
                return value
        for part in ("app", "user"):  # CUSTOM: the installation's token, the person's while it is pending
            value = self.values.get(part)
            if isinstance(value, Mapping):
                return Credential(self.type, cast("Mapping[str, Any]", value)).token()
        return None

    def api_key(self) -> str | None:
        value = self.values.get("apiKey", self.values.get("api_key"))
        return value if isinstance(value, str) and value else None

    def secrets(self) -> list[str]:
        """Return every secret string inside, longest first, for redaction: also the Basic header's form."""
        found = set(_secrets_in(self.values))
        username, password = self.values.get("username"), self.values.get("password")
        if isinstance(username, str) and "@" not in username and len(username) >= 8:
            found.add(username)  # some APIs take the key as the user name
        if isinstance(username, str) and (isinstance(password, str) or password is None):
            found.add(basic(username, password or ""))
        return sorted((s for s in found if len(s) >= _SHORTEST_SECRET), key=len, reverse=True)


def basic(username: str, password: str) -> str:
    """Return the credentials part of a Basic `Authorization` header (RFC 7617, UTF-8)."""
    import base64

    return base64.b64encode(f"{username}:{password}".encode(errors="surrogatepass")).decode()


def _secrets_in(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if key == "raw" or isinstance(value, Mapping | list | tuple):
            yield from _named_secrets_in(value)
        elif isinstance(value, str) and key not in _PUBLIC_VALUES and key != "username":
            yield value


def _named_secrets_in(value: Any, name: str = "") -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in cast("Mapping[Any, Any]", value).items():
            yield from _named_secrets_in(inner, str(key).lower())
    elif isinstance(value, list | tuple):
        for inner in cast("Sequence[Any]", value):
            yield from _named_secrets_in(inner, name)
    elif isinstance(value, str) and name not in _PUBLIC_NAMES_OF_SECRETS and any(w in name for w in _SECRET_WORDS):
        yield value


@dataclass(frozen=True, slots=True)
class Field:
    """One input of a form: what a person is asked for, or what we fill in ourselves (`automated`)."""

    name: str
    type: str = "string"
    title: str = ""
    description: str = ""
    example: str | None = None
    pattern: str | None = None
    format: str | None = None
    enum: tuple[str, ...] = ()
    order: int | None = None
    optional: bool = False
    secret: bool = False
    hidden: bool = False
    automated: bool = False
    default_value: str | None = None
    prefix: str | None = None
    suffix: str | None = None
    doc_section: str | None = None
    visible_when: Mapping[str, Any] | None = None
    warnings: Mapping[str, str] = field(default_factory=_empty)

    @classmethod
    def read(cls, name: str, raw: Mapping[str, Any]) -> Self:
        known = {k: v for k, v in raw.items() if k in cls.__slots__ and k != "name"}
        known["enum"] = tuple(raw.get("enum") or ())
        known.setdefault("title", name)
        for key in ("example", "default_value"):
            if known.get(key) is not None:
                known[key] = str(known[key])
        return cls(name=name, **known)

    @property
    def asked(self) -> bool:
        """Whether a person must or may fill it in."""
        return not self.automated and not self.hidden


@dataclass(frozen=True, slots=True)
class Verification:
    """The call that tells whether a credential works."""

    method: str
    endpoints: tuple[str, ...]
    base_url_override: str | None = None
    headers: Mapping[str, str] = field(default_factory=_empty)
    data: Any = None


@dataclass(frozen=True, slots=True)
class ProxyHints:
    """How requests to the provider's API are made."""

    base_urls: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=_empty)
    query: Mapping[str, str] = field(default_factory=_empty)
    body: Mapping[str, Any] = field(default_factory=_empty)
    retry: Mapping[str, Any] = field(default_factory=_empty)
    paginate: Mapping[str, Any] = field(default_factory=_empty)
    verification: Verification | None = None
    decompress: bool = False
    forward_headers_on_redirect: bool = False

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> Self:
        verification = raw.get("verification")
        return cls(
            base_urls=split_alternatives(str(raw.get("base_url") or "")),
            origins=tuple(raw.get("origins") or ()),
            headers=_texts(raw, "headers", lower=True),
            query=_texts(raw, "query"),
            body=raw.get("body") or _EMPTY,
            retry=raw.get("retry") or _EMPTY,
            paginate=raw.get("paginate") or _EMPTY,
            verification=_read_verification(verification) if verification else None,
            decompress=bool(raw.get("decompress", False)),
            forward_headers_on_redirect=bool(raw.get("forward_headers_on_redirect", False)),
        )


def _texts(raw: Mapping[str, Any], key: str, *, lower: bool = False) -> Mapping[str, str]:
    found = cast("Mapping[str, Any]", raw.get(key) or {})
    return MappingProxyType({k.lower() if lower else k: _text(v) for k, v in found.items() if v is not None})


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _read_verification(raw: Mapping[str, Any]) -> Verification:
    return Verification(
        method=str(raw.get("method", "GET")).upper(),
        endpoints=tuple(raw.get("endpoints") or ()),
        base_url_override=raw.get("base_url_override"),
        headers=_texts(raw, "headers", lower=True),
        data=raw.get("data"),
    )


def split_alternatives(template: str) -> tuple[str, ...]:
    """Split `A || B` outside placeholders into its alternatives, in order."""
    parts, depth, start = [""][:0], 0, 0
    index = 0
    while index < len(template):
        if template.startswith("${", index):
            depth, index = depth + 1, index + 2
            continue
        if template[index] == "}" and depth:
            depth -= 1
        elif depth == 0 and template.startswith("||", index):
            parts.append(template[start:index].strip())
            start, index = index + 2, index + 2
            continue
        index += 1
    parts.append(template[start:].strip())
    return tuple(part for part in parts if part)


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    """A read-only view of one catalogue entry; `raw` holds every key of it, aliases already merged in."""

    name: str
    raw: Mapping[str, Any]
    display_name: str
    auth_mode: AuthMode
    docs: str
    categories: tuple[str, ...]
    authorization_url: str | None
    proxy: ProxyHints
    connection_config: Mapping[str, Field]
    credentials: Mapping[str, Field]
    default_scopes: tuple[str, ...]
    scope_separator: str

    @classmethod
    def read(cls, name: str, raw: Mapping[str, Any]) -> Self:
        """Return the view of an entry that already satisfies the schema."""
        return cls(
            name=name,
            raw=raw,
            display_name=raw["display_name"],
            auth_mode=AuthMode(raw["auth_mode"]),
            docs=raw["docs"],
            categories=tuple(raw.get("categories") or ()),
            authorization_url=raw.get("authorization_url"),
            proxy=ProxyHints.read(raw.get("proxy") or {}),
            connection_config=_read_fields(raw.get("connection_config")),
            credentials=_read_fields(raw.get("credentials")),
            default_scopes=tuple(raw.get("default_scopes") or ()),
            scope_separator=raw.get("scope_separator", " "),
        )

    def get(self, key: str, default: Any = None) -> Any:
        """Return a key of the entry, or `default`."""
        return self.raw.get(key, default)

    def token_url(self, mode: AuthMode | None = None) -> str | None:
        """Return the token endpoint's template, for `mode` where the entry has one per mode."""
        url = self.raw.get("token_url")
        return url.get(mode or self.auth_mode) if isinstance(url, Mapping) else url  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]

    @property
    def logo_url(self) -> str:
        return f"/images/template-logos/{self.name}.svg"

    def public(self) -> dict[str, Any]:
        """Return the provider as `GET /providers` shows it: every key of the entry, and its name and logo."""
        return {"name": self.name, "logo_url": self.logo_url, **self.raw}


def _read_fields(raw: Mapping[str, Any] | None) -> Mapping[str, Field]:
    fields = [Field.read(name, value) for name, value in (raw or {}).items()]
    fields.sort(key=lambda f: (f.order is None, f.order or 0))
    return MappingProxyType({f.name: f for f in fields})
