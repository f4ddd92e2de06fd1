"""The button of the examples, pressed in a real browser: `connect.js` and the Connect UI in its frame."""

import re
from collections.abc import Iterator

import pytest
from playwright.async_api import BrowserContext, Page, expect

from tests.browser.watching import Watch
from tests.examples.conftest import simulated
from tests.examples.running import Example, running
from tests.support.platform import RunningPlatform

__all__ = ["simulated"]
ENVIRONMENTS = {"fastapi_app": "dev", "django_app": "prod"}
pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


@pytest.fixture(scope="module", params=ENVIRONMENTS)
def example(
    request: pytest.FixtureRequest, simulated: RunningPlatform, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Example]:
    name: str = request.param
    with running(name, simulated, ENVIRONMENTS[name], tmp_path_factory.mktemp(name)) as made:
        yield made


async def sign_in(page: Page, watch: Watch, example: Example) -> None:
    watch.expect("favicon")  # an example has none
    await page.goto(example.url)
    await page.get_by_role("button", name="Sign in as Ada Lovelace").click()


async def test_a_key_typed_into_the_frame_connects_and_the_webhook_updates_the_list(
    page: Page, watch: Watch, example: Example
) -> None:
    await sign_in(page, watch, example)

    await page.get_by_role("button", name="Connect OpenAI").click()
    frame = page.frame_locator("#connect-ui")
    await frame.get_by_role("textbox", name="API key").fill("a fine key")
    await frame.get_by_role("button", name="Connect", exact=True).click()
    await frame.get_by_role("button", name="Finish").click()

    await expect(page.locator("#connect-ui")).to_have_count(0)
    await expect(page.locator("#connections li", has_text="openai")).to_have_count(1)
    await page.locator("#connections li", has_text="openai").get_by_role("button", name="Call").click()
    await expect(page.locator("#answer")).to_contain_text('"status": 200')
    assert "nango_connect_session_" not in page.url


async def test_consent_in_a_popup_of_the_frame_connects(
    page: Page, window: BrowserContext, watch: Watch, example: Example
) -> None:
    await sign_in(page, watch, example)

    await page.get_by_role("button", name="Connect GitHub").click()
    frame = page.frame_locator("#connect-ui")
    async with window.expect_page() as opened:
        await frame.get_by_role("button", name=re.compile("Continue|Connect")).first.click()
    popup = await opened.value
    await popup.locator("a.yes").click()
    await frame.get_by_role("button", name="Finish").click()

    await expect(page.locator("#connections li", has_text="github")).to_have_count(1)
