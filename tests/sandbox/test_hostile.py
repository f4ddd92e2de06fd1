"""Hostile functions reach nothing, in both tiers, as root and as an unprivileged user."""

# ruff: noqa: PT018

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from dragoman_server.runners.host import runtime

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
USERS = ["root", "nobody"] if os.geteuid() == 0 else ["myself"]
NOBODY = 65534
NEEDED = ("msgspec", "structlog", "prometheus_client", "pyseccomp", *runtime.BASE_PACKAGES)

AT_IMPORT = {
    "exits_at_import": "import os\nos._exit(3)",
    "raises_at_import": "raise RuntimeError('no')",
    "threads_at_import": "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()",
    "daemon_at_import": (
        "import os, time, ctypes\n"
        "ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)\n"
        "try:\n"
        "    for _ in range(3):\n"
        "        if os.fork() == 0:\n"
        "            os.setsid()\n"
        "            while True: time.sleep(1000)\n"
        "except OSError: pass\n"
    ),
    "kills_at_import": "import os\ntry:\n    os.kill(-1, 9)\nexcept OSError: pass\ntry:\n    os.kill(1, 9)\nexcept OSError: pass",
}
GOOD = (
    "from dragoman import ActionContext, action\n"
    "@action(integration='x')\n"
    "def nothing(ctx: ActionContext) -> str:\n"
    "    return 'fine'\n"
)


def _copy_packages(target: Path) -> None:
    for name in dict.fromkeys(NEEDED):
        spec = find_spec(name)
        assert spec is not None and spec.origin is not None
        origin = Path(spec.origin)
        if origin.name == "__init__.py":
            shutil.copytree(origin.parent, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(origin, target / origin.name)
    for name in ("dragoman", "dragoman_server"):
        shutil.copytree(ROOT / "src" / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))


