"""The `dragoman` command: what authors need is here; server commands join through the entry-point group
`dragoman.commands` when `dragoman[server]` is installed. Runs on anybody's machine; stores nothing.
"""

import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

import click

AUTHORING = {
    "init": "dragoman.cli.init:init",
    "deploy": "dragoman.cli.deploy:deploy",
    "dryrun": "dragoman.cli.dryrun:dryrun",
    "import": "dragoman.cli.import_nango:import_",
}
"""Commands of the light installation, loaded when called: name -> module:attribute."""
SERVER_COMMANDS = ("up", "serve", "migrate", "keys")
GROUP = "dragoman.commands"


class Commands(click.Group):
    """Finds commands late: the ones of this package by name, the others in the entry-point group."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *AUTHORING, *self._found(), *SERVER_COMMANDS})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in AUTHORING:
            return _load(AUTHORING[cmd_name])
        found = self._found().get(cmd_name)
        if found is not None:
            return found
        if cmd_name in SERVER_COMMANDS:
            return _missing(cmd_name)
        return super().get_command(ctx, cmd_name)

    def _found(self) -> Mapping[str, click.Command]:
        commands: dict[str, click.Command] = {}
        for point in entry_points(group=GROUP):
            try:
                offered: object = point.load()
            except ImportError:  # the extra's own dependencies are not installed
                continue
            offered = offered() if callable(offered) and not isinstance(offered, click.Command) else offered
            if isinstance(offered, click.Group):
                commands |= offered.commands
            elif isinstance(offered, click.Command):
                commands[offered.name or point.name] = offered
            elif isinstance(offered, Mapping):
                commands |= cast("Mapping[str, click.Command]", offered)
            elif isinstance(offered, (list, tuple)):
                commands |= {str(command.name): command for command in cast("Sequence[click.Command]", offered)}
        return commands


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="dragoman")
def main() -> None:
    """Authorize, read, write and follow any third-party API on behalf of your customers."""


def _load(where: str) -> click.Command:
    module, _, attribute = where.partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command)
    return command


def _missing(name: str) -> click.Command:
    @click.command(
        name,
        help="(needs the server: pip install 'dragoman[server]')",
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    def missing() -> None:
        click.echo(
            f"`dragoman {name}` needs the server, which is not installed here:\n\n    pip install 'dragoman[server]'",
            err=True,
        )
        sys.exit(2)

    return missing
