"""`dragoman init`: a project to start from."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

_RENAMED = {"gitignore": ".gitignore", "env.example": ".env.example"}


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path), default=".")
def init(folder: Path) -> None:
    """Write a small project into FOLDER: one sync, one action. Existing files are left as they are."""
    written = write_scaffold(folder)
    for path in written:
        click.echo(f"  {path}")
    click.echo(f"{len(written)} files written." if written else "Nothing to write: all files exist.")
    change = "" if folder.resolve() == Path.cwd() else f"cd {folder}, "
    click.echo(f"Next: {change}name your integration in functions/contacts.py, then")
    click.echo("  dragoman dryrun contacts CONNECTION")
    click.echo("  dragoman deploy dev")


def write_scaffold(folder: Path) -> list[Path]:
    """Write the scaffold's files that do not exist yet; returns them."""
    written: list[Path] = []

    def copy(source: Traversable, target: Path) -> None:
        for entry in sorted(source.iterdir(), key=lambda found: found.name):
            if entry.name == "__pycache__":
                continue
            path = target / _RENAMED.get(entry.name, entry.name)
            if entry.is_dir():
                copy(entry, path)
            elif not path.exists():
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(entry.read_bytes())
                written.append(path)

    copy(files("dragoman") / "scaffold", folder)
    return written
