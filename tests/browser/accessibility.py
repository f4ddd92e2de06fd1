"""axe-core on a page or a frame: every rule of WCAG 2.2 A and AA, and its best practices, without exceptions."""

import asyncio
from functools import cache
from pathlib import Path

from playwright.async_api import Frame, Page

AXE = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_SECONDS = 30
_SETTLE = """() => Promise.all(document.getAnimations()
  .filter((one) => Number.isFinite(one.effect.getComputedTiming().endTime))
  .map((one) => one.finished.catch(() => {})))"""
_RUN = """async () => (await axe.run(document, {
  resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } })).violations.map((found) =>
  `${found.id} (${found.impact}): ${found.help}: ` + found.nodes.map((node) => node.html).join(' '))"""


@cache
def _source() -> str:
    assert AXE.is_file(), "run `bash scripts/ui.sh .venv check` first: it installs what the pages are tested with"
    return AXE.read_text("utf-8")


async def violations(place: Page | Frame) -> list[str]:
    """Return what is wrong with what is on show, in words."""
    async with asyncio.timeout(PATIENCE_SECONDS):  # what is evaluated has no deadline of its own
        await place.evaluate(_SETTLE)
        if not await place.evaluate("typeof axe !== 'undefined'"):
            await place.evaluate(_source())
        found: list[str] = await place.evaluate(_RUN)
    return found
