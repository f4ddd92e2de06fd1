"""An example as a real process beside a simulated platform, and what a browser does with both."""

import re
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.platform import Command, RunningPlatform, clean_environment, poll_until

ROOT = Path(__file__).parent.parent.parent


@dataclass(frozen=True)
class Example:
    url: str
    command: Command


@contextmanager
def running(name: str, platform: RunningPlatform, environment: str, folder: Path) -> Generator[Example]:
    """`python -m examples.<name>` against an environment of `platform`."""
    keys = platform.environment(environment)
    log = folder / f"{name}.log"
    with log.open("wb") as output:
        popen = subprocess.Popen(
            [sys.executable, "-m", f"examples.{name}", "--port", "0"],
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=clean_environment(
                {
                    "DRAGOMAN_URL": platform.url,
                    "DRAGOMAN_API_KEY": keys["api_key"],
                    "DRAGOMAN_WEBHOOK_SIGNING_KEY": keys["webhook_signing_key"],
                    "DJANGO_EXAMPLE_DATABASE": str(folder / "django.sqlite3"),
                }
            ),
        )
    command = Command(name, popen, log)

    def said() -> re.Match[str] | None:
        assert popen.poll() is None, f"{name} ended:\n{command.text()[-4000:]}"
        return re.search(r"listens on (http://\S+)", command.text())

    try:
        yield Example(poll_until(said, f"{name} listens")[1], command)
    finally:
        command.stop()


@dataclass
class Browser:
    """A person with a cookie jar, at the example's page."""

    example: Example
    http: httpx.Client = field(default_factory=lambda: httpx.Client(follow_redirects=True, timeout=30))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def sign_in(self, user: str) -> None:
        csrf = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.page())
        form = {"user": user} | ({"csrfmiddlewaretoken": csrf[1]} if csrf else {})
        assert "Signed in as" in self.http.post(f"{self.example.url}/sign-in", data=form).text

    def page(self) -> str:
        return self.http.get(self.example.url).text

    def press(self, label: str, *, connection_id: str | None = None, **headers: str) -> httpx.Response:
        """What `connect.js` sends when the button of that label is pressed."""
        found = re.search(rf"<button ([^>]*data-dragoman-session[^>]*)>{label}</button>", self.page())
        assert found is not None, self.page()
        given = dict(re.findall(r'data-([a-z-]+)="([^"]*)"', found[1]))
        sent = {"Origin": self.example.url, "Sec-Fetch-Site": "same-origin"}
        sent |= {"X-CSRFToken": given["csrf-token"]} if "csrf-token" in given else {}
        body = {"integration": given.get("integration"), "connection_id": connection_id}
        url = f"{self.example.url}{given['dragoman-session']}"
        return self.http.post(url, json={k: v for k, v in body.items() if v}, headers=sent | headers)

    def connections(self) -> list[dict[str, Any]]:
        answer = self.http.get(f"{self.example.url}/connections")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def sees(self, connection_id: str) -> dict[str, Any]:
        """Wait for the webhook."""

        def listed() -> dict[str, Any] | None:
            return next((one for one in self.connections() if one["id"] == connection_id), None)

        return poll_until(listed, f"the list shows {connection_id}", seconds=20)


def connect_by_key(session: dict[str, str], integration: str) -> str:
    """What the Connect UI does with a typed key; return the connection's id."""
    answer = httpx.post(
        f"{session['api_url']}/api-auth/api-key/{integration}",
        headers={"Authorization": f"Bearer {session['token']}"},
        json={"apiKey": "a fine key"},
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["connectionId"]


def connect_by_consent(session: dict[str, str], integration: str) -> None:
    """The popup: to the provider, *Allow*, and back."""
    with httpx.Client(follow_redirects=False) as popup:
        begun = popup.get(
            f"{session['api_url']}/oauth/connect/{integration}", params={"connect_session_token": session["token"]}
        )
        page = popup.get(begun.headers["location"])
        allow = re.search(r'class="yes" href="([^"]+)"', page.text)
        assert allow is not None, page.text
        back = popup.get(page.url.join(allow[1].replace("&amp;", "&")))
        done = popup.get(back.headers["location"])
    assert done.status_code == 200, done.text
