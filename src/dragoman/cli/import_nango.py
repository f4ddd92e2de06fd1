"""`dragoman import nango`: bring integrations and connections, credentials included, from a server that speaks the
same public API. Reads there, writes here; what is here already stays as it is, so a run that broke off is run again.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from dragoman.client import Client
    from dragoman.client.types import Connection, ConnectionSummary, Integration

PAGE = 500
AT_ONCE = 6
TRIES = 5
LONGEST_WAIT = 60.0
SHOWN_FAILURES = 20
T = TypeVar("T")

_CREDENTIAL_FIELDS: Mapping[str, tuple[str, ...]] = {
    "OAUTH2": ("access_token", "refresh_token", "expires_at", "config_override"),
    "OAUTH2_CC": ("token", "client_id", "client_secret", "expires_at"),
    "API_KEY": ("apiKey",),
    "BASIC": ("username", "password"),
    "NONE": (),
    "OAUTH1": ("oauth_token", "oauth_token_secret"),
    "TBA": ("token_id", "token_secret", "config_override"),
    "BILL": ("username", "password", "organization_id", "dev_key"),
    "SIGNATURE": ("username", "password"),
    "AWS_SIGV4": ("role_arn", "region"),
}
"""What a credential is made of; of types that are not here, everything but `raw`. Short-lived tokens are asked anew."""


class CannotImportError(Exception):
    """Why a connection has to be authorized again instead."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run would do. `create` are integrations, `unknown` those whose provider is not in this catalogue."""

    create: "Sequence[Integration]"
    present: Sequence[str]
    unknown: "Sequence[Integration]"
    connections: "Sequence[ConnectionSummary]"
    present_connections: int
    left_out: Mapping[str, int]
    providers: Mapping[str, str] = field(default_factory=dict[str, str])


def make_plan(
    *,
    integrations: "Iterable[Integration]",
    connections: "Iterable[ConnectionSummary]",
    here_integrations: Iterable[str],
    here_connections: Iterable[tuple[str, str]],
    catalogue: Iterable[str],
    renamed: Mapping[str, str],
) -> Plan:
    """Compare there with here. Pure."""
    known, present, done = set(catalogue), set(here_integrations), set(here_connections)
    found = sorted(integrations, key=lambda i: i["unique_key"])
    providers = {i["unique_key"]: renamed.get(i["provider"], i["provider"]) for i in found}
    unknown = [i for i in found if i["unique_key"] not in present and providers[i["unique_key"]] not in known]
    impossible = {i["unique_key"] for i in unknown}
    every = list(connections)
    wanted = [c for c in every if c["provider_config_key"] not in impossible]
    missing = [c for c in wanted if (c["provider_config_key"], c["connection_id"]) not in done]
    return Plan(
        create=[i for i in found if i["unique_key"] not in present | impossible],
        present=[i["unique_key"] for i in found if i["unique_key"] in present],
        unknown=unknown,
        connections=missing,
        present_connections=len(wanted) - len(missing),
        left_out=Counter(c["provider_config_key"] for c in every if c["provider_config_key"] in impossible),
        providers=providers,
    )


def credentials_to_import(read: Mapping[str, Any], *, provider_takes_none: bool) -> dict[str, Any]:
    """The `credentials` of POST /connections for those GET /connections/{id} showed; raise CannotImportError."""
    if not read:
        if provider_takes_none:
            return {"type": "NONE"}
        raise CannotImportError("its credentials are not shown: the key lacks connections:read_credentials")
    kind = str(read.get("type"))
    names = _CREDENTIAL_FIELDS.get(kind) or tuple(k for k in read if k not in {"type", "raw"})
    return {"type": kind, **{k: read[k] for k in names if read.get(k) is not None}}


@click.group("import")
def import_() -> None:
    """Bring integrations and connections from elsewhere."""


