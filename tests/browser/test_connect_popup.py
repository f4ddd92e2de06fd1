"""The provider's own window: blocked, closed early, without a session, and for an account that is connected already."""

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.accessibility import violations
from tests.browser.conftest import Shop
from tests.browser.steps import embed, end_session, heard, popup_of
from tests.browser.watching import Watch

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


async def test_a_blocked_window_is_said_and_opened_by_another_click(
    page: Page, window: BrowserContext, shop: Shop, embedder: str, watch: Watch
) -> None:
    block = "if (self !== top) { const open = window.open; window.open = () => { window.open = open; return null; }; }"
    await window.add_init_script(block)
    session = shop.session(shop.integrate("consent", "tp-oauth"))

    frame = await embed(page, embedder, shop.url, session["token"], themeOverride="dark", lang="en")
    await frame.get_by_test_id("connect").click()
    await expect(frame.get_by_test_id("blocked")).to_be_visible()
    assert await violations(page.frames[-1]) == []
    assert (await heard(page, "error"))["errorType"] == "blocked_by_browser"
    await watch.shoot(page, "blocked-en-1000-dark")
    popup = await popup_of(window, frame.get_by_role("button", name="Open the window"))
    await popup.get_by_role("button", name="Allow").click()

    await expect(frame.get_by_test_id("done")).to_be_visible()
    assert len(shop.connected("consent")) == 1


async def test_a_window_closed_early_is_said_and_opened_again(
    page: Page, window: BrowserContext, shop: Shop, embedder: str, watch: Watch
) -> None:
    await window.clock.install()
    session = shop.session(shop.integrate("consent", "tp-oauth"))

    frame = await embed(page, embedder, shop.url, session["token"])
    popup = await popup_of(window, frame.get_by_test_id("connect"))
    await popup.wait_for_url(f"{shop.third_party.url}/authorize**")
    await expect(frame.get_by_test_id("waiting")).to_be_visible()
    assert await violations(page.frames[-1]) == []
    await watch.shoot(page, "waiting-en-1000-light")
    await popup.close()
    await window.clock.run_for(3000)
    await expect(frame.get_by_test_id("closed")).to_be_visible()
    assert (await heard(page, "error"))["errorType"] == "window_closed"
    assert await violations(page.frames[-1]) == []
    await watch.shoot(page, "closed-en-1000-light")
    popup = await popup_of(window, frame.get_by_role("button", name="Try again"))
    await popup.get_by_role("button", name="Allow").click()

    await expect(frame.get_by_test_id("done")).to_be_visible()
    assert len(shop.connected("consent")) == 1


async def test_a_session_that_ended_sends_nobody_to_the_provider(
    page: Page, window: BrowserContext, shop: Shop, embedder: str, watch: Watch
) -> None:
    watch.expect(r"status of 401 .*/(oauth/connect|connect/telemetry)")
    session = shop.session(shop.integrate("consent", "tp-oauth"))

    frame = await embed(page, embedder, shop.url, session["token"])
    await expect(frame.get_by_test_id("connect")).to_be_visible()
    end_session(shop.url, session)
    popup = await popup_of(window, frame.get_by_test_id("connect"))

    await expect(frame.get_by_test_id("session-over")).to_be_visible()
    assert (await heard(page, "error"))["errorType"] == "unknown_connect_session_token"
    assert popup.is_closed()
    assert not [a for a in watch.addresses if a.startswith(shop.third_party.url)]


async def test_an_account_is_authorized_again_and_stays_the_same_connection(
    page: Page, window: BrowserContext, shop: Shop, embedder: str
) -> None:
    shop.integrate("consent", "tp-oauth")
    shop.api.connections.create(
        "consent",
        connection_id="c1",
        credentials={"type": "OAUTH2", "access_token": "old-token"},
        connection_config={"url": shop.third_party.url},
    )
    session = shop.api.connect.reconnect_session("c1", "consent")

    frame = await embed(page, embedder, shop.url, session["token"])
    popup = await popup_of(window, frame.get_by_test_id("connect"))
    await popup.get_by_role("button", name="Allow").click()

    assert (await heard(page, "connect"))["connectionId"] == "c1"
    assert len(shop.connected("consent")) == 1
    assert shop.api.connections.get("c1", "consent")["credentials"]["access_token"] != "old-token"
