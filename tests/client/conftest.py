"""An environment of the client tests' own on the shared platform, with functions deployed and one account connected."""

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dragoman import Client
from dragoman.bundling import Bundle, bundle_project
from tests.client.faces import Face, face
from tests.support.platform import RunningPlatform, poll_until
from tests.support.third_party import ThirdParty

KEY = "client-key"
PROJECT = Path(__file__).parent / "project"


@dataclass(frozen=True)
class World:
    platform: RunningPlatform
    third_party: ThirdParty
    environment_id: int
    api_key: str
    bundle: Bundle
    connection_id: str

    @property
    def where(self) -> dict[str, str]:
        return {"connection_id": self.connection_id, "integration_id": KEY}

    def connect(self, api: Client, **more: object) -> str:
        """Another connection, with its first sync done."""
        made = api.connections.create(
            KEY,
            {"type": "API_KEY", "apiKey": "good"},
            connection_id=f"c-{uuid.uuid4().hex[:8]}",
            connection_config={"url": self.third_party.url},
            **more,  # type: ignore[arg-type]  # keywords of the method
        )
        return made["connection_id"]

    def client(self) -> Client:
        return Client(url=self.platform.url, api_key=self.api_key)


@pytest.fixture(scope="session")
def world(platform: RunningPlatform, third_party: ThirdParty) -> Iterator[World]:
    with platform.account() as account:
        environment = account.account.create_environment(f"client-{uuid.uuid4().hex[:8]}")
        secret = account.account.create_api_key(environment["id"], "tests")["secret"]
    bundle = bundle_project(PROJECT)
    with Client(url=platform.url, api_key=secret) as api:
        import json

        api.integrations.create(KEY, "tp-key")
        api.functions.deploy(bundle.archive, json.dumps(bundle.manifest))
        made = World(platform, third_party, environment["id"], secret, bundle, "")
        made = World(platform, third_party, environment["id"], secret, bundle, made.connect(api))
        poll_until(lambda: synced(api, made.connection_id), "the first sync")
        yield made


def synced(api: Client, connection_id: str) -> bool:
    (status,) = api.syncs.status(KEY, ["things"], connection_id=connection_id)
    return status["status"] == "SUCCESS"


@pytest.fixture(params=["sync", "async"])
async def api(request: pytest.FixtureRequest, world: World) -> AsyncIterator[Face]:
    """Each client in turn."""
    async with face(request.param, world.platform.url, world.api_key) as made:
        yield made


@pytest.fixture(params=["sync", "async"])
async def account(request: pytest.FixtureRequest, world: World) -> AsyncIterator[Face]:
    """Each client in turn, with an account key."""
    async with face(request.param, world.platform.url, world.platform.credentials["account_key"]) as made:
        yield made
