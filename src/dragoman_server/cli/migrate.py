"""`dragoman migrate`: bring the databases up to date."""

import asyncio

import click

from dragoman_server.cli.options import fail, settings_or_fail


@click.command()
@click.option("--pre-only", is_flag=True, help="Only what the new release needs; the rest once it runs everywhere.")
def migrate(*, pre_only: bool) -> None:
    """Create and migrate the databases of DRAGOMAN_DATABASE_URL. Forward only; safe to run again."""
    from dragoman_server.assembly.layout import databases_of
    from dragoman_server.assembly.prepare import PrepareError, prepare_databases

    settings = settings_or_fail()
    if settings.database_url is None:
        fail("DRAGOMAN_DATABASE_URL is not set; the embedded Postgres is migrated by `dragoman up`.")
    databases = databases_of(settings)
    try:
        applied = asyncio.run(prepare_databases(databases, include_post=not pre_only))
    except PrepareError as error:
        fail(str(error))
    for one in applied:
        click.echo(f"applied {one}")
    click.echo("up to date")
