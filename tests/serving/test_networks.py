"""Networks: the same answer as looking at each of them, faults with their lines."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adserver.errors import InvalidInput
from adserver.serving.networks import OWN, Networks, packed, read_networks

V4 = st.builds(
    lambda number, bits: ip_network((number, bits), strict=False), st.integers(0, 2**10), st.integers(20, 32)
)
V6 = st.builds(
    lambda number, bits: ip_network((2**120 + number, bits), strict=False),
    st.integers(0, 2**10),
    st.integers(116, 128),
)
ADDRESS = st.one_of(
    st.integers(0, 2**13).map(lambda n: ip_address(n)),
    st.integers(0, 2**13).map(lambda n: ip_address(2**120 + n)),
)


@given(st.lists(st.one_of(V4, V6), max_size=12), st.lists(ADDRESS, max_size=20))
def test_an_address_is_held_where_one_network_holds_it(
    networks: list[IPv4Network | IPv6Network], asked: list[object]
) -> None:
    table = Networks(networks)
    for address in asked:
        number = packed(str(address))
        assert number is not None
        assert table.hold(number) == any(address in network for network in networks)


@pytest.mark.parametrize(
    "text", ["", "testclient", "1.2.3", "1.2.3.4.5", "::1%eth0", "é", "1.2.3.4:80", "\0"]
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert packed(text) is None


def test_ipv4_within_ipv6_is_ipv4() -> None:
    assert packed("::ffff:192.0.2.7") == packed("192.0.2.7") == bytes((192, 0, 2, 7))


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "10.1.2.3", "192.168.7.7", "100.64.0.9", "::1", "fd00::1", "fe80::7"]
)
def test_addresses_of_the_own_network_are_known(text: str) -> None:
    number = packed(text)
    assert number is not None and OWN.hold(number)


def test_a_file_has_one_network_a_line_with_comments(tmp_path: Path) -> None:
    file = tmp_path / "ranges"
    file.write_text("# clouds\n3.0.0.0/8  # one\n\n2600:1f00::/24\n198.51.100.7\n")
    table = read_networks(file, "KEY", 10)
    held = {
        text: table.hold(packed(text) or b"")
        for text in ("3.255.0.1", "4.0.0.1", "2600:1f00::1", "198.51.100.7")
    }
    assert held == {"3.255.0.1": True, "4.0.0.1": False, "2600:1f00::1": True, "198.51.100.7": True}


def test_all_faults_of_a_file_are_said_at_once(tmp_path: Path) -> None:
    file = tmp_path / "ranges"
    file.write_text("3.0.0.1/8\n1.2.3.0/24\nnews.example\n")
    with pytest.raises(InvalidInput) as caught:
        read_networks(file, "KEY", 10)
    assert [fault.key for fault in caught.value.faults] == ["line 1", "line 3"]
    with pytest.raises(InvalidInput, match="more than 2 lines"):
        read_networks(file, "KEY", 2)
    with pytest.raises(InvalidInput, match="cannot be read"):
        read_networks(tmp_path / "none", "KEY", 2)
