"""Which addresses may be dialled. Pure: no resolver, no clock.

`ipaddress.is_global` is not enough: it calls `64:ff9b::169.254.169.254` (NAT64), `2002:a9fe:a9fe::1` (6to4) and
`::169.254.169.254` global, and its tables change between Python patch releases. So the tables are here: IANA's
special-purpose registries, as RFC 6890 and its updates have them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_SPECIAL_V4 = tuple(
    IPv4Network(net)
    for net in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # carrier-grade NAT; also Alibaba's metadata service
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's host agent: a public number, answered by the hypervisor
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_GLOBAL_V6 = IPv6Network("2000::/3")
_SPECIAL_V6 = tuple(
    IPv6Network(net)
    for net in (
        "2001::/23",  # protocol assignments: Teredo (hides IPv4), ORCHID, benchmarking
        "2001:db8::/32",
        "2002::/16",  # 6to4: hides IPv4
        "3fff::/20",
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")  # 64:ff9b:1::/48 is for local use and, like all outside 2000::/3, refused


def _public_v4(ip: IPv4Address) -> bool:
    return not any(ip in net for net in _SPECIAL_V4)


def _public_v6(ip: IPv6Address) -> bool:
    if ip.scope_id is not None:
        return False
    if ip.ipv4_mapped is not None:
        return _public_v4(ip.ipv4_mapped)
    if ip in _NAT64:  # what an IPv6-only machine with DNS64 sees for an IPv4 service
        return _public_v4(IPv4Address(int(ip) & 0xFFFFFFFF))
    return ip in _GLOBAL_V6 and not any(ip in net for net in _SPECIAL_V6)


def is_public(address: str) -> bool:
    """Return True only if `address`, and any IPv4 address hidden inside it, is globally routable unicast."""
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    return _public_v4(ip) if isinstance(ip, IPv4Address) else _public_v6(ip)


@dataclass(frozen=True)
class EgressRules:
    """Public addresses, plus the CIDRs an operator allows, minus those an operator denies (deny wins)."""

    allow: Sequence[str] = ()
    deny: Sequence[str] = ()
    _allowed: tuple[IPv4Network | IPv6Network, ...] = field(init=False, repr=False)
    _denied: tuple[IPv4Network | IPv6Network, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Parse the CIDRs; raises ValueError for one that is malformed or has host bits set."""
        object.__setattr__(self, "_allowed", tuple(ip_network(net) for net in self.allow))
        object.__setattr__(self, "_denied", tuple(ip_network(net) for net in self.deny))

    def permits(self, address: str) -> bool:
        """Return True if `address` may be dialled. An IPv4-mapped address is judged as the IPv4 address it is."""
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        if isinstance(ip, IPv6Address):
            if ip.scope_id is not None:
                return False
            ip = ip.ipv4_mapped or ip
        if any(ip in net for net in self._denied):
            return False
        return any(ip in net for net in self._allowed) or is_public(str(ip))
