"""What both examples do at their start: find Dragoman, offer two integrations, say where webhooks go."""

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dragoman import ApiError, Client

USERS = {"ada": "Ada Lovelace", "grace": "Grace Hopper"}
"""Who may sign in, without a password: this is an example."""

INTEGRATIONS = {"github": "Connect GitHub", "openai": "Connect OpenAI"}
"""One that asks for consent and one that asks for a key."""

CALLS = {"github": "/user/repos", "openai": "/v1/models"}
"""What the button `Call` asks of each, through the proxy."""


@dataclass(frozen=True, slots=True, repr=False)
class Platform:
    """An environment of a Dragoman."""

    url: str
    api_key: str
    webhook_signing_key: str


def find_platform(data_dir: Path) -> Platform:
    """By DRAGOMAN_URL, DRAGOMAN_API_KEY and DRAGOMAN_WEBHOOK_SIGNING_KEY, else by a local data folder."""
    names = ("DRAGOMAN_URL", "DRAGOMAN_API_KEY", "DRAGOMAN_WEBHOOK_SIGNING_KEY")
    given = [os.environ.get(name) for name in names]
    if all(given):
        return Platform(*[str(value) for value in given])
    try:
        found: dict[str, Any] = json.loads((data_dir / "credentials.json").read_text("utf-8"))
    except OSError:
        raise SystemExit(
            f"{data_dir} holds no platform: start `dragoman up --simulate --data-dir {data_dir}` first, or set {names}"
        ) from None
    keys = found["environments"]["dev"]
    return Platform(found["url"], keys["api_key"], keys["webhook_signing_key"])


def set_up(platform: Platform, own_url: str) -> None:
    """Make the integrations that are missing, and have webhooks sent to this application."""
    client_of_oauth = {"type": "OAUTH2", "client_id": "example", "client_secret": "example", "scopes": "repo"}
    with Client(url=platform.url, api_key=platform.api_key) as client:
        there = {one["unique_key"] for one in client.integrations.list()}
        for key in INTEGRATIONS.keys() - there:
            client.integrations.create(key, key, credentials=client_of_oauth if key == "github" else None)
        try:
            client.environment.set_webhooks(primary_url=f"{own_url}/dragoman/webhook")
        except ApiError as error:
            raise SystemExit(f"Dragoman cannot send webhooks to {own_url}: {error}") from None


def arguments(name: str, port: int) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"python -m examples.{name}")
    parser.add_argument("--port", type=int, default=port, help="0: any free one")
    parser.add_argument("--data-dir", type=Path, default=Path(".simulated"), help="of `dragoman up --simulate`")
    return parser.parse_args()
