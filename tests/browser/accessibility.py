"""axe-core on a page or a frame: every rule of WCAG 2.2 A and AA, and its best practices, without exceptions."""

from functools import cache
from pathlib import Path
from typing import Any

from playwright.async_api import Frame, Page

AXE = Path(__file__).parents[2] / "ui" / "node_modules" / "axe-core" / "axe.min.js"
_RUN = """async () => (await axe.run(document, { resultTypes: ['violations'] })).violations.map((found) =>
  `${found.id} (${found.impact}): ${found.help}: ` + found.nodes.map((node) => node.html).join(' '))"""


@cache
def _source() -> str:
    assert AXE.is_file(), "run `bash scripts/ui.sh .venv check` first: it installs what the pages are tested with"
    return AXE.read_text("utf-8")


async def violations(place: Page | Frame) -> list[str]:
    """Return what is wrong with what is on show, in words."""
    await place.evaluate("Promise.all(document.getAnimations().map((one) => one.finished.catch(() => {})))")
    if not await place.evaluate("typeof axe !== 'undefined'"):
        await place.evaluate(_source())
    found: list[Any] = await place.evaluate(_RUN)
    return [str(one) for one in found]
