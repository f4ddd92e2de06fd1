"""The live side of `dragoman providers test`: asks the developer, waits for the browser, stores nothing."""

import asyncio
import os
import re
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import click

from dragoman_server.cli.options import fail

if TYPE_CHECKING:
    from collections.abc import Callable

    from dragoman_server.providers.model import Provider
    from dragoman_server.simulator.questions import Question
    from dragoman_server.simulator.trial import Given, Step

PREFIX = "VENDOR_"
_WAIT_SECONDS = 300
_LARGEST_LINE = 16_384


def variable_of(name: str) -> str:
    """Return the environment variable that answers a question, e.g. `VENDOR_CLIENT_ID`, `VENDOR_API_KEY`."""
    return PREFIX + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).upper()


def ask(provider: "Provider") -> "Given":
    """Return what the developer gives: from the environment, else typed in; secrets are not shown."""
    from dragoman_server.simulator.questions import questions_of
    from dragoman_server.simulator.trial import Given

    found: dict[str, dict[str, str]] = {"app": {}, "custom": {}, "config": {}, "typed": {}}
    for question in questions_of(provider):
        text = _answer(question)
        if text:
            found[question.group][question.name] = text
        elif not question.optional:
            fail(f"{question.title} is needed: type it in, or set {variable_of(question.name)}.")
    return Given(**found)


def _answer(question: "Question") -> str:
    given = os.environ.get(variable_of(question.name))
    if given is None:
        field = question.field
        default = (field.default_value if field else None) or ""
        hint = f" (e.g. {field.example})" if field and field.example and not question.secret else ""
        title = f"{question.title}{hint}{', or nothing' if question.optional else ''}"
        given = click.prompt(title, default=default, hide_input=question.secret, show_default=bool(default), err=True)
    if question.secret and given.startswith("@"):
        try:
            return Path(given[1:]).read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            fail(f"{given[1:]} cannot be read.")
    return given.strip()


async def try_live(
    provider: "Provider", given: "Given", *, port: int, redirect_uri: str | None, path: str | None,
    told: "Callable[[Step], None]",
) -> "list[Step]":  # fmt: skip
    """Make every step against the vendor; the browser comes back to this process."""
    from dragoman_server.egress import EgressClient, EgressRules
    from dragoman_server.providers.model import AuthMode
    from dragoman_server.simulator.trial import Trial

    own = "/app-auth/connect" if provider.auth_mode is AuthMode.APP else "/oauth/callback"
    back = redirect_uri or f"http://127.0.0.1:{port}{own}"
    async with EgressClient(EgressRules([])) as egress:

        async def browse(url: str) -> Mapping[str, str]:
            click.echo(f"The vendor must know the callback {back}", err=True)
            click.echo(f"Open this in a browser and agree:\n  {url}", err=True)
            return await callback(port)

        trial = Trial(provider, given, egress=egress, browse=browse, redirect_uri=back, path=path)
        return await trial.run(told)


async def callback(port: int, *, seconds: float = _WAIT_SECONDS) -> Mapping[str, str]:
    """Return the query with which a browser comes back to this machine."""
    from dragoman_server.simulator.trial import FailedError

    arrived: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = (await asyncio.wait_for(reader.readline(), 10)).decode("latin-1").split(" ")
            query = dict(parse_qsl(urlsplit(line[1]).query)) if len(line) == 3 and line[0] == "GET" else {}
            text = "You can close this page." if query else "Nothing is here."
            page = f"<!doctype html><title>Dragoman</title><p>{escape(text)}".encode()
            head = f"HTTP/1.1 {200 if query else 404} -\r\ncontent-type: text/html\r\ncontent-length: {len(page)}\r\n"
            writer.write(f"{head}connection: close\r\n\r\n".encode() + page)
            await writer.drain()
            if query and not arrived.done():
                arrived.set_result(query)
        except (ValueError, OSError, TimeoutError):
            pass  # not a browser that brings an answer; the next one may
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port, limit=_LARGEST_LINE)
    async with server:
        try:
            return await asyncio.wait_for(arrived, seconds)
        except TimeoutError:
            raise FailedError("nobody came back from the vendor within five minutes") from None
