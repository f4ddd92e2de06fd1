"""`dragoman deploy ENV`: show what would change, then deploy the project's functions."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

SECTIONS = (
    ("newSyncs", "+", "sync"),
    ("updatedSyncs", "~", "sync"),
    ("deletedSyncs", "-", "sync"),
    ("newActions", "+", "action"),
    ("updatedActions", "~", "action"),
    ("deletedActions", "-", "action"),
)


@click.command()
@click.argument("environment", metavar="ENV")
@click.option(
    "--project",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="The project's folder. Default: here.",
)
@click.option("--url", help="The server. Default: DRAGOMAN_URL, or the local one.")
@click.option("--auto-confirm", "-y", is_flag=True, help="Do not ask before deploying.")
@click.option("--allow-destructive", is_flag=True, help="With --auto-confirm: also when functions would be deleted.")
def deploy(environment: str, project: Path, url: str | None, *, auto_confirm: bool, allow_destructive: bool) -> None:
    """Deploy the functions of a project to ENV: every function it holds, and none it does not."""
    from dragoman.authoring.errors import DefinitionError
    from dragoman.bundling import bundle_project
    from dragoman.cli.settings import find_server
    from dragoman.client import ApiError, Client, ConnectionFailedError

    server = find_server(environment, project=project, url=url)
    try:
        bundle = bundle_project(project)
    except DefinitionError as error:
        raise click.ClickException(str(error)) from None
    manifest = json.dumps(bundle.manifest)
    with Client(url=server.url, api_key=server.api_key, timeout=300) as api:
        try:
            difference = api.functions.preview(bundle.archive, manifest)
            refuse_another(environment, difference, named=server.named)
            changes = show(difference)
            if changes == 0:
                click.echo("  No function is added, changed or removed.")
            deletes = [d for key in ("deletedSyncs", "deletedActions") for d in difference.get(key, ())]
            if deletes and auto_confirm and not allow_destructive:
                raise click.ClickException(
                    f"{plural(len(deletes), 'function')} would be deleted, schedules included: add --allow-destructive."
                )
            if not auto_confirm and not click.confirm(f"Deploy to {environment} on {server.url}?", default=True):
                click.echo("Nothing deployed.")
                sys.exit(1)
            done = api.functions.deploy(bundle.archive, manifest)
        except ApiError as error:
            raise click.ClickException(explain(error)) from None
        except ConnectionFailedError as error:
            raise click.ClickException(f"{error}. Is the server running at {server.url}?") from None
    count = len(done.get("functions", ()))
    click.echo(f"Deployed {bundle.id[:12]} to {environment}: {plural(count, 'function')}.")


def refuse_another(environment: str, difference: Mapping[str, Any], *, named: bool) -> None:
    """End the command when DRAGOMAN_API_KEY is of another environment than the one named."""
    target: Mapping[str, Any] = difference.get("environment") or {}
    found = target.get("name")
    if found is not None and found != environment and not named:
        specific = "DRAGOMAN_API_KEY_" + environment.upper().replace("-", "_")
        raise click.ClickException(
            f"DRAGOMAN_API_KEY is a key of the environment `{found}`, not of `{environment}`: nothing was deployed. "
            f"Say `dragoman deploy {found}`, or set {specific}."
        )


def show(difference: Mapping[str, Any]) -> int:
    """Print the difference, one line a function; return how many lines."""
    lines = 0
    for key, sign, kind in SECTIONS:
        found: Sequence[Mapping[str, Any]] = difference.get(key) or ()
        for one in found:
            connections = one.get("connections")
            on = f" (on {plural(connections, 'connection')})" if connections else ""
            click.echo(f"  {sign} {kind:<6} {one['providerConfigKey']}/{one['name']}{on}")
            lines += 1
    for model in difference.get("deletedModels") or ():
        click.echo(f"  - model  {model} (its records stay until their connection is deleted)")
    return lines


def plural(count: int, noun: str) -> str:
    """`1 function`, `2 functions`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def explain(error: Any) -> str:
    """A refusal with each place named."""
    lines = [f"{error.code}: {error.message}"]
    lines += [f"  {'.'.join(str(p) for p in e.get('path', ()))}: {e.get('message')}" for e in error.errors]
    return "\n".join(lines)
