"""Dependencies from a folder of wheels on this machine."""

import hashlib
import json
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from dragoman_server.kit.ids import DeploymentId, EnvironmentId, RunId
from dragoman_server.runners.errors import DependencyError
from dragoman_server.runners.host import HostSettings, LocalRunnerHost, dependencies
from dragoman_server.runners.host.dependencies import cache_key, parse_lock
from dragoman_server.runners.port import BundleRef, Failed, RunContext, RunSpec, Succeeded
from tests.runners.calls import RecordingCalls

HASH = "--hash=sha256:" + "0" * 64


def _wheel(folder: Path) -> str:
    path = folder / "tinygreeting-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tinygreeting/__init__.py", "def greet(name):\n    return f'hello {name}'\n")
        wheel.writestr(
            "tinygreeting-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tinygreeting\nVersion: 1.0\n"
        )
        wheel.writestr(
            "tinygreeting-1.0.dist-info/WHEEL",
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        wheel.writestr("tinygreeting-1.0.dist-info/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="dgd-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "wheels").mkdir()
        functions = folder / "project" / "functions"
        functions.mkdir(parents=True)
        (functions / "hello.py").write_text(
            "import tinygreeting\nfrom dragoman import action\n"
            "@action(integration='x')\ndef hello(ctx) -> str:\n    return tinygreeting.greet('you')\n"
        )
        yield folder


def _host(place: Path) -> LocalRunnerHost:
    installing = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(place / "wheels"),
        "UV_NO_INDEX": "1",
        "UV_FIND_LINKS": str(place / "wheels"),
    }
    installing |= {"PIP_EXTRA_INDEX_URL": "", "PIP_CONFIG_FILE": "/dev/null"}
    return LocalRunnerHost(HostSettings(cache=place / "cache", installer_environment=installing))


def _spec(place: Path) -> RunSpec:
    bundle = BundleRef(EnvironmentId(1), DeploymentId("d"), place / "project")
    return RunSpec(RunId(uuid4()), 1, "action", "hello", bundle, RunContext("dev", "x", "x", "c"))


async def test_a_locked_package_is_installed_once_and_importable(place: Path) -> None:
    digest = _wheel(place / "wheels")
    (place / "project" / "requirements.lock").write_text(f"tinygreeting==1.0 \\\n    --hash=sha256:{digest}\n")
    host = _host(place)
    await host.open()
    try:
        first = await host.run(_spec(place), RecordingCalls())
        (place / "wheels" / "tinygreeting-1.0-py3-none-any.whl").unlink()
        await host.evict(EnvironmentId(1))
        second = await host.run(_spec(place), RecordingCalls())
    finally:
        await host.close()

    assert isinstance(first, Succeeded), first
    assert json.loads(first.output or b"") == "hello you"
    assert isinstance(second, Succeeded), second


async def test_a_package_with_another_hash_is_refused(place: Path) -> None:
    _wheel(place / "wheels")
    (place / "project" / "requirements.lock").write_text(f"tinygreeting==1.0 {HASH}\n")
    host = _host(place)
    await host.open()
    try:
        outcome = await host.run(_spec(place), RecordingCalls())
    finally:
        await host.close()

    assert isinstance(outcome, Failed)
    assert "cannot be installed" in outcome.error.message


async def test_a_wheel_that_unpacks_to_too_much_is_never_unpacked(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = place / "wheels" / "tinygreeting-1.0-py3-none-any.whl"
    _wheel(place / "wheels")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("tinygreeting/bomb.bin", b"\0" * (8 * 2**20))
    assert path.stat().st_size < 2**20
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (place / "project" / "requirements.lock").write_text(f"tinygreeting==1.0 --hash=sha256:{digest}\n")
    ran: list[str] = []
    kind: Any = dependencies.Dependencies
    start = kind._run  # noqa: SLF001 (what starts an installer)

    def seen(self: Any, command: list[str], *more: Any) -> None:
        ran.append(next(word for word in command if word in {"download", "install"}))
        start(self, command, *more)

    monkeypatch.setattr(kind, "_run", seen)
    host: Any = _host(place)
    settings = replace(host._settings, dependency_bytes=4 * 2**20)  # noqa: SLF001
    with pytest.raises(DependencyError, match="more than the 4 MB allowed"):
        await dependencies.Dependencies(place / "cache", settings).installed(place / "project")
    assert ran == ["download"]


def test_an_installer_that_grows_beyond_the_limit_is_ended(place: Path) -> None:
    settings = HostSettings(cache=place / "cache", dependency_bytes=2**20)
    made: Any = dependencies.Dependencies(place / "cache", settings)
    grow = "import pathlib, time\nfor n in range(8): pathlib.Path(f'f{n}').write_bytes(bytes(500_000))\ntime.sleep(60)"
    with pytest.raises(DependencyError, match="more than the 1 MB allowed"):
        made._run([sys.executable, "-c", grow], {}, place, None, {place: 2**20})  # noqa: SLF001


@pytest.mark.parametrize(
    "line",
    [
        "requests",
        "requests>=2 " + HASH,
        "requests==2.0",
        "-e .",
        "--index-url https://evil.test/simple",
        "--extra-index-url https://evil.test/simple",
        "https://evil.test/x.whl",
        "x @ https://evil.test/x.whl " + HASH,
        "x==1 --config-settings a=b " + HASH,
        "-r other.txt",
        "./local.whl",
    ],
)
def test_a_lock_takes_pinned_hashed_names_and_nothing_else(line: str) -> None:
    with pytest.raises(DependencyError):
        parse_lock(line)


def test_a_lock_keeps_markers_and_leaves_out_what_the_platform_provides() -> None:
    text = f"# made by a tool\na==1 ; python_version < '3.13' \\\n    {HASH}\ndragoman==0.1.0 {HASH}\nb[x]==2 {HASH}  # why\n"

    assert parse_lock(text) == [f"a==1 ; python_version < '3.13' {HASH}", f"b==2  {HASH}".replace("  ", " ")]


def test_the_cache_key_changes_with_the_lock() -> None:
    assert cache_key("a") != cache_key("b")
