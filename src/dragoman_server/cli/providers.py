"""`dragoman providers list|new|test`: for people who write catalogue entries."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dragoman_server.cli.options import fail, settings_or_fail

if TYPE_CHECKING:
    from dragoman_server.providers import Catalogue
    from dragoman_server.simulator.trial import Step

_SCAFFOLD = """\
# {slug}: one provider, one file, named by it. Every key: src/dragoman_server/providers/schema.json
# Write it from the vendor's own documentation. Leave out what it does not state: a shorter entry beats a wrong one.
# Try it: dragoman providers test --simulate {slug}
display_name: {title}
docs: https://developer.example.com/ # the vendor's API documentation
categories: [other]
confidence: medium # high: the documentation states every value below
"""
_BY_MODE = {
    "API_KEY": """\
auth_mode: API_KEY
credentials:
  apiKey:
    type: string
    title: API key
    description: Where a person finds it, e.g. "Made under Settings > API".
    secret: true
    # pattern: ^key_[A-Za-z0-9]{{20,}}$   # only where the vendor states the form
proxy:
  base_url: https://api.example.com
  headers:
    authorization: Bearer ${{apiKey}} # or e.g. `x-api-key: ${{apiKey}}`
""",
    "BASIC": """\
auth_mode: BASIC
credentials:
  username:
    type: string
    title: User name
  password:
    type: string
    title: Password
    secret: true
proxy:
  base_url: https://api.example.com
""",
    "OAUTH2": """\
auth_mode: OAUTH2
authorization_url: https://example.com/oauth/authorize
token_url: https://example.com/oauth/token
# token_request_auth_method: basic   # the client in the Authorization header instead of the body
# body_format: json                  # the token endpoint wants JSON instead of a form
# disable_pkce: true                 # only if the vendor breaks with a code challenge
# scope_separator: ","               # a space unless given
# default_scopes: [read]
# revocation:
#   url: https://example.com/oauth/revoke
#   auth: basic                      # or body, bearer
proxy:
  base_url: https://api.example.com
""",
    "OAUTH2_CC": """\
auth_mode: OAUTH2_CC
token_url: https://example.com/oauth/token
# token_params:
#   audience: https://api.example.com
proxy:
  base_url: https://api.example.com
""",
}
_COMMON = """\
  retry:
    after: retry-after # `at`: a header with the time; `remaining`: 0 means wait
  # How lists page; one of
  #   type: link, link_rel_in_response_header: next    (or link_path_in_response_body: links.next)
  #   type: cursor, cursor_path_in_response: meta.next, cursor_name_in_request: cursor
  #   type: offset, offset_name_in_request: page, offset_start_value: 1, offset_calculation_method: per-page
  # with `response_path` (where the list is), `limit` and `limit_name_in_request`.
  # paginate:
  #   type: cursor
  #   cursor_path_in_response: meta.next
  #   cursor_name_in_request: cursor
  #   response_path: data
  #   limit: 100
  #   limit_name_in_request: per_page
  verification: # a cheap call that only a good credential can make
    method: GET
    endpoints: [/me]
"""


@click.group()
def providers() -> None:
    """Look at, write and try catalogue entries."""


@providers.command("list")
@click.argument("text", required=False)
def list_(text: str | None) -> None:
    """List the providers whose name, title or category has TEXT in it; all without."""
    found = _catalogue().search(text)
    for provider in found:
        click.echo(f"{provider.name:<34} {provider.auth_mode.value:<12} {provider.display_name}")
    click.echo(f"{len(found)} providers", err=True)


@providers.command()
@click.argument("slug")
@click.option("--mode", type=click.Choice(sorted(_BY_MODE)), default="API_KEY", show_default=True)
@click.option("--title", help="The name people know. Default: made from SLUG.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write it. Default: DRAGOMAN_PROVIDERS_DIR, else here.",
)
def new(slug: str, mode: str, title: str | None, folder: Path | None) -> None:
    """Write SLUG.yaml, commented, to be filled in."""
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug):
        fail("A slug is lower-case letters and digits, in words joined by hyphens, e.g. `acme-crm`.")
    place = folder or settings_or_fail().providers_dir or Path()
    file = place / f"{slug}.yaml"
    if file.exists():
        fail(f"{file} is there already.")
    place.mkdir(parents=True, exist_ok=True)
    name = title or slug.replace("-", " ").title()
    text = (_SCAFFOLD + _BY_MODE[mode]).format(slug=slug, title=name)
    file.write_text(text + _COMMON, "utf-8")
    click.echo(f"{file} written. Fill it in, then: dragoman providers test --simulate {file}")


@providers.command()
@click.argument("slugs", nargs=-1, required=True, metavar="SLUG|FILE...")
@click.option("--simulate", is_flag=True, help="Play the vendor here: no account is needed and nobody is contacted.")
@click.option("--path", help="A list of the vendor's API to call and to read one page of, e.g. /v1/contacts.")
@click.option("--port", default=8400, show_default=True, help="Where the browser comes back to on this machine.")
@click.option("--redirect-uri", help="The callback the vendor knows, if it is another (a tunnel to that port).")
def test(slugs: Sequence[str], *, simulate: bool, path: str | None, port: int, redirect_uri: str | None) -> None:
    """Check entries, then connect, verify, call, page, renew and revoke with your own app and account at the vendor.

    What is asked for may stand in the environment: VENDOR_CLIENT_ID, VENDOR_CLIENT_SECRET, VENDOR_API_KEY and so on;
    a secret that begins with @ names a file. Nothing is stored or shown.
    """
    from dragoman_server.cli.trial import ask, try_live
    from dragoman_server.kit.errors import DragomanError
    from dragoman_server.simulator.rehearsal import rehearse

    bad = 0
    for slug in slugs:
        try:
            catalogue, name = _found(slug)
            if name in catalogue.names():  # else `require` names the nearest one
                catalogue.check([name])
            provider = catalogue.require(name)
        except DragomanError as error:
            fail(error.message)
        click.echo(f"{provider.display_name} ({name}, {provider.auth_mode.value})")
        if simulate:
            steps = asyncio.run(rehearse(provider))
            for step in steps:
                _tell(step)
        else:
            given = ask(provider)
            live = try_live(provider, given, port=port, redirect_uri=redirect_uri, path=path, told=_tell)
            try:
                steps = asyncio.run(live)
            except DragomanError as error:
                fail(error.message)
        bad += sum(step.state == "failed" for step in steps)
    if bad:
        fail(f"{bad} {'step' if bad == 1 else 'steps'} failed.")


def _tell(step: "Step") -> None:
    mark = {"ok": "  ok    ", "failed": "  FAILED", "left out": "  -     "}[step.state]
    click.echo(f"{mark} {step.what}" + (f": {step.why}" if step.why else ""))


def _catalogue() -> "Catalogue":
    from dragoman_server.kit.errors import DragomanError
    from dragoman_server.providers import load_catalogue

    try:
        return load_catalogue(settings_or_fail().providers_dir)
    except DragomanError as error:
        fail(error.message)


def _found(slug: str) -> "tuple[Catalogue, str]":
    """A file is read with the folder it lies in; a name is looked up as the server would."""
    from dragoman_server.providers import load_catalogue

    file = Path(slug)
    if file.suffix in {".yaml", ".yml"}:
        if not file.is_file():
            fail(f"{file} does not exist.")
        return load_catalogue(file.absolute().parent), file.stem
    return _catalogue(), slug
