"""`dragoman migrate`: bring the databases up to date."""

import asyncio
from pathlib import Path

import click

from dragoman_server.cli.options import fail, settings_or_fail


@click.command()
@click.option("--pre-only", is_flag=True, help="Only what the new release needs; the rest once it runs everywhere.")
@click.option(
    "--first-account",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Also make the first account, when there is none, and write its keys to DIR/credentials.json.",
)
def migrate(*, pre_only: bool, first_account: Path | None) -> None:
    """Create and migrate the databases of DRAGOMAN_DATABASE_URL. Forward only; safe to run again."""
    from dragoman_server.assembly.layout import DataFolder, databases_of
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
    if first_account is not None:
        from dragoman_server.assembly.bootstrap import bootstrap

        folder = DataFolder(first_account.absolute())
        folder.make()
        made = asyncio.run(bootstrap(databases, folder, url=settings.public_url))
        click.echo(f"the first account's keys are in {folder.credentials}" if made else "there is an account already")
