"""Consents other than a plain code, at the vendors `dragoman up --simulate` plays."""

import re
import uuid
from urllib.parse import quote

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.accessibility import violations
from tests.browser.steps import embed, heard, popup_of
from tests.browser.watching import Watch
from tests.connect.vendors import APP_PEM
from tests.examples.conftest import simulated
from tests.support.platform import RunningPlatform

__all__ = ["simulated"]
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]
APP = {"client_id": "id", "client_secret": "secret"}
GITHUB = {"type": "CUSTOM", **APP, "app_id": "4711", "private_key": APP_PEM}


def app_link(platform: RunningPlatform, provider: str) -> str:
    """Where the app is installed: a page of the simulator."""
    origin = re.search(r"every provider is played at (http://\S+);", platform.output())
    assert origin is not None
    back = quote(f"{platform.url}/oauth/callback", safe="")
    return f"{origin[1]}/authorize/{provider}/installations/new?back={back}&app_id=4711"


@pytest.mark.parametrize(
    ("provider", "app", "typed", "choice"),
    [
        ("trello", {"type": "OAUTH1", **APP}, {}, "Allow"),
        ("mcp-generic", None, {"config.mcp_server_url": "https://mcp.example.com/mcp"}, "Allow"),
        ("github-app-oauth", GITHUB, {}, "Allow"),
        ("github-app-oauth", GITHUB, {}, "Ask an owner"),
    ],
    ids=["oauth1", "a discovered MCP server", "an app that is installed", "an app that awaits its owner"],
)
async def test_consent_at(
    provider: str,
    app: dict[str, str] | None,
    typed: dict[str, str],
    choice: str,
    page: Page,
    window: BrowserContext,
    simulated: RunningPlatform,
    embedder: str,
    watch: Watch,
) -> None:
    pending = choice == "Ask an owner"
    if app == GITHUB:
        app = GITHUB | {"app_link": app_link(simulated, provider)}
    key = f"{provider}-{uuid.uuid4().hex[:8]}"
    with simulated.client() as api:
        api.integrations.create(key, provider, credentials=app)
        session = api.connect.create_session(end_user={"id": "customer-7"}, allowed_integrations=[key])

        frame = await embed(page, embedder, simulated.url, session["token"])
        for name, value in typed.items():
            await frame.locator(f'[name="{name}"]').fill(value)
        popup = await popup_of(window, frame.get_by_test_id("connect"))
        await popup.get_by_role("link", name=choice).click()
        told = await heard(page, "connect")
        title = "Almost done" if pending else "Connected"
        await expect(frame.get_by_role("heading")).to_have_text(title)
        assert await violations(page.frames[-1]) == []
        await watch.shoot(page, "done-en-1000-light")

        made = [c["connection_id"] for c in api.connections.list(integration_id=key)]
    assert made == [told["connectionId"]]
    assert told.get("isPending", False) is pending
