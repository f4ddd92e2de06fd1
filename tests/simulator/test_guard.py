"""What the simulator may never do: weaken the real outbound client, or let a call out of the machine."""

import ast
import inspect
from pathlib import Path

import pytest

from dragoman_server.assembly.settings import read_settings
from dragoman_server.assembly.simulating import make_catalogue, make_egress
from dragoman_server.egress import EgressClient, EgressRefusedError, EgressRules, UpstreamUnreachableError
from dragoman_server.providers import Catalogue
from dragoman_server.simulator import LoopbackOnly, SimulatedEgress

SERVER = Path(__file__).parents[2] / "src" / "dragoman_server"


def test_without_the_flag_the_outbound_client_is_the_real_one_and_guards() -> None:
    egress = make_egress({"edition": "full"}, read_settings({}))

    assert type(egress) is EgressClient
    assert type(egress.rules) is EgressRules
    assert not egress.rules.permits("127.0.0.1")
    assert type(make_catalogue({}, read_settings({}))) is Catalogue


def test_no_setting_of_the_environment_turns_simulation_on() -> None:
    from dragoman_server.assembly.settings import Settings

    assert [name for name in Settings.model_fields if "simul" in name] == []


def test_the_real_client_has_no_way_to_be_redirected() -> None:
    names = {name.lower() for name in inspect.signature(EgressClient.__init__).parameters}
    source = "".join(p.read_text("utf-8") for p in sorted((SERVER / "egress").glob("*.py")))

    assert not {n for n in names if "map" in n or "simul" in n or "origin" in n}
    assert "simul" not in source.lower()


def test_only_assembly_and_the_command_line_know_the_simulator() -> None:
    strangers: list[str] = []
    for path in sorted(SERVER.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            if name.startswith("dragoman_server.simulator"):
                strangers.append(str(path.relative_to(SERVER)))

    assert {name for name in strangers if not name.startswith("simulator/")} == {
        "assembly/simulating.py",
        "cli/providers.py",
        "cli/trial.py",
    }


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "10.0.0.1", "169.254.169.254", "::ffff:8.8.8.8", "2606:4700::1", "", "x"]
)
def test_a_simulated_platform_opens_loopback_addresses_only(address: str) -> None:
    assert LoopbackOnly().permits("127.0.0.1")
    assert not LoopbackOnly().permits(address)


async def test_a_call_meant_for_the_world_never_leaves_even_if_the_simulator_is_elsewhere() -> None:
    async with SimulatedEgress("http://192.0.2.1:9") as egress:
        with pytest.raises((EgressRefusedError, UpstreamUnreachableError)):
            async with egress.request("GET", "https://api.github.com/user"):
                pass
