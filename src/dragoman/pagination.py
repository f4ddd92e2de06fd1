"""Walking through a provider's pages: pure decisions, no I/O. The settings' names are those of the catalogue."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from dragoman.authoring.errors import DefinitionError


@dataclass(frozen=True, slots=True)
class Pagination:
    """How a provider splits a list. `response_path` says where the list is; empty means the body itself."""

    type: Literal["link", "cursor", "offset"]
    response_path: str = ""
    limit: int | None = None
    limit_name_in_request: str | None = None
    link_rel_in_response_header: str | None = None
    link_path_in_response_body: str | None = None
    cursor_path_in_response: str | None = None
    cursor_name_in_request: str | None = None
    offset_name_in_request: str = "offset"
    offset_start_value: int = 0
    offset_calculation_method: Literal["by-response-size", "per-page"] = "by-response-size"
    in_body: bool = False


@dataclass(frozen=True, slots=True)
class NextPage:
    """What to ask next: a whole URL, or parameters added to the first request."""

    url: str | None = None
    parameters: Mapping[str, Any] | None = None
    offset: int = 0
    token: Any = None
    """What must not come again."""


def settings_from(entry: Mapping[str, Any] | None, overrides: Mapping[str, Any] | None) -> Pagination:
    """Return the entry's settings with the caller's on top; raises DefinitionError naming what is wrong."""
    merged: dict[str, Any] = {**(entry or {}), **(overrides or {})}
    if "in_body" not in merged and isinstance(merged.get("inBody"), bool):
        merged["in_body"] = merged.pop("inBody")
    kind = merged.get("type")
    if kind not in {"link", "cursor", "offset"}:
        raise DefinitionError(
            "paginate: the provider's entry says nothing about pages; pass `type` as `link`, `cursor` or `offset`."
        )
    known = {key: merged[key] for key in merged if key in Pagination.__dataclass_fields__ and merged[key] is not None}
    if overrides and (unknown := sorted(set(overrides) - set(Pagination.__dataclass_fields__))):
        raise DefinitionError(f"paginate: unknown setting `{unknown[0]}`.")
    settings = Pagination(**known)
    if settings.type == "cursor" and not (settings.cursor_path_in_response and settings.cursor_name_in_request):
        raise DefinitionError("paginate: `cursor` needs `cursor_path_in_response` and `cursor_name_in_request`.")
    if settings.type == "link" and not (settings.link_rel_in_response_header or settings.link_path_in_response_body):
        raise DefinitionError("paginate: `link` needs `link_rel_in_response_header` or `link_path_in_response_body`.")
    if settings.offset_calculation_method not in {"by-response-size", "per-page"}:
        raise DefinitionError("paginate: `offset_calculation_method` is `by-response-size` or `per-page`.")
    return settings


def first_parameters(settings: Pagination) -> dict[str, Any]:
    """What the first request carries beside the caller's own parameters."""
    parameters: dict[str, Any] = {}
    if settings.limit is not None and settings.limit_name_in_request:
        parameters[settings.limit_name_in_request] = settings.limit
    if settings.type == "offset":
        parameters[settings.offset_name_in_request] = settings.offset_start_value
    return parameters


def items_of(settings: Pagination, body: Any) -> list[Any]:
    """The page's list; a missing or null list is an empty page; raises ValueError when something else is there."""
    found = dig(body, settings.response_path)
    if found is None:
        return []
    if not isinstance(found, list):
        where = settings.response_path or "the body"
        raise ValueError(f"paginate: `{where}` is not a list.")  # noqa: TRY004 - what a provider sent
    return list(found)  # pyright: ignore[reportUnknownArgumentType,reportUnknownVariableType] - any JSON


def next_page(
    settings: Pagination, *, items: int, body: Any, link_header: str | None, offset: int, cursor: Any = None
) -> NextPage | None:
    """Where to go from the page just read; None at the end.

    A cursor is followed through empty pages; one that repeats itself ends the walk, for it would never end.
    """
    match settings.type:
        case "cursor":
            value = dig(body, settings.cursor_path_in_response or "")
            if value in (None, "", False) or value == cursor:
                return None
            return NextPage(parameters={settings.cursor_name_in_request or "cursor": value}, token=value)
        case "link":
            url = None
            if settings.link_rel_in_response_header:
                url = link_of(link_header, settings.link_rel_in_response_header)
            if not url and settings.link_path_in_response_body:
                url = dig(body, settings.link_path_in_response_body)
            if not isinstance(url, str) or not url or url == cursor:
                return None
            return NextPage(url=url)
        case "offset":
            if items == 0 or (settings.limit is not None and items < settings.limit):
                return None
            step = 1 if settings.offset_calculation_method == "per-page" else items
            return NextPage(parameters={settings.offset_name_in_request: offset + step}, offset=offset + step)


def dig(body: Any, path: str) -> Any:
    """Follow `a.b.0.c` into JSON; a literal key with dots wins; None when it leads nowhere."""
    if not path:
        return body
    here: Any = body
    if isinstance(here, dict) and path in here:
        return here[path]  # pyright: ignore[reportUnknownVariableType] - any JSON
    here = body
    for part in path.split("."):
        if isinstance(here, dict):
            here = here.get(part)  # pyright: ignore[reportUnknownMemberType,reportUnknownVariableType] - any JSON
        elif isinstance(here, list) and part.isdigit() and int(part) < len(here):  # pyright: ignore[reportUnknownArgumentType] - any JSON
            here = here[int(part)]  # pyright: ignore[reportUnknownVariableType] - any JSON
        else:
            return None
    return here  # pyright: ignore[reportUnknownVariableType] - any JSON


_LINK = re.compile(r"<([^>]*)>((?:\s*;\s*[^\s=;,]+\s*(?:=\s*(?:\"(?:[^\"\\]|\\.)*\"|[^\s;,]+))?)*)")
_REL = re.compile(r";\s*rel\s*=\s*(?:\"([^\"]*)\"|([^\s;,]+))", re.IGNORECASE)


def link_of(header: str | None, rel: str) -> str | None:
    """The target of `rel` in a Link header (RFC 8288 section 3)."""
    for target, parameters in _LINK.findall(header or ""):
        found = _REL.search(parameters)
        if found and rel.lower() in (found.group(1) or found.group(2) or "").lower().split():
            return target
    return None
