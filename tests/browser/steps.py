"""What tests of the Connect UI do again and again."""

from typing import Any

import httpx
from playwright.async_api import BrowserContext, FrameLocator, Locator, Page

from dragoman.client.types import ConnectSession

FRAME = "#connect-ui"


async def visit(page: Page, embedder: str) -> None:
    """Go to the customer's application."""
    await page.goto(embedder)
    await page.wait_for_function("window.isReady")


async def embed(page: Page, embedder: str, server: str, token: str | None, **more: Any) -> FrameLocator:
    """Open the Connect UI in the customer's application as its own script would; `token` may follow later."""
    await visit(page, embedder)
    await page.evaluate("([server, token, more]) => window.openConnect(server, token, more)", [server, token, more])
    return page.frame_locator(FRAME)


async def events(page: Page) -> list[dict[str, Any]]:
    """What the application was told so far."""
    return await page.evaluate("window.events")


async def heard(page: Page, kind: str) -> dict[str, Any]:
    """Wait for an event of this type; return its payload."""
    await page.wait_for_function("(kind) => window.events.some((event) => event.type === kind)", arg=kind)
    return next(event.get("payload") or {} for event in await events(page) if event["type"] == kind)


async def popup_of(window: BrowserContext, button: Locator) -> Page:
    """Click the button; return the window it opens."""
    async with window.expect_page() as opened:
        await button.click()
    return await opened.value


def end_session(server: str, session: ConnectSession) -> None:
    """Let the session be over, as half an hour would."""
    answer = httpx.delete(f"{server}/connect/session", headers={"Authorization": f"Bearer {session['token']}"})
    assert answer.status_code == 204, answer.text
