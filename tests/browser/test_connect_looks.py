"""How it looks and reads: languages, widths, themes, colours, and without a mouse. axe-core finds nothing to mend."""

from dataclasses import dataclass

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.accessibility import violations
from tests.browser.conftest import Shop
from tests.browser.watching import Watch

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


@dataclass(frozen=True)
class Look:
    language: str
    width: int
    theme: str
    title: str
    form: str
    refused: str
    done: str

    def __str__(self) -> str:
        return f"{self.language}-{self.width}-{self.theme}"


LOOKS = [
    Look("en", 1000, "light", "Connect an account", "Connect Acme", "did not accept", "Connected"),
    Look("de", 360, "dark", "Konto verbinden", "Acme verbinden", "nicht angenommen", "Verbunden"),
    Look("ja", 360, "light", "アカウントを接続", "Acme を接続", "受け付けませんでした", "接続しました"),
]


def many(shop: Shop, *more: str) -> list[str]:
    """So many integrations that they are searched."""
    return [shop.integrate(f"open-{n}", "tp-none", display_name=f"Service {n}") for n in range(5)] + list(more)


async def wanting(page: Page) -> list[str]:
    """What is wrong with what is on show, for whoever reads, hears or holds it."""
    wide = await page.evaluate("document.scrollingElement.scrollWidth - innerWidth")
    return await violations(page) + ([f"{wide} pixels stick out"] if wide > 0 else [])


@pytest.mark.parametrize("look", LOOKS, ids=str)
async def test_the_way_from_choice_to_connection_in(look: Look, page: Page, shop: Shop, watch: Watch) -> None:
    watch.expect(r"status of 400 .*/api-auth/api-key/")
    keys = many(shop, shop.integrate("keyed", "tp-key", display_name="Acme"))
    session = shop.session(*keys)

    await page.set_viewport_size({"width": look.width, "height": 760})
    await page.goto(f"{session['connect_link']}&lang={look.language}&theme={look.theme}")
    await expect(page.get_by_role("heading")).to_have_text(look.title)
    assert await page.evaluate("document.documentElement.lang") == look.language
    assert await wanting(page) == []
    await watch.shoot(page, f"picker-{look}")
    await page.get_by_role("button", name="Acme").click()
    await expect(page.get_by_role("heading")).to_have_text(look.form)
    assert await wanting(page) == []
    await watch.shoot(page, f"form-{look}")
    await page.locator('[name="credential.apiKey"]').fill("wrong-key")
    await page.get_by_test_id("connect").click()
    await expect(page.get_by_test_id("problem")).to_contain_text(look.refused)
    assert await wanting(page) == []
    await watch.shoot(page, f"refused-{look}")
    await page.locator('[name="credential.apiKey"]').fill("good-key")
    await page.get_by_test_id("connect").click()
    await expect(page.get_by_role("heading")).to_have_text(look.done)
    assert await wanting(page) == []
    await watch.shoot(page, f"done-{look}")

    assert len(shop.connected("keyed")) == 1


async def test_the_environments_colours_theme_and_watermark_are_shown(page: Page, shop: Shop, watch: Watch) -> None:
    theme = {"light": {"primary": "#ffd400"}, "dark": {"primary": "#00c2a8"}}
    shop.api.environment.set_connect_ui(theme=theme, defaultTheme="dark", showWatermark=True)
    session = shop.session(shop.integrate("keyed", "tp-key"))
    looks = """() => { const style = getComputedStyle(document.querySelector('[data-testid=connect]'));
      return [style.backgroundColor, style.color]; }"""

    await page.goto(session["connect_link"])
    await expect(page.get_by_test_id("connect")).to_have_css("background-color", "rgb(0, 194, 168)")
    await expect(page.get_by_text("Secured by Dragoman")).to_be_visible()
    assert await violations(page) == []
    await watch.shoot(page, "own-colours-en-1000-dark")
    await page.goto(f"{session['connect_link']}&theme=light")
    await expect(page.get_by_test_id("connect")).to_have_css("background-color", "rgb(255, 212, 0)")
    assert (await page.evaluate(looks))[1] == "rgb(16, 20, 24)", "dark reads better on yellow"
    assert await violations(page) == []
    shop.api.environment.set_connect_ui(showWatermark=False)
    await page.goto(session["connect_link"])
    await expect(page.get_by_test_id("connect")).to_be_visible()

    await expect(page.get_by_text("Secured by Dragoman")).to_have_count(0)


async def test_an_integration_is_searched_and_connected_by_keyboard_alone(page: Page, shop: Shop) -> None:
    keys = many(shop, shop.integrate("keyed", "tp-key", display_name="Acme"))
    session = shop.session(*keys)

    await page.goto(session["connect_link"])
    await expect(page.get_by_role("heading")).to_be_focused()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.type("acm")
    await expect(page.get_by_test_id("integrations").get_by_role("button")).to_have_count(1)
    await expect(page.get_by_text("1 result")).to_be_attached()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading")).to_be_focused()
    await expect(page.get_by_role("heading")).to_have_text("Connect Acme")
    key = page.get_by_role("textbox", name="API key")
    for _ in range(4):  # past the guide
        await page.keyboard.press("Tab")
        if await key.evaluate("(one) => one === document.activeElement"):
            break
    await page.keyboard.type("good-key")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading")).to_have_text("Connected")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")

    await expect(page.get_by_test_id("finished")).to_be_visible()
    assert len(shop.connected("keyed")) == 1


async def test_the_systems_dark_theme_is_followed(page: Page, window: BrowserContext, shop: Shop) -> None:
    session = shop.session(shop.integrate("keyed", "tp-key"))
    shop.api.environment.set_connect_ui(defaultTheme="system")
    scheme = page.locator(".card")

    await page.emulate_media(color_scheme="dark")
    await page.goto(session["connect_link"])
    await expect(scheme).to_have_css("color-scheme", "dark")
    await page.emulate_media(color_scheme="light")

    await expect(scheme).to_have_css("color-scheme", "light")
