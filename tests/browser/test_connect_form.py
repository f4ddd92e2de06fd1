"""What a person types in: a mistake is explained, a secret stands in no address, a reconnect shows what there is."""

import re
from urllib.parse import quote

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Shop
from tests.browser.steps import embed, end_session, events, heard
from tests.browser.watching import Watch

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("browser")]


async def test_a_wrong_key_is_explained_and_the_right_one_connects(
    page: Page, shop: Shop, embedder: str, watch: Watch
) -> None:
    watch.expect(r"status of 400 .*/api-auth/api-key/")
    session = shop.session(shop.integrate("keyed", "tp-key", display_name="Acme"))

    frame = await embed(page, embedder, shop.url, session["token"])
    key = frame.get_by_role("textbox", name="API key")
    await key.fill("wrong-key")
    await key.press("Enter")
    await expect(frame.get_by_test_id("problem")).to_contain_text("Acme did not accept these details")
    await expect(key).to_have_value("")
    assert (await heard(page, "error"))["errorType"] == "connection_test_failed"
    assert shop.connected("keyed") == []
    await key.fill("good-key")
    await key.press("Enter")
    await expect(frame.get_by_test_id("done")).to_be_visible()

    assert [event["type"] for event in await events(page)] == ["ready", "error", "connect"]
    assert len(shop.connected("keyed")) == 1


async def test_what_is_typed_stands_in_no_address_and_a_finished_link_is_over(
    page: Page, shop: Shop, watch: Watch
) -> None:
    watch.expect(r"status of 401 .*/(connect/|integrations)")
    shop.integrate("safe", "tp-safe")
    session = shop.session("safe", integrations_config_defaults={})
    typed = {"config.url": shop.third_party.url, "config.team": "the-team", "config.pin": "0815-pin"}

    await page.goto(session["connect_link"])
    await page.get_by_test_id("connect").click()
    await expect(page.locator("[aria-invalid=true]")).to_have_count(3)
    await expect(page.locator('[name="config.url"]')).to_be_focused()
    await expect(page.locator('[name="config.pin"]')).to_have_accessible_description(re.compile("“PIN” is needed"))
    for name, value in {**typed, "credential.apiKey": "the-good-key"}.items():
        await page.locator(f'[name="{name}"]').fill(value)
    await page.get_by_test_id("connect").click()
    await page.get_by_role("button", name="Finish").click()
    await expect(page.get_by_test_id("finished")).to_be_visible()
    await page.goto(session["connect_link"])
    await expect(page.get_by_test_id("session-over")).to_be_visible()

    [connection] = shop.connected("safe")
    whole = shop.api.connections.get(connection["connection_id"], "safe")
    assert whole["connection_config"] == {name.partition(".")[2]: value for name, value in typed.items()}
    asked = " ".join(watch.addresses)
    assert [v for v in [*typed.values(), "the-good-key"] if quote(v, safe="") in asked] == []


async def test_a_reconnect_shows_what_is_stored_but_for_secrets(page: Page, shop: Shop, watch: Watch) -> None:
    shop.integrate("safe", "tp-safe", display_name="Acme")
    stored = {"url": shop.third_party.url, "team": "sales", "pin": "0815"}
    old = {"type": "API_KEY", "apiKey": "old-key"}
    shop.api.connections.create("safe", connection_id="c1", credentials=old, connection_config=stored)
    session = shop.api.connect.reconnect_session("c1", "safe")

    await page.goto(session["connect_link"])
    await expect(page.get_by_role("heading")).to_have_text("Reconnect Acme")
    await expect(page.locator('[name="config.team"]')).to_have_value("sales")
    await expect(page.locator('[name="config.pin"]')).to_have_value("")
    await watch.shoot(page, "reconnect-en-1000-light")
    await page.locator('[name="config.team"]').fill("support")
    await page.locator('[name="credential.apiKey"]').fill("new-key")
    await page.get_by_test_id("connect").click()
    await expect(page.get_by_test_id("done")).to_contain_text("authorized again")

    whole = shop.api.connections.get("c1", "safe")
    assert whole["connection_config"] == stored | {"team": "support"}
    assert whole["credentials"]["apiKey"] == "new-key"


async def test_a_session_that_ends_meanwhile_is_said_to_be_over(
    page: Page, shop: Shop, embedder: str, watch: Watch
) -> None:
    watch.expect(r"status of 401 ")
    session = shop.session(shop.integrate("keyed", "tp-key"))

    frame = await embed(page, embedder, shop.url, session["token"])
    await frame.get_by_role("textbox", name="API key").fill("good-key")
    end_session(shop.url, session)
    await frame.get_by_test_id("connect").click()

    await expect(frame.get_by_test_id("session-over")).to_be_visible()
    assert (await heard(page, "error"))["errorType"] == "unknown_connect_session_token"
    assert shop.connected("keyed") == []
