"""The messages between the Connect UI and the application that shows it."""

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.accessibility import violations
from tests.browser.conftest import Shop
from tests.browser.steps import FRAME, embed, end_session, events, heard
from tests.browser.watching import Watch

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


async def test_the_token_may_come_later_and_escape_closes(page: Page, shop: Shop, embedder: str, watch: Watch) -> None:
    session = shop.session(shop.integrate("keyed", "tp-key", display_name="Acme"))

    frame = await embed(page, embedder, shop.url, None)
    await heard(page, "ready")
    await expect(frame.get_by_role("status")).to_have_text("Loading…")
    await page.evaluate("(token) => window.connectUI.setSessionToken(token)", session["token"])
    await expect(frame.get_by_role("dialog", name="Connect Acme")).to_be_visible()
    await expect(frame.get_by_role("heading")).to_be_focused()
    await watch.shoot(page, "en-1000-light")
    await page.keyboard.press("Escape")
    await expect(page.locator(FRAME)).to_have_count(0)

    assert [event["type"] for event in await events(page)] == ["ready", "close"]


async def test_a_click_beside_it_closes(page: Page, shop: Shop, embedder: str) -> None:
    session = shop.session(shop.integrate("keyed", "tp-key"))

    frame = await embed(page, embedder, shop.url, session["token"])
    await expect(frame.get_by_role("dialog")).to_be_visible()
    await frame.get_by_test_id("ground").click(position={"x": 5, "y": 5})

    await expect(page.locator(FRAME)).to_have_count(0)


async def test_without_a_token_in_ten_seconds_it_says_so(
    page: Page, window: BrowserContext, shop: Shop, embedder: str
) -> None:
    await window.clock.install()

    frame = await embed(page, embedder, shop.url, None)
    await heard(page, "ready")
    await window.clock.run_for(9_000)
    assert [event["type"] for event in await events(page)] == ["ready"]
    await window.clock.run_for(1_001)
    await expect(frame.get_by_test_id("no-token")).to_be_visible()
    assert (await heard(page, "error"))["errorType"] == "missing_connect_session_token"
    inner = page.frames[-1]
    assert await violations(inner) == []
    await frame.get_by_role("button", name="Close").click()

    await expect(page.locator(FRAME)).to_have_count(0)


async def test_a_session_that_was_over_before_is_said_to_be(
    page: Page, shop: Shop, embedder: str, watch: Watch
) -> None:
    watch.expect(r"status of 401 ")
    session = shop.session(shop.integrate("keyed", "tp-key"))
    end_session(shop.url, session)

    frame = await embed(page, embedder, shop.url, session["token"])

    await expect(frame.get_by_test_id("session-over")).to_be_visible()
    assert (await heard(page, "error"))["errorType"] == "unknown_connect_session_token"
