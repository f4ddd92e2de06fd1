"""A person connects an account: by a link, inside a customer's application, and in a provider's own window."""

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.conftest import Shop
from tests.browser.steps import FRAME, embed, events, popup_of, visit
from tests.browser.watching import Watch
from tests.support.platform import RunningPlatform

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


async def test_a_link_connects_an_account_by_its_api_key(page: Page, shop: Shop, watch: Watch) -> None:
    session = shop.session(shop.integrate("keyed", "tp-key"))

    await page.goto(session["connect_link"])
    await page.get_by_role("textbox", name="API key").fill("good-key")
    await watch.shoot(page, "form")
    await page.get_by_role("button", name="Connect", exact=True).click()
    await expect(page.get_by_role("heading")).to_have_text("Connected")

    assert session["token"] not in page.url
    [connection] = shop.connected("keyed")
    assert connection["end_user"]["id"] == "customer-7"


async def test_an_application_shows_it_in_a_frame_and_hears_of_the_connection(
    page: Page, shop: Shop, embedder: str
) -> None:
    session = shop.session(shop.integrate("keyed", "tp-key"))

    frame = await embed(page, embedder, shop.url, session["token"])
    await frame.get_by_role("textbox", name="API key").fill("good-key")
    await frame.get_by_role("button", name="Connect", exact=True).click()
    await page.wait_for_function("window.events.some((event) => event.type === 'connect')")
    await frame.get_by_role("button", name="Finish").click()
    await expect(page.locator(FRAME)).to_have_count(0)

    [connection] = shop.connected("keyed")
    heard = await events(page)
    assert [event["type"] for event in heard] == ["ready", "connect", "close"]
    payload = {"providerConfigKey": "keyed", "connectionId": connection["connection_id"]}
    assert payload.items() <= heard[1]["payload"].items()


async def test_consent_in_the_providers_own_window_connects_an_account(
    page: Page, window: BrowserContext, shop: Shop, embedder: str, watch: Watch, platform: RunningPlatform
) -> None:
    session = shop.session(shop.integrate("consent", "tp-oauth"))

    frame = await embed(page, embedder, shop.url, session["token"])
    async with window.expect_page() as opened:
        await frame.get_by_role("button", name="Continue").click()
    popup = await opened.value
    await popup.wait_for_url(f"{shop.third_party.url}/authorize**")
    await watch.shoot(popup, "consent")
    async with popup.expect_event("close"):
        await popup.get_by_role("button", name="Allow").click()
    await page.wait_for_function("window.events.some((event) => event.type === 'connect')")

    [connection] = shop.connected("consent")
    [told] = [event["payload"] for event in await events(page) if event["type"] == "connect"]
    assert told["connectionId"] == connection["connection_id"]
    assert session["token"] not in platform.output()


async def test_an_application_that_may_not_embed_it_sees_nothing_of_the_session(
    page: Page, shop: Shop, embedder: str
) -> None:
    session = shop.session(shop.integrate("keyed", "tp-key", display_name="Private name"))
    shop.api.environment.set_connect_ui(allowed_embedding_origins=["https://app.example.com"])

    frame = await embed(page, embedder, shop.url, session["token"])
    await expect(frame.get_by_test_id("not-embeddable")).to_be_visible()
    await expect(frame.get_by_text("Private name")).to_have_count(0)

    shop.api.environment.set_connect_ui(allowed_embedding_origins=[embedder])
    frame = await embed(page, embedder, shop.url, session["token"])
    await expect(frame.get_by_role("textbox", name="API key")).to_be_visible()


async def test_an_application_with_a_form_of_its_own_connects_from_its_own_origin(
    page: Page, window: BrowserContext, shop: Shop, embedder: str, watch: Watch
) -> None:
    watch.token_may_travel = True
    session = shop.session(shop.integrate("keyed", "tp-key"), shop.integrate("consent", "tp-oauth"))
    given = [shop.url, session["token"]]

    await visit(page, embedder)
    typed = await page.evaluate(
        "([server, token]) => window.sdk(server, token).auth('keyed', { credentials: { apiKey: 'good' } })", given
    )
    async with window.expect_page() as opened:
        await page.evaluate("([s, t]) => { window.consented = window.sdk(s, t).auth('consent'); }", given)
    await (await opened.value).get_by_role("button", name="Allow").click()
    consented = await page.evaluate("window.consented")

    assert [c["connection_id"] for c in shop.connected("keyed")] == [typed["connectionId"]]
    assert [c["connection_id"] for c in shop.connected("consent")] == [consented["connectionId"]]


async def test_a_consent_that_is_refused_is_explained_and_may_be_asked_again(
    page: Page, window: BrowserContext, shop: Shop, watch: Watch
) -> None:
    watch.expect(r"status of 400 .*/oauth/callback")
    session = shop.session(shop.integrate("consent", "tp-oauth"))

    await page.goto(session["connect_link"])
    popup = await popup_of(window, page.get_by_role("button", name="Continue"))
    await popup.get_by_role("button", name="Deny").click()
    await expect(page.get_by_test_id("problem")).to_be_visible()
    await watch.shoot(page, "refused")
    popup = await popup_of(window, page.get_by_role("button", name="Continue"))
    await popup.get_by_role("button", name="Allow").click()

    await expect(page.get_by_role("heading")).to_have_text("Connected")
    assert len(shop.connected("consent")) == 1
