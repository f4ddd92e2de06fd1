"""What an environment decides about its Connect UI: colours, theme, watermark, who may embed it. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal
from urllib.parse import urlsplit

from dragoman_server.kit.errors import Issue

SETTING = "connect_ui"
"""Where it stands among an environment's settings."""
Theme = Literal["light", "dark", "system"]
MOST_ORIGINS = 50
LONGEST_ORIGIN = 255
_COLOUR = re.compile(r"#[0-9a-f]{6}")
_SHORT_COLOUR = re.compile(r"#[0-9a-f]{3}")
_HOST = re.compile(r"\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?")
_USUAL_PORT = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class ConnectUi:
    """Colours are `#rrggbb`. Without `allowed_embedding_origins` any page that has a session's token may embed it."""

    light_primary: str = "#2456c7"
    dark_primary: str = "#7ea2f5"
    default_theme: Theme = "system"
    show_watermark: bool = False
    allowed_embedding_origins: Sequence[str] = ()

    @classmethod
    def read(cls, settings: Mapping[str, Any]) -> "ConnectUi":
        """Return what is stored among an environment's settings."""
        stored: Mapping[str, Any] = settings.get(SETTING) or {}
        known = {name: stored[name] for name in (f.name for f in fields(cls)) if name in stored}
        return cls(**known)

    def stored(self) -> dict[str, Any]:
        return {SETTING: {"v": 1, **asdict(self), "allowed_embedding_origins": list(self.allowed_embedding_origins)}}


def colour(value: str) -> str | None:
    """Return `#RGB` or `#RRGGBB` as `#rrggbb`; None for anything else."""
    lowered = value.lower()
    if _SHORT_COLOUR.fullmatch(lowered):
        return "#" + "".join(char * 2 for char in lowered[1:])
    return lowered if _COLOUR.fullmatch(lowered) else None


def origin(value: str) -> str | None:
    """Return an http(s) origin as browsers write it; None for what is more or less than one."""
    try:
        parts = urlsplit(value.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _USUAL_PORT or host is None or len(value) > LONGEST_ORIGIN:
        return None
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        return None
    written = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(written):
        return None
    return f"{parts.scheme}://{written}" + (f":{port}" if port and port != _USUAL_PORT[parts.scheme] else "")


def normalized(wanted: ConnectUi) -> tuple[ConnectUi, list[Issue]]:
    """Return it as it is stored, and what is wrong with it."""
    issues: list[Issue] = []
    colours: list[str] = []
    for value, name in ((wanted.light_primary, "light"), (wanted.dark_primary, "dark")):
        found = colour(value)
        if found is None:
            issues.append(Issue("invalid_format", "Expected a colour such as #2456c7.", ("theme", name, "primary")))
        colours.append(found or "")
    origins: list[str] = []
    for number, value in enumerate(wanted.allowed_embedding_origins):
        found = origin(value)
        if found is None:
            path = ("allowed_embedding_origins", number)
            issues.append(Issue("invalid_format", "Expected an origin such as https://app.example.com.", path))
        elif found not in origins:
            origins.append(found)
    if len(wanted.allowed_embedding_origins) > MOST_ORIGINS:
        issues.append(Issue("too_big", f"At most {MOST_ORIGINS} origins.", ("allowed_embedding_origins",)))
    made = ConnectUi(colours[0], colours[1], wanted.default_theme, wanted.show_watermark, tuple(origins))
    return made, issues
