"""Is an entry usable? The JSON Schema first, then what no schema can say: templates parse, patterns compile."""

import difflib
import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from dragoman_server.kit.errors import DragomanError
from dragoman_server.providers.entries import Entry, duplicate_key
from dragoman_server.providers.retry import check_pattern
from dragoman_server.providers.templating import parse_template

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

SCHEMA_FILE = Path(__file__).with_name("schema.json")
_TEMPLATED = (
    ("authorization_url",), ("authorization_params",), ("token_url",), ("token_params",), ("token_headers",),
    ("refresh_url",), ("refresh_params",), ("refresh_token_params",), ("refresh_token_headers",), ("request_url",),
    ("request_params",), ("pushed_authorization_request_url",), ("device_authorization_url",),
    ("device_authorization_params",), ("introspection_url",), ("registration_url",), ("registration_params",),
    ("additional_steps",),
    ("proxy", "base_url"), ("proxy", "origins"), ("proxy", "headers"), ("proxy", "query"), ("proxy", "body"),
    ("proxy", "verification"),
)  # fmt: skip
_ALWAYS_NEEDED = ("display_name", "docs", "auth_mode")


@cache
def schema() -> dict[str, Any]:
    """Return the JSON Schema of one entry, read at the first call."""
    return json.loads(SCHEMA_FILE.read_text("utf-8"))


@cache
def _validator() -> "Validator":
    from jsonschema import Draft202012Validator

    return Draft202012Validator(schema())


def check_entry(entry: Entry, data: Mapping[str, Any], *, whole: bool) -> None:
    """Raise `CatalogueError` if `data` (the file, or with `whole` the file over its alias) cannot be used."""
    if (twice := duplicate_key(entry.file)) is not None:
        raise entry.error("this key is written twice", twice)
    errors: Iterator[Any] = _validator().iter_errors(data)  # pyright: ignore[reportUnknownMemberType]
    worst = min(errors, key=lambda e: (-len(e.absolute_path), str(e.absolute_path)), default=None)
    if worst is not None:
        raise _schema_error(entry, worst)
    for key in _ALWAYS_NEEDED if whole else ():
        if key not in data:
            raise entry.error(f"`{key}` is missing", ())
    _check_templates(entry, data)
    _check_patterns(entry, data)
    _check_mode(entry, data, whole=whole)
    if whole and "installation" in data:
        _check_installation(entry, data)


def _schema_error(entry: Entry, error: Any) -> DragomanError:
    keys = tuple(cast("list[str | int]", list(error.absolute_path)))
    if error.validator == "additionalProperties":
        known = list(cast("dict[str, Any]", error.schema).get("properties", {}))
        unknown = next((str(k) for k in error.instance if k not in known), "?")
        near = difflib.get_close_matches(unknown, known, n=1)
        hint = f"; did you mean `{near[0]}`?" if near else ""
        return entry.error(f"unknown key{hint}", (*keys, unknown))
    if error.validator == "enum":
        allowed = ", ".join(str(v) for v in error.validator_value)
        return entry.error(f"must be one of: {allowed}", keys)
    if error.validator == "type":
        wanted = error.validator_value
        return entry.error(f"must be {' or '.join(wanted) if isinstance(wanted, list) else wanted}", keys)  # pyright: ignore[reportUnknownArgumentType]
    if error.validator in {"anyOf", "oneOf"}:
        return entry.error("has none of the shapes this key may have", keys)
    return entry.error(str(error.message)[:300], keys)


def _check_templates(entry: Entry, data: Mapping[str, Any]) -> None:
    for path in _TEMPLATED:
        value: Any = data
        for key in path:
            value = cast("Mapping[str, Any]", value).get(key) if isinstance(value, Mapping) else None
        for keys, text in _texts(value, path):
            try:
                parse_template(text)
            except DragomanError as error:
                raise entry.error(error.message, keys) from error


def _texts(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in cast("Mapping[str, Any]", value).items():
            yield from _texts(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(cast("list[Any]", value)):
            yield from _texts(inner, (*path, index))


def _check_patterns(entry: Entry, data: Mapping[str, Any]) -> None:
    if "connection_config" in _mapping(data, "credentials"):
        reason = "the name is taken: a body holds the connection's configuration there"
        raise entry.error(reason, ("credentials", "connection_config"))
    for group in ("connection_config", "credentials", "assertion_option"):
        for name in _mapping(data, group):
            pattern = _mapping(data, group, name).get("pattern")
            try:
                re.compile(pattern or "")
            except re.error as error:
                reason = f"the pattern is no regular expression: {error.msg}"
                raise entry.error(reason, (group, name, "pattern")) from error
    in_body = _mapping(data, "proxy", "retry", "in_body")
    if in_body and (reason := check_pattern(in_body["value"])):
        raise entry.error(reason, ("proxy", "retry", "in_body", "value"))


def _mapping(data: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for key in path:
        data = cast("Mapping[str, Any]", data.get(key) or {})
    return data


def _check_mode(entry: Entry, data: Mapping[str, Any], *, whole: bool) -> None:
    if not whole:
        return
    mode = data["auth_mode"]
    ways = ("authorization_url", "device_authorization_url", "installation")
    if mode == "OAUTH2" and not any(data.get(key) for key in ways):
        raise entry.error("an OAUTH2 entry needs `authorization_url`", ())
    if mode in {"OAUTH2", "OAUTH2_CC", "TWO_STEP"} and not data.get("token_url"):
        raise entry.error(f"an {mode} entry needs `token_url`", ())


def _check_installation(entry: Entry, data: Mapping[str, Any]) -> None:
    """Refuse what no schema can: whose installation it is must not be typed in, nor an old event be told again."""
    place = ("installation", "webhook")
    webhook = _mapping(data, *place)
    mode, fields = data["auth_mode"], _mapping(data, "connection_config")
    for key in _mapping(webhook, "match"):
        if not _mapping(fields, key).get("automated"):
            reason = f"`connection_config.{key}` must be there and `automated`, so that nobody can type it in"
            raise entry.error(reason, (*place, "match", key))
    for key in _mapping(webhook, "config"):
        if key in webhook["match"] or (key in fields and not _mapping(fields, key).get("automated")):
            raise entry.error("must be a key that nobody types in and nobody is matched by", (*place, "config", key))
    signed_time = webhook["signature"].get("timestamp")
    if bool(signed_time) != ("${timestamp}" in (webhook["signature"].get("content") or "")):
        reason = "`timestamp` and a `content` with `${timestamp}` go together: a time that is not signed proves nothing"
        raise entry.error(reason, (*place, "signature"))
    if mode == "OAUTH2" and not webhook.get("code"):
        raise entry.error("an OAUTH2 entry needs the path of the authorization `code`", place)
    if mode == "APP" and "installation_id" not in (webhook.get("config") or {}):
        raise entry.error("an APP entry needs `config.installation_id`", place)
    if mode == "APP" and webhook["signature"].get("secret") == "client_secret":
        raise entry.error("an APP integration has no client secret", (*place, "signature", "secret"))
    if mode == "APP" and not signed_time:
        raise entry.error("without a code only a signed `timestamp` keeps old events from being told again", place)
    if mode not in {"OAUTH2", "APP"}:
        raise entry.error("only OAUTH2 and APP entries are connected by an installation", ("installation",))
