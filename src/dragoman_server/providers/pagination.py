"""How an API pages: the entry's `proxy.paginate` with a caller's wishes over it, checked. Pure.

The pages themselves are walked in the guest (`dragoman.pagination`), which gets these settings as JSON.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, cast

from dragoman_server.kit.errors import InvalidInputError, Issue
from dragoman_server.providers.model import Provider

Kind = Literal["cursor", "link", "offset"]
OffsetMethod = Literal["per-page", "by-response-size"]
_KINDS = ("cursor", "link", "offset")
_OFFSET_METHODS = ("per-page", "by-response-size")


@dataclass(frozen=True, slots=True)
class Pagination:
    """How to ask for the next page, and where the items are."""

    type: Kind
    response_path: str | None = None
    limit: int | None = None
    limit_name_in_request: str | None = None
    in_body: bool = False
    cursor_path_in_response: str | None = None
    cursor_name_in_request: str | None = None
    link_rel_in_response_header: str | None = None
    link_path_in_response_body: str | None = None
    offset_name_in_request: str | None = None
    offset_start_value: int = 0
    offset_calculation_method: OffsetMethod = "by-response-size"

    def as_json(self) -> dict[str, Any]:
        """Return the settings as they travel to a function: absent ones left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


_STRINGS = frozenset(
    ["response_path", "limit_name_in_request", "cursor_path_in_response", "cursor_name_in_request",
     "link_rel_in_response_header", "link_path_in_response_body", "offset_name_in_request"]
)  # fmt: skip
_NUMBERS = frozenset(["limit", "offset_start_value"])


def pagination_of(provider: Provider, overrides: Mapping[str, Any] | None = None) -> Pagination:
    """Return the entry's settings with the caller's over them; raise `InvalidInputError` where they do not suffice."""
    wished = {key: value for key, value in (overrides or {}).items() if value is not None}
    base = provider.proxy.paginate
    if wished.get("type") not in {None, base.get("type")}:
        base = {key: base[key] for key in ("response_path", "limit", "limit_name_in_request") if key in base}
    settings = {**base, **wished}
    _check(settings, provider)
    return Pagination(**{k: v for k, v in settings.items() if k in Pagination.__slots__})


def _check(settings: Mapping[str, Any], provider: Provider) -> None:
    kind = settings.get("type")
    if kind not in _KINDS:
        _refuse("type", f"`{provider.name}` does not say how it pages; give `type`: {', '.join(_KINDS)}")
    for key in _STRINGS & settings.keys():
        if not isinstance(settings[key], str):
            _refuse(key, f"`{key}` must be a string")
    for key in _NUMBERS & settings.keys():
        if not isinstance(settings[key], int) or isinstance(settings[key], bool) or settings[key] < 0:
            _refuse(key, f"`{key}` must be a number, not below 0")
    if settings.get("offset_calculation_method", _OFFSET_METHODS[0]) not in _OFFSET_METHODS:
        _refuse("offset_calculation_method", f"must be one of {', '.join(_OFFSET_METHODS)}")
    for key in _needed(cast("Kind", kind), settings):
        _refuse(key, f"`{key}` is needed to page by {kind}")


def _needed(kind: Kind, settings: Mapping[str, Any]) -> list[str]:
    if kind == "cursor":
        return [k for k in ("cursor_path_in_response", "cursor_name_in_request") if not settings.get(k)]
    if kind == "offset":
        return [k for k in ("offset_name_in_request",) if not settings.get(k)]
    either = settings.get("link_rel_in_response_header") or settings.get("link_path_in_response_body")
    return [] if either else ["link_rel_in_response_header"]


def _refuse(key: str, message: str) -> None:
    raise InvalidInputError(message, issues=[Issue("invalid_pagination", message, ("paginate", key))])
