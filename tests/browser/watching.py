"""What a browser complains about, and what it looked like: every test's pages are watched and photographed."""

import re
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import BrowserContext, ConsoleMessage, Error, Page, Request

TOKEN = "nango_connect_session_"
LINK = re.compile(r"/connect-ui/\?(?:[a-z]+=\w+&)*session_token=")
"""The one address that holds a token: the link a person was given."""
SCREENSHOTS = Path(__file__).parents[2] / ".cache" / "screenshots"
# Chromium says in words what its policy refused; this says it also for what it refuses silently.
_TELL_REFUSALS = """
document.addEventListener('securitypolicyviolation', (event) => console.error(
  `refused by policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`));
"""


@dataclass
class Watch:
    """Collects console errors, uncaught exceptions and policy violations of all pages, popups and frames included.

    No address but the link itself may hold a session's token, in no request, referrer or socket.
    """

    name: str
    context: BrowserContext
    problems: list[str] = field(default_factory=list[str])
    expected: list[re.Pattern[str]] = field(default_factory=list[re.Pattern[str]])
    shots: int = 0
    addresses: list[str] = field(default_factory=list[str])
    token_may_travel: bool = False
    """The published client's own requests hold it in their query; ours never do."""

    async def start(self) -> None:
        await self.context.add_init_script(_TELL_REFUSALS)
        self.context.on("console", self._heard)
        self.context.on("request", self._asked)
        self.context.on("page", lambda page: page.on("websocket", lambda socket: self.addresses.append(socket.url)))
        self.context.on("weberror", lambda error: self.problems.append(f"uncaught: {error.error}"))

    def expect(self, pattern: str) -> None:
        """This complaint belongs to the test, e.g. a request that is meant to be refused."""
        self.expected.append(re.compile(pattern))

    async def shoot(self, page: Page, what: str = "") -> Path:
        """Keep a picture of the page under the test's name."""
        self.shots += 1
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        path = SCREENSHOTS / f"{self.name}-{self.shots}{'-' + what if what else ''}.png"
        await page.screenshot(path=path, animations="disabled")
        return path

    async def end(self) -> None:
        """Photograph what is still open; fail for what nobody expected."""
        for page in self.context.pages:
            try:
                await self.shoot(page, "end")
            except Error as error:  # a popup may close itself just now
                if not page.is_closed():
                    self.problems.append(f"no picture: {error}")
        left = [p for p in self.problems if not any(e.search(p) for e in self.expected)]
        assert not left, "the browser complains:\n" + "\n".join(left)
        holding = [a for a in self.addresses if TOKEN in a and not LINK.search(a)]
        assert self.token_may_travel or not holding, "a token stands in an address:\n" + "\n".join(holding)

    def _asked(self, request: Request) -> None:
        self.addresses += [request.url, request.headers.get("referer", "")]

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "assert"}:
            self.problems.append(f"{message.text} ({message.location.get('url', '')})")
