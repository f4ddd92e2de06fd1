"""`dragoman serve ROLE...`: one worker process with some roles, for several processes or machines on one database."""

import sys
from pathlib import Path

import click

from dragoman_server.cli.options import data_dir, fail, port, settings_or_fail


@click.command()
@click.argument("roles", nargs=-1, required=True, metavar="ROLE...")
@data_dir
@port
def serve(roles: tuple[str, ...], data_dir: Path, port: int) -> None:
    """Run ROLES (api, orchestrator, jobs, relay) here. Needs DRAGOMAN_DATABASE_URL; run `dragoman migrate` first."""
    from dragoman_server.assembly.layout import ROLES, DataFolder, databases_of
    from dragoman_server.assembly.supervisor import listen
    from dragoman_server.assembly.worker import run_worker

    unknown = [r for r in roles if r not in ROLES]
    if unknown:
        fail(f"Unknown role {unknown[0]!r}; the roles are {', '.join(ROLES)}.")
    settings = settings_or_fail()
    if settings.database_url is None:
        fail("DRAGOMAN_DATABASE_URL is not set: roles share a database. `dragoman up` starts one of its own.")
    folder = DataFolder(data_dir.absolute())
    folder.make()
    listener = None
    public_url = settings.public_url
    if "api" in roles:
        try:
            listener = listen(settings.bind, port)
        except OSError as error:
            fail(str(error))
        public_url = public_url or f"http://{settings.bind}:{listener.getsockname()[1]}"
        click.echo(f"Dragoman listens on {public_url}", err=True)
    databases = databases_of(settings)
    config = {
        "data_dir": str(folder.root),
        "public_url": public_url,
        "edition": settings.edition,
        "roles": list(roles),
        "databases": databases.as_dict(),
        "name": "-".join(roles),
    }
    sys.exit(run_worker(config, listener))
