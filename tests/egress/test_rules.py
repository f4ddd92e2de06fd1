from ipaddress import IPv4Address, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman_server.egress import EgressRules, is_public

NOT_PUBLIC = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "192.0.0.192", "168.63.129.16", "198.18.0.1", "192.0.2.1",
    "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "192.88.99.1",
    "::", "::1", "fe80::1", "fe80::1%eth0", "2606:4700::1111%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:a00:1", "::169.254.169.254", "::7f00:1",
    "64:ff9b::169.254.169.254", "64:ff9b::7f00:1", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1::808:808", "64:ff9b:0:0:1::808:808", "64:ff9b:1:fffe::1",
    "2002:a9fe:a9fe::1", "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "2001:10::1",
    "3fff::1", "100::1", "5f00::1", "4000::1",
    "", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "1.1.1.1 ", "1.1.1.1\n", "1.1.1.1/32",
]  # fmt: skip


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_special_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.0.1", "172.32.0.1", "223.255.255.255",
     "2606:4700::1111", "2a00:1450::1", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"],
)  # fmt: skip
def test_ordinary_addresses_are_public(address: str) -> None:
    assert is_public(address)


v4 = st.integers(0, 2**32 - 1).map(IPv4Address)
private_v4 = st.one_of(
    *(
        st.integers(low, low + size - 1).map(IPv4Address)
        for low, size in [
            (0x7F000000, 2**24),
            (0x0A000000, 2**24),
            (0xA9FE0000, 2**16),
            (0xC0A80000, 2**16),
            (0xAC100000, 2**20),
            (0x64400000, 2**22),
            (0xE0000000, 2**28),
        ]
    )
)


def _inside(prefix: str, shift: int, address: IPv4Address, noise: int) -> str:
    net = IPv6Network(prefix)
    value = int(net.network_address) | int(address) << shift
    free = (1 << shift) - 1
    return str(IPv6Address(value | (noise & free)))


@given(private_v4, st.integers(0, 2**80 - 1))
def test_no_private_v4_address_is_public_in_any_v6_disguise(address: IPv4Address, noise: int) -> None:
    disguises = [
        _inside("::/96", 0, address, 0),
        _inside("::ffff:0:0/96", 0, address, 0),
        _inside("64:ff9b::/96", 0, address, 0),
        _inside("64:ff9b:1::/96", 0, address, 0),
        _inside("2002::/16", 80, address, noise),
        _inside("2001::/32", 64, address, noise),
        str(IPv6Address(int(IPv6Address("2001::")) | (int(address) ^ 0xFFFFFFFF))),
        _inside("::ffff:0:0:0/96", 0, address, 0),
    ]

    assert [d for d in disguises if is_public(d)] == []


@given(v4)
def test_our_table_never_allows_what_pythons_refuses_in_v4(address: IPv4Address) -> None:
    assert not is_public(str(address)) or (address.is_global and not address.is_multicast)


@given(st.integers(0, 2**128 - 1).map(IPv6Address))
def test_public_v6_is_global_unicast(address: IPv6Address) -> None:
    assert not is_public(str(address)) or address in IPv6Network("2000::/3") or address in IPv6Network("64:ff9b::/96")


@given(v4)
def test_a_mapped_address_is_judged_as_its_v4(address: IPv4Address) -> None:
    rules = EgressRules(allow=["10.0.0.0/8"], deny=["10.9.0.0/16", "8.8.8.0/24"])

    assert rules.permits(f"::ffff:{address}") == rules.permits(str(address))


def test_an_operator_may_allow_and_deny_ranges_and_deny_wins() -> None:
    rules = EgressRules(allow=["127.0.0.0/8", "fd00::/8"], deny=["127.0.0.53/32", "9.9.9.0/24"])

    assert rules.permits("127.0.0.1")
    assert rules.permits("fd12::1")
    assert not rules.permits("127.0.0.53")
    assert not rules.permits("9.9.9.9")
    assert not rules.permits("10.0.0.1")
    assert not rules.permits("64:ff9b::127.0.0.1")
    assert rules.permits("1.1.1.1")


def test_a_malformed_range_is_refused_at_start() -> None:
    with pytest.raises(ValueError):
        EgressRules(allow=["10.0.0.1/8"])
