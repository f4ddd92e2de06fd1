"""Make the synchronous client from the asynchronous one: `generate_client.py [--check]`."""

import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "src" / "dragoman" / "client"
RULES = (
    (
        r'"""The client, asynchronous\..*?"""',
        '"""The client, synchronous. Made from `_async.py` by `scripts/generate_client.py`: never edit by hand."""',
    ),
    (r"\basync def\b", "def"),
    (r"\basync with\b", "with"),
    (r"\basync for\b", "for"),
    (r"\bawait ", ""),
    (r"\b_AsyncPart\b", "_Part"),
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


def main() -> int:
    text = (FOLDER / "_async.py").read_text("utf-8")
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text)
    ruff = [sys.executable, "-m", "ruff"]
    name = ["--stdin-filename", str(FOLDER / "_sync.py")]
    text = subprocess.run(
        [*ruff, "check", "-q", "--fix-only", "--select", "I", *name, "-"],
        input=text,
        text=True,
        capture_output=True,
        check=True,
    ).stdout
    text = subprocess.run(
        [*ruff, "format", "-q", *name, "-"], input=text, text=True, capture_output=True, check=True
    ).stdout
    target = FOLDER / "_sync.py"
    if "--check" in sys.argv:
        if target.read_text("utf-8") != text:
            print("src/dragoman/client/_sync.py is not what _async.py makes: run `make docs`")
            return 1
        return 0
    target.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
