"""`dragoman keys`: the keys that protect the credentials."""

import asyncio
from pathlib import Path
from typing import Any

import click

from dragoman_server.cli.options import data_dir, fail, settings_or_fail


@click.group()
def keys() -> None:
    """The key-encryption key and the data keys."""


@keys.command()
@data_dir
@click.option("--data-keys/--no-data-keys", default=True, show_default=True, help="Also make new data keys.")
def rotate(data_dir: Path, *, data_keys: bool) -> None:
    """Make a new key-encryption key and new data keys, while everything runs.

    Every data key is wrapped with the new key at once. What the old data keys sealed is encrypted again by the running
    server, in the background; a key is dropped when a count proves nobody needs it. Run it again after an interruption.
    """
    from dragoman_server.assembly.layout import DataFolder
    from dragoman_server.assembly.rotate import RotationError, rotate_keys

    settings = settings_or_fail()
    try:
        told: dict[str, Any] = asyncio.run(rotate_keys(settings, DataFolder(data_dir.absolute()), data_keys=data_keys))
    except RotationError as error:
        fail(str(error))
    for line in told["lines"]:
        click.echo(line)
