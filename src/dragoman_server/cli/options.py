"""Options several commands share, and how a bad setting is told."""

from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import click

if TYPE_CHECKING:
    from dragoman_server.assembly.settings import Settings

data_dir = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".dragoman"),
    show_default=True,
    envvar="DRAGOMAN_DATA_DIR",
    help="Keys, credentials, bundles and the embedded Postgres live here.",
)
port = click.option(
    "--port", type=click.IntRange(0, 65535), default=3003, show_default=True, help="The public port (0: any free one)."
)


def fail(message: str) -> NoReturn:
    """End the command with one clear message."""
    raise click.ClickException(message)


def settings_or_fail() -> "Settings":
    """Read the settings; end the command naming each bad one."""
    from dragoman_server.assembly.settings import InvalidSettingsError, read_settings

    try:
        return read_settings()
    except InvalidSettingsError as error:
        fail("Invalid settings:\n" + "\n".join(f"  {i.path[0]}: {i.message}" for i in error.issues))
