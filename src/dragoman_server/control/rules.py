"""What values the control plane takes; pure. Each check returns issues, empty when all is well."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from dragoman_server.control.errors import InvalidValueError
from dragoman_server.control.model import EndUser, Organization
from dragoman_server.kit.errors import Issue

Path = tuple[str | int, ...]

LONGEST_KEY = 255
MAX_TAGS = 10
LONGEST_TAG_KEY = 64
LONGEST_TAG_VALUE = 255
MAX_VARIANTS = 100
DEEPEST_JSON = 64
LONGEST_NUMBER = 1000

_INTEGRATION_KEY = re.compile(r"[a-zA-Z0-9~:.@ _-]+")
_CONNECTION_ID = re.compile(r"""[a-zA-Z0-9,.;:=+~\[\]|@${}"'\\/_ -]+""")
_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]+")
_ENVIRONMENT_NAME = re.compile(r"[a-z0-9_-]+")
_VARIABLE_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.-]*")
_TAG_KEY = re.compile(r"[a-zA-Z][a-zA-Z0-9_\-./]*")
_EMAIL = re.compile(r"[^@\s,;<>\x00-\x1f]{1,64}@[^@\s,;<>\x00-\x1f]+\.[^@\s,;<>\x00-\x1f.]+")
_SCOPES = re.compile(r"(?:[0-9a-zA-Z:/_.*-]+(?:,[0-9a-zA-Z:/_.*-]+)*)?")
_RSA_KEY = re.compile(r"\s*-----BEGIN (?:RSA )?PRIVATE KEY-----[A-Za-z0-9+/=\s]+-----END (?:RSA )?PRIVATE KEY-----\s*")
_SURROGATE = re.compile("[\ud800-\udfff]")


def require(issues: Sequence[Issue]) -> None:
    """Raise `InvalidValueError` if there is any issue."""
    if issues:
        raise InvalidValueError(issues)


def _check_text(
    value: str, pattern: re.Pattern[str], path: Path, what: str, longest: int = LONGEST_KEY, shortest: int = 1
) -> list[Issue]:
    if len(value) < shortest:
        return [Issue("too_small", f"{what} must have at least {shortest} characters.", path)]
    if len(value) > longest:
        return [Issue("too_big", f"{what} must have at most {longest} characters.", path)]
    if pattern.fullmatch(value) is None:
        return [Issue("invalid_format", f"{what} has characters it may not have.", path)]
    return []


def check_integration_key(value: str, path: Path = ("unique_key",)) -> list[Issue]:
    return _check_text(value, _INTEGRATION_KEY, path, "An integration's key")


def check_connection_id(value: str, path: Path = ("connection_id",)) -> list[Issue]:
    return _check_text(value, _CONNECTION_ID, path, "A connection id")


def check_function_name(value: str, path: Path = ("name",)) -> list[Issue]:
    return _check_text(value, _FUNCTION_NAME, path, "The name of a function or variant")


def check_environment_name(value: str, path: Path = ("name",)) -> list[Issue]:
    return _check_text(value, _ENVIRONMENT_NAME, path, "An environment's name")


def check_variable_name(value: str, path: Path = ("name",)) -> list[Issue]:
    return _check_text(value, _VARIABLE_NAME, path, "A variable's name")


def is_email(value: str) -> bool:
    """Return True for what can be an e-mail address; not more than a plausibility check."""
    return len(value) <= 254 and _EMAIL.fullmatch(value) is not None


def check_json(value: Any, path: Path = ()) -> list[Issue]:
    """Name what Postgres cannot store as JSON: NUL characters, lone surrogates, bottomless nesting, absurd numbers."""
    issues: list[Issue] = []
    waiting: list[tuple[Any, Path]] = [(value, path)]
    while waiting and len(issues) < 10:
        item, place = waiting.pop()
        if len(place) - len(path) > DEEPEST_JSON:
            return [Issue("too_big", f"Values may be nested {DEEPEST_JSON} levels deep at most.", path)]
        if isinstance(item, str):
            issues += check_storable_text(item, place)
        elif isinstance(item, int) and not isinstance(item, bool) and item.bit_length() > LONGEST_NUMBER:
            issues.append(Issue("too_big", "This number has too many digits.", place))
        elif isinstance(item, float) and (item != item or item in {float("inf"), float("-inf")}):  # noqa: PLR0124
            issues.append(Issue("invalid_type", "NaN and infinity are not JSON numbers.", place))
        elif isinstance(item, Mapping):
            for key, inner in item.items():  # type: ignore[reportUnknownVariableType]
                issues += check_storable_text(str(key), place)  # type: ignore[reportUnknownArgumentType]
                waiting.append((inner, (*place, str(key))))  # type: ignore[reportUnknownArgumentType]
        elif isinstance(item, list | tuple):
            waiting += [(inner, (*place, number)) for number, inner in enumerate(item)]  # type: ignore[reportUnknownArgumentType,reportUnknownVariableType]
    return issues


