"""Write the generated reference pages, or check that they are in step: `generate_docs.py [--check]`."""

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
from raised_codes import raised_codes

import dragoman_server
from dragoman.cli import main as console
from dragoman_server.api.openapi import build_openapi
from dragoman_server.assembly.doors import Doors, build_api
from dragoman_server.assembly.settings import PREFIX, Settings
from dragoman_server.kit.errors import DragomanError
from dragoman_server.providers import load_catalogue
from dragoman_server.providers.reference import providers_markdown

ROOT = Path(__file__).parent.parent
REFERENCE = ROOT / "docs" / "reference"


class Anything:
    """Stands for a part nobody calls: routes are only described."""

    def __getattr__(self, name: str) -> "Anything":
        return Anything()

    def __call__(self, *_: object, **__: object) -> "Anything":
        return Anything()


def document() -> dict[str, Any]:
    parts: dict[str, Any] = {name: Anything() for name in Doors.__dataclass_fields__}
    app = build_api(Doors(**(parts | {"edition": "full", "public_url": ""})), Anything())  # type: ignore[arg-type]
    return build_openapi(app)


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "Read from the environment once, at start. A name that is not here is refused.",
        "",
        "| name | default | what it is |",
        "|---|---|---|",
    ]
    for name, field in Settings.model_fields.items():
        default = "" if field.default in (None, "") else f"`{field.default}`"
        lines.append(f"| `{PREFIX}{name.upper()}` | {default} | {field.description} |")
    return "\n".join(lines) + "\n"


def subclasses(kind: type[DragomanError]) -> set[type[DragomanError]]:
    found = set(kind.__subclasses__())
    return found | {inner for one in found for inner in subclasses(one)}


def _first_line(kind: type[DragomanError]) -> str:
    return next((line.strip() for line in (kind.__doc__ or "").splitlines() if line.strip()), "")


def errors_page() -> str:
    for module in pkgutil.walk_packages(dragoman_server.__path__, "dragoman_server."):
        if ".guest" not in module.name and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    rows: dict[tuple[str, int], set[str]] = {}
    for kind in subclasses(DragomanError) | {DragomanError}:
        own = _first_line(kind) if kind.__doc__ and kind.__doc__ != kind.__mro__[1].__doc__ else ""
        rows.setdefault((kind.code, kind.default_status), set()).add(f"{own} *({kind.reaction.value})*".strip())
    for one in raised_codes():
        own = rows.setdefault((one.code, one.status), set())
        if not own or one.message:
            words = one.message or (
                _first_line(one.kind) if one.kind else "The provider refused, or could not be asked."
            )
            own.add(f"{words} *({(one.kind or DragomanError).reaction.value if one.kind else 'fix'})*".strip())
    rows[("generic_error_support", 500)] = {"Unexpected; `payload` is the number it has in the server's log. *(retry)*"}
    lines = [
        "# Error codes",
        "",
        "`error.code` in the envelope never changes its meaning. Some routes answer the same code with another status.",
        "What to do: *fix* the request, *retry* later, *reconnect* the account, or *give_up*.",
        "",
        "| code | status | meaning |",
        "|---|---|---|",
    ]
    for (code, status), meanings in sorted(rows.items()):
        lines.append(f"| `{code}` | {status} | {' '.join(sorted(meanings))} |")
    return "\n".join(lines) + "\n"


def cli_page() -> str:
    lines = ["# Command line", ""]

    def describe(command: click.Command, path: str) -> None:
        context = click.Context(command, info_name=path, max_content_width=100, terminal_width=100)
        lines.extend([f"## `{path}`", "", "```text", command.get_help(context).rstrip(), "```", ""])
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                inner = command.get_command(context, name)
                if inner is not None and not (inner.help or "").startswith("(needs"):
                    describe(inner, f"{path} {name}")

    describe(console, "dragoman")
    return "\n".join(lines)


def pages() -> dict[Path, str]:
    return {
        REFERENCE / "openapi.json": json.dumps(document(), indent=1, sort_keys=True) + "\n",
        REFERENCE / "settings.md": settings_page(),
        REFERENCE / "errors.md": errors_page(),
        REFERENCE / "cli.md": cli_page(),
        REFERENCE / "providers.md": providers_markdown(load_catalogue()),
    }


def main() -> int:
    check = "--check" in sys.argv
    stale: list[str] = []
    for path, text in pages().items():
        if path.exists() and path.read_text("utf-8") == text:
            continue
        if check:
            stale.append(str(path.relative_to(ROOT)))
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    client = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "generate_client.py"), *(["--check"] if check else [])], check=False
    )
    for name in stale:
        print(f"{name} is out of step: run `make docs`")
    return 1 if stale or client.returncode else 0


if __name__ == "__main__":
    sys.exit(main())
