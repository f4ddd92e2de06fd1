"""The outbound client of a simulated platform: whatever is meant for the world goes to the simulator beside it.

A class of its own, made by `assembly` for `--simulate` alone; the real client has no way to be redirected. Its socket
gate opens loopback addresses only, so that no mistake here lets a credential leave the machine.
"""

from ipaddress import ip_address
from typing import Any

from yarl import URL

from dragoman_server.egress import Body, Deadlines, EgressClient, EgressRules
from dragoman_server.egress.redirects import origin_of
from dragoman_server.simulator.app import ORIGIN_HEADER


class LoopbackOnly(EgressRules):
    """Permits loopback addresses and nothing else."""

    def permits(self, address: str) -> bool:
        try:
            return ip_address(address).is_loopback
        except ValueError:
            return False


class SimulatedEgress(EgressClient):
    """Sends every hop to `simulator`, an origin on loopback, but for what goes to loopback anyway (webhooks)."""

    def __init__(self, simulator: str, *, user_agent: str = "dragoman") -> None:
        super().__init__(LoopbackOnly(), user_agent=user_agent)
        self._simulator = URL(simulator)

    async def send(
        self,
        method: str,
        url: URL,
        headers: list[tuple[str, str]],
        body: Body,
        deadlines: Deadlines,
        client_certificate: tuple[str, str] | None,
    ) -> Any:
        """Send one hop; the vendor's origin travels in a header of ours, which no caller can set."""
        headers = [(name, value) for name, value in headers if name.lower() != ORIGIN_HEADER]
        if not _is_here(url.raw_host or ""):
            headers.append((ORIGIN_HEADER, origin_of(url)))
            target = f"{self._simulator.origin()}{url.raw_path_qs}"
            url, client_certificate = URL(target, encoded=True), None
        return await super().send(method, url, headers, body, deadlines, client_certificate)


def _is_here(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
