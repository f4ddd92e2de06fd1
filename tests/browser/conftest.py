"""Chromium once per worker; a window, watched, per test; an environment and an embedding application to try it with."""

import os
import re
import shutil
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from dragoman import Client
from dragoman.client.types import ConnectSession
from tests.browser.embedder import embedding
from tests.browser.watching import Watch
from tests.support.platform import RunningPlatform
from tests.support.third_party import ThirdParty

PATIENCE_MS = 15_000
LOOPBACK_ONLY = "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost, EXCLUDE *.localhost"
FLAGS = [
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    f"--host-resolver-rules={LOOPBACK_ONLY}",
]
expect.set_options(timeout=PATIENCE_MS)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    assert found is not None, "Chromium is missing: run `bash scripts/system.sh browser`, which says what to install"
    node = shutil.which("node")
    if node is not None:  # Playwright's own wants libraries that not every system has
        os.environ.setdefault("PLAYWRIGHT_NODEJS_PATH", node)
    async with async_playwright() as playwright:
        # Only pages of ours on loopback are shown: without its sandbox it runs as root and in containers, too.
        made = await playwright.chromium.launch(executable_path=found, args=FLAGS, chromium_sandbox=False)
        try:
            yield made
        finally:
            await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def window(chromium: Browser) -> AsyncIterator[BrowserContext]:
    """A fresh profile: cookies and storage of this test only."""
    made = await chromium.new_context(viewport={"width": 1000, "height": 760}, locale="en-GB")
    made.set_default_timeout(PATIENCE_MS)
    try:
        yield made
    finally:
        await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def watch(window: BrowserContext, request: pytest.FixtureRequest) -> AsyncIterator[Watch]:
    """Fails the test for what the browser complains about; `watch.expect` names what is meant to be."""
    item = cast("pytest.Item", request.node)  # pyright: ignore[reportUnknownMemberType]  # pytest leaves it untyped
    made = Watch(re.sub(r"[^A-Za-z0-9_-]+", "-", item.name.partition("@")[0]).strip("-"), window)
    await made.start()
    yield made
    await made.end()


@pytest_asyncio.fixture(loop_scope="session")
async def page(window: BrowserContext, watch: Watch) -> Page:
    return await window.new_page()


@dataclass
class Shop:
    """An environment of a test's own on the shared platform, with integrations of the third party."""

    url: str
    third_party: ThirdParty
    api: Client
    defaults: dict[str, Any] = field(default_factory=dict[str, Any])

    def integrate(self, unique_key: str, provider: str, **more: Any) -> str:
        """Set a provider up so that a session need not ask where the third party listens."""
        app = {"type": "OAUTH2", "client_id": "id", "client_secret": "secret"}
        credentials = app if provider in {"tp-oauth", "tp-device"} else None
        self.api.integrations.create(unique_key, provider, credentials=credentials, **more)
        self.defaults[unique_key] = {"connection_config": {"url": self.third_party.url}}
        return unique_key

    def session(self, *integrations: str, **more: Any) -> ConnectSession:
        """A session for these integrations; `more` are further options of it."""
        options: dict[str, Any] = {
            "end_user": {"id": "customer-7"},
            "allowed_integrations": list(integrations),
            "integrations_config_defaults": self.defaults,
        }
        return self.api.connect.create_session(**(options | more))

    def connected(self, integration: str) -> list[dict[str, Any]]:
        return [dict(c) for c in self.api.connections.list(integration_id=integration)]


@pytest.fixture
def shop(platform: RunningPlatform, third_party: ThirdParty) -> Iterator[Shop]:
    with platform.account() as account:
        environment = account.account.create_environment(f"browser-{uuid.uuid4().hex[:8]}")
        key = account.account.create_api_key(environment["id"], "browser")["secret"]
    with Client(url=platform.url, api_key=key) as api:
        yield Shop(platform.url, third_party, api)


@pytest.fixture(scope="session")
def embedder() -> Iterator[str]:
    """Where a customer's application with the published browser client is."""
    with embedding() as url:
        yield url