def _write_projects(folder: Path) -> None:
    for name in ("hostile", "other"):
        shutil.copytree(HERE / "hostile", folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name, text in AT_IMPORT.items():
        (folder / name / "functions").mkdir(parents=True)
        (folder / name / "functions" / "bad.py").write_text(f"{text}\n{GOOD}")


@pytest.fixture(scope="module")
def readable(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[str], dict[str, str]]]:
    """A Python with what the runner host needs, and the projects, where any user can read them."""
    base = Path(tempfile.mkdtemp(prefix="dgsb-", dir="/tmp"))
    base.chmod(0o755)
    python = runtime.this_interpreter()
    environment: dict[str, str] = {}
    python = runtime.for_any_user(base, python)
    if python.library_path is not None:
        environment["LD_LIBRARY_PATH"] = python.library_path
    packages = base / "packages"
    packages.mkdir()
    _copy_packages(packages)
    projects = base / "projects"
    projects.mkdir()
    _write_projects(projects)
    shutil.copy(HERE / "world.py", base / "world.py")
    for path in (base, *base.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    environment["PYTHONPATH"] = str(packages)
    yield base, [str(python.executable), "-S", "-B", str(base / "world.py")], environment
    shutil.rmtree(base, ignore_errors=True)


World = dict[str, Any]


def _play(readable: tuple[Path, list[str], dict[str, str]], tier: str, user: str) -> World:
    base, command, environment = readable
    folder = Path(tempfile.mkdtemp(prefix=f"w-{tier[0]}{user[0]}-", dir=base))
    prefix: list[str] = []
    if user == "nobody":
        os.chown(folder, NOBODY, NOBODY)
        prefix = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--inh-caps=-all", "--"]
    if user == "root":
        folder.chmod(0o755)
    ran = subprocess.run(
        [*prefix, *command, tier, str(folder), str(base / "projects")],
        env={**environment, "DRAGOMAN_TEST_SECRET": "SECRET-OF-THE-SERVER-4711", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        timeout=200,
        check=False,
        cwd=base,
    )
    shutil.rmtree(folder, ignore_errors=True)
    assert ran.returncode == 0, ran.stderr.decode()[-4000:]
    return json.loads(ran.stdout.splitlines()[-1])


@pytest.fixture(scope="module", params=[f"{tier}-{user}" for tier in ("sealed", "contained") for user in USERS])
def world(request: pytest.FixtureRequest, readable: tuple[Path, list[str], dict[str, str]]) -> World:
    tier, user = request.param.split("-")
    return _play(readable, tier, user)


@pytest.fixture(scope="module")
def open_world(readable: tuple[Path, list[str], dict[str, str]]) -> World:
    """The same attacks without a sandbox."""
    return _play(readable, "off", USERS[-1])


@pytest.mark.parametrize("attack", ["read_files", "connect_out", "find_secrets", "start_processes"])
def test_without_a_sandbox_the_same_attack_succeeds(open_world: World, attack: str) -> None:
    assert len(open_world[attack]["value"]) > 0


def test_the_tier_asked_for_is_in_use(world: World) -> None:
    assert world["tier"]["tier"] == world["tier"]["details"]["requested"]


@pytest.mark.parametrize(
    "attack",
    [
        "read_files",
        "connect_out",
        "look_at_others",
        "find_secrets",
        "change_the_kernel",
        "start_processes",
        "replace_itself",
        "signal_others",
        "read_descriptors",
        "steal_from_siblings",
        "leave_traces",
        "find_traces",
    ],
)
def test_a_hostile_function_reaches_nothing_by(world: World, attack: str) -> None:
    assert world[attack] == {"end": "succeeded", "value": [], "logged": 0}


def test_a_sibling_of_attackers_ends_well(world: World) -> None:
    assert world["hold_a_secret"]["end"] == world["sibling"]["end"] == "succeeded"


def test_a_run_that_spins_is_ended_by_its_cpu_limit(world: World) -> None:
    assert world["spin"]["code"] == "function_runtime_timed_out"


def test_a_run_that_sleeps_is_ended_by_its_deadline(world: World) -> None:
    assert world["sleep_on"]["code"] == "function_runtime_timed_out"


def test_a_run_that_eats_memory_is_ended(world: World) -> None:
    assert world["eat_memory"]["code"] == "function_runtime_out_of_memory"


def test_an_answer_longer_than_the_limit_is_refused(world: World) -> None:
    assert world["long_answer"]["code"] == "script_output_too_large"


def test_a_flood_of_log_lines_is_cut(world: World) -> None:
    assert world["flood_the_log"]["end"] == "succeeded"
    assert world["flood_the_log"]["logged"] < 1_100_000


def test_files_stay_within_their_limits(world: World) -> None:
    wrote = world["write_files"]["value"]

    assert wrote["one"] <= 64 * 1024 * 1024
    assert wrote["one"] + wrote["all"] <= 129 * 1024 * 1024
    assert wrote["open"] < 256


def test_threads_stay_within_their_limit(world: World) -> None:
    assert world["start_threads"]["end"] == "failed" or world["start_threads"]["value"] < 2000


def test_a_crash_is_the_crashing_runs_alone(world: World) -> None:
    assert world["crash"]["code"] == "function_runtime_other"
    assert world["after"] == {"end": "succeeded", "value": "fine", "logged": 0}


def test_nonsense_on_the_socket_ends_the_run(world: World) -> None:
    assert world["talk_nonsense"]["end"] == "failed"


def test_a_cancelled_run_ends_as_interrupted(world: World) -> None:
    assert world["cancelled"] == "cancelled"


def test_a_project_that_breaks_its_import_breaks_only_itself(world: World) -> None:
    assert world["exits_at_import"]["end"] != "succeeded"
    assert world["raises_at_import"]["code"] == "script_invalid_error"
    assert world["after_imports"]["value"] == "fine"


def test_a_project_whose_import_starts_threads_runs(world: World) -> None:
    assert world["threads_at_import"] == {"end": "succeeded", "value": "fine", "logged": 0}


def test_nothing_outlives_the_host(world: World) -> None:
    assert world["before"] > 0
    assert world["left"] == []
    assert world["key"] == "THE-KEY"
