"""Where an environment's server and key come from: options, DRAGOMAN_* variables, `.env`, a data folder."""

import json
import os
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

DEFAULT_URL = "http://127.0.0.1:3003"


@dataclass(frozen=True, slots=True)
class Server:
    """One environment of one server. `api_key` stays out of `repr`."""

    url: str
    api_key: str

    def __repr__(self) -> str:
        return f"Server({self.url})"


def find_server(environment: str, *, project: Path, url: str | None) -> Server:
    """Find the server and the key of `environment`; end the command saying where it looked.

    In this order: DRAGOMAN_API_KEY_<ENVIRONMENT>, DRAGOMAN_API_KEY, the same names in the project's `.env`, the file
    `credentials.json` of a local data folder (`.dragoman` in the project or here, or DRAGOMAN_DATA_DIR).
    """
    variables = _read_env(project / ".env") | dict(os.environ)
    local = _local_credentials(project, variables.get("DRAGOMAN_DATA_DIR"))
    chosen_url = url or variables.get("DRAGOMAN_URL") or str(local.get("url") or DEFAULT_URL)
    specific = "DRAGOMAN_API_KEY_" + environment.upper().replace("-", "_")
    key = variables.get(specific) or variables.get("DRAGOMAN_API_KEY")
    if not key:
        environments: dict[str, dict[str, Any]] = local.get("environments") or {}
        key = environments.get(environment, {}).get("api_key")
    if not key:
        raise click.ClickException(
            f"No API key for the environment `{environment}`: set {specific} (or DRAGOMAN_API_KEY), in the shell or in "
            f"{project / '.env'}, or run where `.dragoman/credentials.json` is."
        )
    try:
        uuid.UUID(key)
    except ValueError:
        raise click.ClickException(f"The API key for `{environment}` is malformed: expected a uuid.") from None
    return Server(chosen_url.rstrip("/"), key)


def _read_env(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    if path.is_file():
        for line in path.read_text("utf-8").splitlines():
            name, equals, value = line.strip().partition("=")
            if equals and not name.startswith("#"):
                found[name.removeprefix("export ").strip()] = value.strip().strip("'\"")
    return found


def _local_credentials(project: Path, data_dir: str | None) -> dict[str, Any]:
    places = [Path(data_dir)] if data_dir else [project / ".dragoman", Path(".dragoman")]
    for place in places:
        try:
            return json.loads((place / "credentials.json").read_text("utf-8"))
        except (OSError, ValueError):
            continue
    return {}
