"""The watch and axe-core find what they are there for; else every other test here would prove nothing."""

import pytest
from playwright.async_api import BrowserContext, Page

from tests.browser.accessibility import violations
from tests.browser.steps import visit
from tests.browser.watching import TOKEN, Watch

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


@pytest.mark.parametrize(
    ("event", "script", "told"),
    [
        ("request", f"void fetch('/?t={TOKEN}0')", "a token stands in an address"),
        ("websocket", f"void new WebSocket(`ws://${{location.host}}/?{TOKEN}0`)", "a token stands in an address"),
        ("console", "console.error('a complaint')", "a complaint"),
        ("pageerror", "void setTimeout(() => { throw new Error('a mistake'); })", "uncaught: .*a mistake"),
    ],
)
async def test_the_watch_fails_for_a(event: str, script: str, told: str, window: BrowserContext, embedder: str) -> None:
    watch = Watch("the-watch", window)
    await watch.start()
    watch.expect("WebSocket connection")
    page = await window.new_page()
    await visit(page, embedder)

    async with page.expect_event(event):
        await page.evaluate(script)

    with pytest.raises(AssertionError, match=told):
        await watch.end()


async def test_axe_finds_what_nobody_can_read(page: Page, embedder: str) -> None:
    await visit(page, embedder)
    await page.evaluate('document.body.innerHTML = \'<img src="data:,"><p style="color: #eee">pale</p>\'')

    found = " ".join(await violations(page))

    assert "image-alt" in found
    assert "color-contrast" in found
