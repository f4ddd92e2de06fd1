"""A code for another device (RFC 8628): shown, used there, declined there, not used in time."""

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.accessibility import violations
from tests.browser.conftest import Shop
from tests.browser.steps import embed, heard, popup_of
from tests.browser.watching import Watch

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


async def test_a_code_used_on_another_device_connects(
    page: Page, window: BrowserContext, shop: Shop, embedder: str, watch: Watch
) -> None:
    await window.grant_permissions(["clipboard-read", "clipboard-write"])
    session = shop.session(shop.integrate("tv", "tp-device", display_name="Acme TV"))

    frame = await embed(page, embedder, shop.url, session["token"])
    await frame.get_by_test_id("connect").click()
    screen = frame.get_by_test_id("device-code")
    await expect(screen).to_contain_text("CODE-")
    assert await violations(page.frames[-1]) == []
    await watch.shoot(page, "code-en-1000-light")
    await frame.get_by_role("button", name="Copy the code").click()
    await expect(frame.get_by_role("button", name="Copied")).to_be_visible()
    copied = await page.evaluate("navigator.clipboard.readText()")
    other = await popup_of(window, frame.get_by_role("link", name="Open Acme TV"))
    assert other.url.endswith(f"/activate?user_code={copied}")
    await other.get_by_role("button", name="Allow").click()

    told = await heard(page, "connect")
    assert [c["connection_id"] for c in shop.connected("tv")] == [told["connectionId"]]


@pytest.mark.parametrize(
    ("life", "says", "code"), [(600, "did not agree", "access_denied"), (1, "in time", "expired_token")]
)
async def test_a_code_that_is_declined_or_forgotten_is_explained(
    life: int,
    says: str,
    code: str,
    page: Page,
    window: BrowserContext,
    shop: Shop,
    embedder: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = shop.session(shop.integrate("tv", "tp-device"))
    monkeypatch.setattr(shop.third_party, "device_life", life)

    frame = await embed(page, embedder, shop.url, session["token"])
    await frame.get_by_test_id("connect").click()
    if life > 1:
        other = await popup_of(window, frame.get_by_test_id("device-code").get_by_role("link"))
        await other.get_by_role("button", name="Deny").click()
    await expect(frame.get_by_test_id("problem")).to_contain_text(says)

    assert (await heard(page, "error"))["errorType"] == code
    assert shop.connected("tv") == []