@import_.command("nango")
@click.option("--url", required=True, help="The server to read from, e.g. https://api.nango.dev.")
@click.option("--key", envvar="NANGO_SECRET_KEY", required=True, help="Its API key. Default: NANGO_SECRET_KEY.")
@click.option("--to", "environment", default="dev", show_default=True, metavar="ENV", help="The environment here.")
@click.option("--to-url", help="The server to write to. Default: DRAGOMAN_URL, or the local one.")
@click.option("--integration", "only", multiple=True, metavar="KEY", help="Only this integration. Repeat for more.")
@click.option("--provider", "renamed", multiple=True, metavar="THERE=HERE", help="A provider with another name here.")
@click.option("--dry-run", is_flag=True, help="Show what would be imported; change nothing.")
@click.option("--auto-confirm", "-y", is_flag=True, help="Do not ask before importing.")
def nango(
    url: str,
    key: str,
    environment: str,
    to_url: str | None,
    only: tuple[str, ...],
    renamed: tuple[str, ...],
    *,
    dry_run: bool,
    auto_confirm: bool,
) -> None:
    """Import integrations and connections, with credentials, metadata and tags, from Nango or another Dragoman.

    Shows what it would do, then asks. What exists here already is left as it is: after a failure run it again.
    """
    from dragoman.cli.settings import find_server
    from dragoman.client import ApiError, Client, ConnectionFailedError

    here = find_server(environment, project=Path(), url=to_url)
    names = _renamed(renamed)
    with Client(url=_address(url), api_key=key) as there, Client(url=here.url, api_key=here.api_key) as api:
        try:
            plan = _read_plan(there, api, only, names)
            show(plan)
            if dry_run or not (plan.create or plan.connections):
                click.echo("Nothing imported." if dry_run else "Nothing to import.")
                return
            if not auto_confirm and not click.confirm(f"Import to {environment} on {here.url}?", default=True):
                click.echo("Nothing imported.")
                sys.exit(1)
            _create_integrations(there, api, plan)
        except ApiError as error:
            raise click.ClickException(str(error)) from None
        except ConnectionFailedError as error:
            raise click.ClickException(f"{error}. Nothing is lost: run it again.") from None
        failures = _import_connections(there, api, plan)
    count = len(plan.connections) - len(failures)
    click.echo(f"Imported {count} connections of {len(plan.connections)}.")
    for where, why in failures[:SHOWN_FAILURES]:
        click.echo(f"  ! {where}: {why}", err=True)
    if len(failures) > SHOWN_FAILURES:
        click.echo(f"  … and {len(failures) - SHOWN_FAILURES} more", err=True)
    if failures:
        click.echo("Mend what can be mended and run it again: it goes on with what is missing.", err=True)
        sys.exit(1)


def show(plan: Plan) -> None:
    """Print the plan, one line an integration."""
    waiting = Counter(c["provider_config_key"] for c in plan.connections)
    for one in plan.create:
        key = one["unique_key"]
        click.echo(f"  + {key} ({plan.providers[key]}), {waiting[key]} connections")
    for key in plan.present:
        click.echo(f"  = {key} is here, {waiting[key]} connections missing")
    for one in plan.unknown:
        key = one["unique_key"]
        lost = plan.left_out.get(key, 0)
        click.echo(f"  ! {key}: no provider `{plan.providers[key]}` in this catalogue; {lost} connections stay behind")
    click.echo(f"{len(plan.connections)} connections to import, {plan.present_connections} are here already.")


def retrying(call: Callable[[], T], *, wait: Callable[[float], None] = time.sleep) -> T:
    """Call again while the server is busy, restarting or out of reach; raise what the last try raised."""
    from dragoman.client import ApiError, ConnectionFailedError

    for left in range(TRIES - 1, -1, -1):
        pause = 2.0 ** (TRIES - 1 - left)
        try:
            return call()
        except ApiError as error:
            if left == 0 or not (error.status == 429 or error.status in {502, 503, 504}):
                raise
            wait(min(error.retry_after or pause, LONGEST_WAIT))
        except ConnectionFailedError:
            if left == 0:
                raise
            wait(pause)
    raise AssertionError("unreachable")


