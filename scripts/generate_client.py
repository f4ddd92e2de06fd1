"""Make the synchronous client from the asynchronous one: `generate_client.py [--check]`."""

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "src" / "dragoman" / "client"
RULES = (
    (
        r'"""The client, asynchronous\..*?"""',
        '"""The client, synchronous. Made from `_async` by `scripts/generate_client.py`: never edit by hand."""',
    ),
    (r"client\._async\b", "client._sync"),
    (r"\basync def\b", "def"),
    (r"\basync with\b", "with"),
    (r"\basync for\b", "for"),
    (r"\bawait ", ""),
    (r"\bAsyncPart\b", "Part"),
    (r"\bhttpx\.AsyncClient\b", "httpx.Client"),
    (r"\bAsyncGenerator\[([^\]]+)\]", r"Generator[\1]"),
    (r"\bAsyncGenerator\b", "Generator"),
    (r"\bAsyncIterator\b", "Iterator"),
    (r"\basynccontextmanager\b", "contextmanager"),
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r"\baclose\b", "close"),
    (r"\baread\b", "read"),
    (
        r"\bAsync(?=Client|Providers|Integrations|Connections|Connect|Records|Syncs|Actions|Functions|Environment|Account|Logs|Webhook)",
        "",
    ),
)


def made(source: Path) -> str:
    """The synchronous text of one asynchronous file."""
    text = source.read_text("utf-8")
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    ruff = [sys.executable, "-m", "ruff"]
    name = ["--stdin-filename", str(FOLDER / "_sync" / source.name)]
    for step in (["check", "-q", "--fix-only", "--select", "I"], ["format", "-q"]):
        done = subprocess.run([*ruff, *step, *name, "-"], input=text, text=True, capture_output=True, check=True)
        text = done.stdout
    return text


def main() -> int:
    wanted = {source.name: made(source) for source in sorted((FOLDER / "_async").glob("*.py"))}
    target = FOLDER / "_sync"
    target.mkdir(exist_ok=True)
    there = {path.name: path.read_text("utf-8") for path in target.glob("*.py")}
    if "--check" in sys.argv:
        if there != wanted:
            print("src/dragoman/client/_sync is not what _async makes: run `make docs`")
            return 1
        return 0
    for name in there.keys() - wanted.keys():
        (target / name).unlink()
    for name, text in wanted.items():
        (target / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
