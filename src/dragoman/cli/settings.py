"""Where an environment's server and key come from: options, DRAGOMAN_* variables, `.env`, a data folder."""

import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import click


@dataclass(frozen=True, slots=True)
class Server:
    """One environment of one server. `api_key` stays out of `repr`."""

    url: str
    api_key: str
    named: bool = False
    """Whether the key was given for this environment by name, not as the one key for everything."""

    def __repr__(self) -> str:
        return f"Server({self.url})"


def find_server(environment: str, *, project: Path, url: str | None) -> Server:
    """Find the server and the key of `environment`; end the command saying where it looked.

    In this order: DRAGOMAN_API_KEY_<ENVIRONMENT>, DRAGOMAN_API_KEY, the same names in the project's `.env`, the file
    `credentials.json` of a local data folder: DRAGOMAN_DATA_DIR, or `.dragoman` in the project, here or above.
    """
    from dragoman.client import base_url  # here, so that `dragoman --help` loads no HTTP library

    variables = _read_env(project / ".env") | dict(os.environ)
    local = _local_credentials(project, variables.get("DRAGOMAN_DATA_DIR"))
    chosen_url = url or variables.get("DRAGOMAN_URL") or str(local.get("url") or "")
    specific = "DRAGOMAN_API_KEY_" + environment.upper().replace("-", "_")
    key = variables.get(specific) or variables.get("DRAGOMAN_API_KEY")
    if not key:
        environments: dict[str, dict[str, Any]] = local.get("environments") or {}
        key = environments.get(environment, {}).get("api_key")
    if not key:
        raise click.ClickException(
            f"No API key for the environment `{environment}`: set {specific} (or DRAGOMAN_API_KEY), in the shell or in "
            f"{project / '.env'}, or run in or below the folder where `.dragoman/credentials.json` is."
        )
    try:
        uuid.UUID(key)
    except ValueError:
        raise click.ClickException(f"The API key for `{environment}` is malformed: expected a uuid.") from None
    try:
        return Server(base_url(chosen_url or None), key, named=key != variables.get("DRAGOMAN_API_KEY"))
    except ValueError as error:
        raise click.ClickException(f"{error}.") from None


def _read_env(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    if path.is_file():
        for line in path.read_text("utf-8").splitlines():
            name, equals, value = line.strip().partition("=")
            if equals and not name.startswith("#"):
                found[name.removeprefix("export ").strip()] = value.strip().strip("'\"")
    return found


def _local_credentials(project: Path, data_dir: str | None) -> dict[str, Any]:
    if data_dir:
        return _credentials_in(Path(data_dir))
    for start in (project.resolve(), Path.cwd()):
        for folder in (start, *start.parents):
            found = _credentials_in(folder / ".dragoman")
            if found:
                return found
    return {}


def _credentials_in(folder: Path) -> dict[str, Any]:
    """What is there, if it is this user's own: another's file above us must not say where our code goes."""
    path = folder / "credentials.json"
    try:
        if hasattr(os, "getuid") and path.stat().st_uid != os.getuid():
            return {}
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}