def _read_plan(there: "Client", api: "Client", only: Sequence[str], renamed: Mapping[str, str]) -> Plan:
    integrations = [i for i in retrying(there.integrations.list) if not only or i["unique_key"] in only]
    missing = sorted(set(only) - {i["unique_key"] for i in integrations})
    if missing:
        raise click.ClickException(f"There is no integration {', '.join(missing)} at the server to read from.")
    keys = {i["unique_key"] for i in integrations}
    return make_plan(
        integrations=integrations,
        connections=[c for c in _connections(there) if c["provider_config_key"] in keys],
        here_integrations=[i["unique_key"] for i in api.integrations.list()],
        here_connections=[(c["provider_config_key"], c["connection_id"]) for c in _connections(api)],
        catalogue=[p["name"] for p in api.providers.list()],
        renamed=renamed,
    )


def _connections(client: "Client") -> "list[ConnectionSummary]":
    return retrying(lambda: list(client.connections.list(page_size=PAGE)))


def _create_integrations(there: "Client", api: "Client", plan: Plan) -> None:
    from dragoman.client import ApiError

    for one in plan.create:
        key = one["unique_key"]
        credentials: Mapping[str, Any] | None = None
        try:
            credentials = retrying(lambda k=key: there.integrations.get(k, include=["credentials"])).get("credentials")
        except ApiError as error:
            if error.status != 403:
                raise
            click.echo(f"  ! {key}: the key may not read its application credentials; enter them here", err=True)
        api.integrations.create(
            key,
            plan.providers[key],
            display_name=one["display_name"],
            credentials={k: v for k, v in credentials.items() if v is not None} if credentials else None,
            forward_webhooks=one.get("forward_webhooks"),
        )


def _import_connections(there: "Client", api: "Client", plan: Plan) -> list[tuple[str, str]]:
    """Import them a few at a time; return which failed, and why."""
    from dragoman.client import ApiError, ConnectionFailedError

    open_providers = {p["name"] for p in api.providers.list() if p["auth_mode"] == "NONE"}

    def one(summary: "ConnectionSummary") -> tuple[str, str] | None:
        key, name = summary["provider_config_key"], summary["connection_id"]
        where = f"{key}/{name}"
        try:
            full = retrying(lambda: there.connections.get(name, key, refresh_token=True))
            credentials = credentials_to_import(
                full["credentials"], provider_takes_none=plan.providers.get(key) in open_providers
            )
            retrying(lambda: _write(api, full, credentials))
        except CannotImportError as error:
            return where, str(error)
        except (ApiError, ConnectionFailedError) as error:
            return where, str(error)
        return None

    failures: list[tuple[str, str]] = []
    with (
        ThreadPoolExecutor(AT_ONCE) as pool,
        click.progressbar(length=len(plan.connections), label="Importing") as bar,
    ):
        for failure in pool.map(one, plan.connections):
            bar.update(1)
            if failure is not None:
                failures.append(failure)
    return failures


def _write(api: "Client", full: "Connection", credentials: Mapping[str, Any]) -> None:
    end_user = full.get("end_user")
    api.connections.create(
        full["provider_config_key"],
        credentials,
        connection_id=full["connection_id"],
        connection_config=full["connection_config"] or None,
        metadata=full["metadata"],
        tags=full["tags"] or None,
        end_user={k: v for k, v in end_user.items() if v is not None} if end_user else None,
        webhook_url_override=full["webhook_url_override"] or None,
    )


def _renamed(given: Sequence[str]) -> dict[str, str]:
    names: dict[str, str] = {}
    for one in given:
        there, equals, here = one.partition("=")
        if not (there and equals and here):
            raise click.BadParameter(f"`{one}` is not THERE=HERE", param_hint="--provider")
        names[there] = here
    return names


def _address(url: str) -> str:
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("expected an http or https address", param_hint="--url")
    return url