def check_storable_text(value: str, path: Path) -> list[Issue]:
    """Name a NUL or half a surrogate pair, which no Postgres text holds."""
    if "\0" in value or _SURROGATE.search(value):
        return [Issue("invalid_format", "Text may not contain NUL characters or lone surrogates.", path)]
    return []


def check_tags(tags: Mapping[str, str], path: Path = ("tags",)) -> list[Issue]:
    """Name what is wrong with a connection's tags as given."""
    issues: list[Issue] = []
    if len(tags) > MAX_TAGS:
        issues.append(Issue("too_big", f"There may be at most {MAX_TAGS} tags.", path))
    seen: set[str] = set()
    for key, value in tags.items():
        place = (*path, key)
        issues += _check_text(key, _TAG_KEY, place, "A tag's key", LONGEST_TAG_KEY)
        if key.lower() in seen:
            issues.append(Issue("custom", f"The tag `{key.lower()}` is given twice (case does not count).", place))
        seen.add(key.lower())
        if not 1 <= len(value) <= LONGEST_TAG_VALUE:
            code = "too_big" if value else "too_small"
            issues.append(Issue(code, f"A tag's value must have 1 to {LONGEST_TAG_VALUE} characters.", place))
        elif key.lower() == "end_user_email" and not is_email(value):
            issues.append(Issue("invalid_format", "`end_user_email` must be an e-mail address.", place))
        issues += check_storable_text(value, place)
    return issues


def normalize_tags(tags: Mapping[str, str], path: Path = ("tags",)) -> dict[str, str]:
    """Return tags as stored (keys in lower case, sorted); raise `InvalidValueError` for bad ones. Idempotent."""
    require(check_tags(tags, path))
    return {key: tags[original] for key, original in sorted((original.lower(), original) for original in tags)}


def check_end_user(end_user: EndUser, path: Path = ("end_user",)) -> list[Issue]:
    issues = check_plain(end_user.id, (*path, "id"), shortest=1)
    if end_user.email is not None and not is_email(end_user.email):
        issues.append(Issue("invalid_format", "This is no e-mail address.", (*path, "email")))
    issues += check_plain(end_user.display_name or "", (*path, "display_name"))
    issues += check_json(dict(end_user.tags), (*path, "tags"))
    if end_user.organization is not None:
        issues += check_plain(end_user.organization.id, (*path, "organization", "id"), shortest=1)
        issues += check_plain(end_user.organization.display_name or "", (*path, "organization", "display_name"))
    return issues


def check_plain(value: str, path: Path, shortest: int = 0) -> list[Issue]:
    """Free text of at most 255 characters."""
    return check_length(value, path, LONGEST_KEY, shortest) or check_storable_text(value, path)


def check_length(value: str, path: Path, longest: int, shortest: int = 0) -> list[Issue]:
    if shortest <= len(value) <= longest:
        return []
    return [Issue("too_big" if value else "too_small", f"This must have {shortest} to {longest} characters.", path)]


def check_url(value: str, path: Path) -> list[Issue]:
    """An address that webhooks can go to, or nothing. Whether it may be dialled is egress' business."""
    try:
        parts = urlsplit(value)
        fine = not value or (parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.port != 0)
    except ValueError:
        fine = False
    if not fine or len(value) > 2048 or any(ord(character) <= 32 for character in value):
        return [Issue("invalid_format", "This must be an http or https address.", path)]
    return []


def tags_of_end_user(end_user: EndUser) -> dict[str, str]:
    """Return the tags under which a connection of this user is found."""
    organization = end_user.organization or Organization("")
    found = {
        "end_user_id": end_user.id,
        "end_user_email": end_user.email,
        "end_user_display_name": end_user.display_name,
        "organization_id": organization.id,
        "organization_display_name": organization.display_name,
    }
    return {key: value for key, value in found.items() if value}


_USER_TAGS = frozenset(
    {"end_user_id", "end_user_email", "end_user_display_name", "organization_id", "organization_display_name"}
)


def without_end_user(tags: Mapping[str, str]) -> dict[str, str]:
    """Return the tags that do not come from an end user."""
    return {key: value for key, value in tags.items() if key not in _USER_TAGS}


def end_user_of_tags(tags: Mapping[str, str]) -> EndUser | None:
    """The inverse of `tags_of_end_user`, for a connection that was given tags only; None without `end_user_id`."""
    if not tags.get("end_user_id"):
        return None
    organization_id = tags.get("organization_id")
    organization = Organization(organization_id, tags.get("organization_display_name")) if organization_id else None
    return EndUser(
        tags["end_user_id"], tags.get("end_user_email"), tags.get("end_user_display_name"), organization=organization
    )


