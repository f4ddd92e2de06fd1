"""`dragoman up --simulate`: the only place where outbound calls are led to the simulator instead of to the world.

Everybody else's client is made here too, so that what differs is read side by side.
"""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from dragoman_server.assembly.settings import Settings
from dragoman_server.egress import EgressClient, EgressRules
from dragoman_server.providers import Catalogue, load_catalogue


def make_egress(config: Mapping[str, Any], settings: Settings) -> EgressClient:
    """Return this process's outbound client; `config["simulator"]` is set by `up --simulate` and nothing else."""
    user_agent = f"dragoman/{version('dragoman')}"
    simulator = config.get("simulator")
    if simulator is None:
        return EgressClient(EgressRules(settings.networks("egress_allow")), user_agent=user_agent)
    from dragoman_server.simulator import SimulatedEgress

    return SimulatedEgress(str(simulator), user_agent=user_agent)


def make_catalogue(config: Mapping[str, Any], settings: Settings) -> Catalogue:
    """Return the catalogue; simulated, its consent pages are the simulator's."""
    catalogue = load_catalogue(settings.providers_dir)
    simulator = config.get("simulator")
    if simulator is None:
        return catalogue
    from dragoman_server.simulator import SimulatedCatalogue

    return SimulatedCatalogue(catalogue, str(simulator))


def make_page_of(config: Mapping[str, Any]) -> Callable[[str], str]:
    """Return what says where a browser finds a provider's consent page: where the provider says, unless simulated."""
    simulator = config.get("simulator")
    if simulator is None:
        return str
    from dragoman_server.simulator import moved_page

    return lambda url: moved_page(url, str(simulator))


def simulator_app(settings: Settings) -> Any:
    """Return the ASGI application of the simulator's process."""
    from dragoman_server.simulator import SimulatorApp, World

    return SimulatorApp(World(load_catalogue(settings.providers_dir).all()))
