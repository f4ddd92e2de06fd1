"""A fake world for tests and demos: every provider of the catalogue, played from its entry on loopback.

`assembly` runs it in a process of its own for `dragoman up --simulate`, and only then sends outbound calls here instead
of to the vendors (`SimulatedEgress`); tests and `dragoman providers test` run it inside theirs. It stores nothing: its
tokens carry what they stand for. What it demands is read from the entry by code of its own, not by the code it tests.
"""

from dragoman_server.simulator.app import SimulatorApp
from dragoman_server.simulator.catalogue import SimulatedCatalogue, moved_page
from dragoman_server.simulator.egress import LoopbackOnly, SimulatedEgress
from dragoman_server.simulator.world import World

__all__ = ["LoopbackOnly", "SimulatedCatalogue", "SimulatedEgress", "SimulatorApp", "World", "moved_page"]
