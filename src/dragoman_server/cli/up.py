"""`dragoman up`: the whole platform, one command."""

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dragoman_server.cli.options import data_dir, fail, port, settings_or_fail

if TYPE_CHECKING:
    from dragoman_server.assembly.layout import DataFolder


@click.command()
@data_dir
@port
@click.option("--api-workers", type=click.IntRange(0, 64), default=0, help="Extra processes that only serve the API.")
@click.option(
    "--simulate",
    is_flag=True,
    help="Play every provider on this machine: nothing leaves it, no account is needed. For development and tests.",
)
def up(data_dir: Path, port: int, api_workers: int, *, simulate: bool) -> None:
    """Start the whole platform, on an embedded Postgres unless DRAGOMAN_DATABASE_URL is set."""
    from dragoman_server.assembly.layout import ROLES, SIMULATOR_ROLE, DataFolder, databases_of
    from dragoman_server.assembly.supervisor import PostgresLike, Supervisor, Worker, listen
    from dragoman_server.db.embedded import EmbeddedPostgres, EmbeddedPostgresError

    settings = settings_or_fail()
    folder = DataFolder(data_dir.absolute())
    folder.make()
    try:
        folder.lock()
    except BlockingIOError:
        fail(f"Another `dragoman up` runs on {folder.root}: stop it, or choose another --data-dir.")
    _keep_worlds_apart(folder, simulate=simulate, own_database=settings.database_url is None)
    try:
        listener = listen(settings.bind, port)
    except OSError as error:
        fail(str(error))
    actual_port = listener.getsockname()[1]
    host = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
    public_url = settings.public_url or f"http://{'127.0.0.1' if host in ('0.0.0.0', '[::]') else host}:{actual_port}"  # noqa: S104
    postgres: Any = PostgresLike()
    if settings.database_url is None:
        postgres = EmbeddedPostgres(folder.postgres)
        click.echo("· starting the embedded Postgres", err=True)
        try:
            postgres.start()
        except EmbeddedPostgresError as error:
            fail(str(error))
    databases = databases_of(settings, embedded=postgres.url() if settings.database_url is None else None)
    config: dict[str, Any] = {"data_dir": str(folder.root), "public_url": public_url, "edition": settings.edition}
    try:
        result = _prepare({**config, "databases": databases.as_dict()})
    except click.ClickException:
        postgres.stop()
        raise
    _announce(folder, public_url, created=bool(result["created"]), applied=result["applied"])
    roles = ROLES if settings.edition == "full" else ("api", "relay")
    workers = [Worker("work", roles, listens=True)]
    workers += [Worker(f"api-{i + 1}", ("api",), listens=True) for i in range(api_workers)]
    if simulate:
        world = listen("127.0.0.1", 0)
        config["simulator"] = f"http://127.0.0.1:{world.getsockname()[1]}"
        workers.insert(0, Worker(SIMULATOR_ROLE, (SIMULATOR_ROLE,), listens=True, listener=world))
        click.echo(
            f"· simulated: every provider is played at {config['simulator']}; nothing leaves this machine", err=True
        )
    supervisor = Supervisor(
        postgres=postgres,
        databases=databases,
        workers=workers,
        listener=listener,
        config=config,
        drain_seconds=settings.drain_seconds,
        say=lambda text: click.echo(f"· {text}", err=True),
    )
    sys.exit(supervisor.run())


def _keep_worlds_apart(folder: "DataFolder", *, simulate: bool, own_database: bool) -> None:
    """A simulated vendor would call real tokens dead, and a real one simulated tokens: never on the same data."""
    if simulate and not own_database:
        fail("--simulate runs on a database of its own: unset DRAGOMAN_DATABASE_URL.")
    if not folder.credentials.exists():
        folder.simulated.unlink(missing_ok=True)
        if simulate:
            folder.simulated.touch()
    elif simulate and not folder.simulated.exists():
        fail(f"{folder.root} holds a real platform: give --simulate a --data-dir of its own.")
    elif folder.simulated.exists() and not simulate:
        fail(f"{folder.root} holds a simulated platform: start it with --simulate, or choose another --data-dir.")


def _prepare(config: dict[str, Any]) -> dict[str, Any]:
    """Make and migrate the databases in a process of its own, so that this one stays small."""
    done = subprocess.run(
        [sys.executable, "-m", "dragoman_server.assembly.prepare"],
        input=json.dumps(config).encode(),
        stdout=subprocess.PIPE,
        check=False,
    )
    try:
        result = json.loads(done.stdout)
    except ValueError:
        fail(f"Preparing the database failed (exit {done.returncode}); the error stands above.")
    if "error" in result:
        fail(str(result["error"]))
    return result


def _announce(folder: Any, public_url: str, *, created: bool, applied: list[str]) -> None:
    if applied:
        click.echo(f"· migrations applied: {len(applied)}", err=True)
    if created:
        given = json.loads(folder.credentials.read_text("utf-8"))
        click.echo("\nFirst start: an account with the environments dev and prod was made. Shown once, kept in")
        click.echo(f"{folder.credentials} (mode 0600):\n")
        click.echo(f"  account key   {given['account_key']}")
        for name, environment in given["environments"].items():
            click.echo(f"  {name:<4} API key  {environment['api_key']}")
        click.echo("")
    click.echo(f"Dragoman listens on {public_url}", err=True)