def combine_tags(tags: Mapping[str, str], end_user: EndUser | None) -> dict[str, str]:
    """Return a connection's stored tags: the user's, overridden by those given."""
    return {**(tags_of_end_user(end_user) if end_user else {}), **normalize_tags(tags)}


def check_origin(value: str, path: Path) -> list[Issue]:
    """An origin is scheme, host and port: `https://eu.example.com`."""
    try:
        parts = urlsplit(value)
        fine = parts.scheme in {"https", "http"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return [Issue("invalid_format", "This is no origin.", path)]
    if not fine or parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        return [Issue("invalid_format", "An origin looks like `https://eu.example.com`.", path)]
    return []


def check_string_map(
    values: Mapping[str, str], path: Path, *, longest_value: int = 8192, most: int = 100
) -> list[Issue]:
    """`integration_config` and `custom`: short keys, values of bounded length."""
    issues: list[Issue] = []
    if len(values) > most:
        issues.append(Issue("too_big", f"There may be at most {most} entries.", path))
    for key, value in values.items():
        if not 1 <= len(key) <= LONGEST_KEY:
            issues.append(Issue("too_big", f"A key must have 1 to {LONGEST_KEY} characters.", path))
        if len(value) > longest_value:
            issues.append(Issue("too_big", f"A value may have at most {longest_value} characters.", (*path, key)))
        issues += check_storable_text(key + value, (*path, key))
    return issues


_CLIENT = ("client_id", "client_secret")
_APP = ("app_id", "app_link", "private_key")
CREDENTIAL_FIELDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "OAUTH1": (_CLIENT, ("scopes", "webhook_secret")),
    "OAUTH2": (("client_id",), ("client_secret", "scopes", "webhook_secret")),
    "TBA": (_CLIENT, ("scopes", "webhook_secret")),
    "APP": (_APP, ("webhook_secret",)),
    "CUSTOM": ((*_CLIENT, *_APP), ("scopes", "webhook_secret")),
    "MCP_OAUTH2": ((), (*_CLIENT, "scopes", "client_name", "client_uri", "client_logo_uri")),
    "MCP_OAUTH2_GENERIC": ((), (*_CLIENT, "scopes", "client_name", "client_uri", "client_logo_uri")),
    "INSTALL_PLUGIN": (("app_link",), ("webhook_secret",)),
}
"""Fields of an integration's developer app by type: (required, optional). Other modes have no app."""
_LONGEST = {"client_id": 255, "client_secret": 2048, "webhook_secret": 255, "app_id": 255, "private_key": 10_000}


def check_integration_credentials(values: Mapping[str, Any], path: Path = ("credentials",)) -> list[Issue]:
    """Name what is wrong with an integration's credentials, as the wire writes them (`type` and its fields)."""
    kind = values.get("type")
    if not isinstance(kind, str) or kind not in CREDENTIAL_FIELDS:
        return [Issue("invalid_type", f"`type` must be one of {', '.join(CREDENTIAL_FIELDS)}.", (*path, "type"))]
    needed, optional = CREDENTIAL_FIELDS[kind]
    issues = [
        Issue("invalid_type", f"`{name}` is required.", (*path, name)) for name in needed if values.get(name) is None
    ]
    extra = sorted(set(values) - {"type", *needed, *optional})
    if extra:
        issues.append(Issue("unrecognized_keys", f"Unknown keys: {', '.join(extra)}.", path))
    for name in (*needed, *optional):
        value = values.get(name)
        if value is not None:
            issues += _check_credential_field(name, value, (*path, name))
    return issues


def _check_credential_field(name: str, value: object, path: Path) -> list[Issue]:
    if not isinstance(value, str):
        return [Issue("invalid_type", f"`{name}` must be text.", path)]
    if name == "scopes":
        return [] if _SCOPES.fullmatch(value) else [Issue("invalid_format", "Scopes are a comma separated list.", path)]
    if name == "private_key" and _RSA_KEY.fullmatch(value) is None:
        return [Issue("invalid_format", "The private key must be PEM text, from its BEGIN to its END line.", path)]
    if not value and name in {"client_id", "client_secret", "app_id"}:
        return [Issue("too_small", f"`{name}` is empty.", path)]
    longest = _LONGEST.get(name, 2048)
    if len(value) > longest:
        return [Issue("too_big", f"`{name}` may have at most {longest} characters.", path)]
    return check_storable_text(value, path)


def split_csv(value: str) -> list[str]:
    """Return the parts of a comma separated list, trimmed, without empty ones, each once."""
    return list(dict.fromkeys(part for part in (piece.strip() for piece in value.split(",")) if part))


def merge_shallow(old: Mapping[str, Any] | None, new: Mapping[str, Any]) -> dict[str, Any]:
    """Return `old` with the top-level keys of `new` in place."""
    return {**(old or {}), **new}


def first_duplicate(values: Iterable[str]) -> str | None:
    """Return the first value that occurs twice."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None
