"""`dragoman dryrun NAME CONNECTION`: run a function against a real connection and save nothing."""

import json
from pathlib import Path
from typing import Any

import click


def _json_or_file(_context: click.Context, _parameter: click.Parameter, value: str | None) -> Any:
    if value is None:
        return None
    text = value
    if value.startswith("@"):
        try:
            text = Path(value[1:]).read_text("utf-8")
        except OSError as error:
            raise click.BadParameter(f"{value[1:]}: {error.strerror}") from None
    try:
        return json.loads(text)
    except ValueError as error:
        raise click.BadParameter(f"not JSON: {error}") from None


@click.command()
@click.argument("name")
@click.argument("connection_id", metavar="CONNECTION")
@click.option("-e", "--environment", default="dev", show_default=True)
@click.option(
    "--project", type=click.Path(exists=True, file_okay=False, path_type=Path), default=Path(), help="Default: here."
)
@click.option("--url", help="The server. Default: DRAGOMAN_URL, or the local one.")
@click.option("--integration-id", help="Where several integrations have a function of this name.")
@click.option("-i", "--input", "input_", callback=_json_or_file, help="An action's input: JSON, or @file.")
@click.option("-m", "--metadata", callback=_json_or_file, help="Instead of the connection's metadata: JSON, or @file.")
@click.option("-c", "--checkpoint", callback=_json_or_file, help="Where the sync starts from: JSON, or @file.")
@click.option("--variant", default="base", show_default=True)
@click.option("--allow-writes", is_flag=True, help="Let the function call the provider with POST, PUT, PATCH, DELETE.")
@click.option("--show", type=click.IntRange(0), default=5, show_default=True, help="Records printed per model.")
def dryrun(
    name: str,
    connection_id: str,
    environment: str,
    project: Path,
    url: str | None,
    integration_id: str | None,
    input_: Any,
    metadata: Any,
    checkpoint: Any,
    variant: str,
    *,
    allow_writes: bool,
    show: int,
) -> None:
    """Run the function NAME of this project for CONNECTION, here, and print what it would have saved."""
    from dragoman.authoring.errors import DefinitionError
    from dragoman.authoring.running import failure_of
    from dragoman.cli.deploy import explain
    from dragoman.cli.settings import find_server
    from dragoman.client import ApiError, Client, ConnectionFailedError
    from dragoman.dryrun import DryRunTransport, find_definition, run_locally

    server = find_server(environment, project=project, url=url)
    try:
        definition = find_definition(project.resolve(), name, integration=integration_id)
    except DefinitionError as error:
        raise click.ClickException(str(error)) from None
    if definition.kind == "action" and not allow_writes:
        click.echo(
            "· calls that change something at the provider are refused; --allow-writes lets them through", err=True
        )
    with Client(url=server.url, api_key=server.api_key, timeout=120) as api:
        transport = DryRunTransport(
            api,
            connection_id=connection_id,
            integration_id=definition.integration,
            allow_writes=allow_writes,
            say=lambda level, text: click.echo(f"  [{level}] {text}", err=True),
            metadata=metadata,
        )
        try:
            integration = api.integrations.get(definition.integration)
            provider: Any = api.providers.get(integration["provider"])
            transport.check()
        except ApiError as error:
            raise click.ClickException(explain(error)) from None
        except ConnectionFailedError as error:
            raise click.ClickException(f"{error}. Is the server running at {server.url}?") from None
        run: dict[str, Any] = {
            "environment": environment,
            "integration": definition.integration,
            "provider": integration["provider"],
            "connection_id": connection_id,
            "variant": variant,
            "paginate": dict(provider.get("proxy") or {}).get("paginate"),
            "base_url": transport.base_url(provider),
            "dry_run": True,
        }
        if checkpoint is not None:
            run["checkpoint_bytes"] = json.dumps(checkpoint).encode()
        try:
            output = run_locally(
                definition, transport, run=run, input_=None if input_ is None else json.dumps(input_).encode()
            )
        except Exception as error:  # the author's code may raise anything
            told = failure_of(error)
            lines = [f"{told['code']}: {told['message']}"]
            lines += [json.dumps(told["payload"])] if told.get("payload") is not None else []
            lines += [f"the provider said: {_short(told['upstream']['body'])}"] if "upstream" in told else []
            if "\n  File " in told["traceback"]:
                click.echo(told["traceback"], err=True)
            raise click.ClickException("\n".join(lines)) from None
    _report(transport.collected, output, show=show)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 500 else text[:500] + "…"


def _report(collected: Any, output: bytes | None, *, show: int) -> None:
    from dragoman.cli.deploy import plural

    if output is not None:
        click.echo(json.dumps(json.loads(output), indent=2))
    for model, records in collected.saved.items():
        tracked = ", deletes tracked" if model in collected.tracked else ""
        click.echo(f"{model}: {plural(len(records), 'record')} would be saved{tracked}")
        for record in list(records.values())[:show]:
            click.echo(f"  {json.dumps(record, ensure_ascii=False)}")
        if len(records) > show:
            click.echo(f"  … and {len(records) - show} more; --show says how many")
    for model, ids in collected.deleted.items():
        more = ", …" if len(ids) > show else ""
        click.echo(f"{model}: {plural(len(ids), 'record')} would be deleted: {', '.join(ids[:show])}{more}")
    if collected.checkpoint is not None:
        click.echo(f"checkpoint: {json.dumps(collected.checkpoint)}")
    if collected.metadata is not None:
        click.echo(f"metadata: {json.dumps(collected.metadata)}")
    click.echo("Nothing was saved.")
