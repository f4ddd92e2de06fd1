"""A person at a browser without JavaScript: follows redirects, fills in forms and presses their first button."""

from collections.abc import Mapping
from html.parser import HTMLParser
from types import TracebackType
from typing import Self
from urllib.parse import quote, urlencode, urljoin

import httpx

from dragoman.client.types import ConnectSession


def popup_url(session: ConnectSession, integration: str, params: Mapping[str, str] | None = None) -> str:
    """What the Connect UI opens for an integration, with the configuration somebody typed in."""
    server = session["connect_link"].partition("/connect-ui/")[0]
    query = {"connect_session_token": session["token"]} | {f"params[{k}]": v for k, v in (params or {}).items()}
    return f"{server}/oauth/connect/{quote(integration, safe='')}?{urlencode(query)}"


class _Page(HTMLParser):
    """A page's first form."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.action: str | None = None
        self.method = "get"
        self.fields: dict[str, list[str]] = {}
        self._inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {k: v or "" for k, v in attrs}
        if tag == "form" and self.action is None:
            self.action, self.method, self._inside = given.get("action", ""), given.get("method", "get").lower(), True
        elif self._inside and tag in ("input", "button") and given.get("name"):
            chosen = given.get("type") not in ("checkbox", "radio") or "checked" in given
            if chosen:
                self.fields.setdefault(given["name"], []).append(given.get("value", ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


class Person:
    """`browse(url, answers)` goes on until a page has neither a form nor a redirect; the last page is returned."""

    def __init__(self) -> None:
        self.http = httpx.Client(follow_redirects=True, timeout=30)
        self.seen: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def browse(self, url: str, answers: Mapping[str, str], *, pages: int = 12) -> httpx.Response:
        """`answers` fill in the fields of their names; every other field is sent as the page has it."""
        answer = self.http.get(url)
        for _ in range(pages):
            self.seen += [str(a.url) for a in (*answer.history, answer)]
            if answer.status_code >= 400:
                raise AssertionError(f"{answer.url} answered {answer.status_code}: {answer.text[:1000]}")
            page = _Page()
            page.feed(answer.text)
            here = str(answer.url)
            if page.action is not None:
                fields = page.fields | {k: [v] for k, v in answers.items() if k in page.fields}
                target = urljoin(here, page.action)
                if page.method == "get":
                    answer = self.http.get(target, params=fields)
                else:
                    answer = self.http.post(target, data=fields)
            else:
                return answer
        raise AssertionError(f"no end after {pages} pages: {self.seen}")
