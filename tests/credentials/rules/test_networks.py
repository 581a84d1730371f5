"""From which networks a key is taken, and what failures are counted under."""

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credentials.rules.networks import ip_hex, ip_hex_range, is_network, is_within, throttle_key

OFFICE, OFFICE6 = "192.0.2.0/24", "2001:db8:1::/48"

# address, networks -> taken
WITHIN = {
    "no networks": ("203.0.113.9", [], True),
    "in the network": ("192.0.2.7", [OFFICE], True),
    "its last": ("192.0.2.255", [OFFICE], True),
    "one after": ("192.0.3.0", [OFFICE], False),
    "in the second of two": ("2001:db8:1::7", [OFFICE, OFFICE6], True),
    "in none of two": ("2001:db8:2::7", [OFFICE, OFFICE6], False),
    "single address": ("192.0.2.7", ["192.0.2.7"], True),
    "IPv4 mapped into IPv6": ("::ffff:192.0.2.7", [OFFICE], True),
    "IPv4 mapped is not IPv6": ("::ffff:192.0.2.7", ["::/0"], False),
    "IPv6 written at length": ("2001:0db8:0001:0000:0000:0000:0000:0007", [OFFICE6], True),
    "the world": ("203.0.113.9", ["0.0.0.0/0"], True),
    "no address": ("", [OFFICE], False),
    "no address at all": ("unknown", ["0.0.0.0/0", "::/0"], False),
    "with a port": ("192.0.2.7:443", [OFFICE], False),
    "with leading zeros": ("192.0.2.007", [OFFICE], False),
}


def test_address_is_taken_within_the_networks_only() -> None:
    found = {case: is_within(address, networks) for case, (address, networks, _) in WITHIN.items()}
    assert found == {case: expected for case, (_, _, expected) in WITHIN.items()}


NETWORKS = {
    "192.0.2.0/24": True,
    "192.0.2.7": True,
    "192.0.2.7/32": True,
    "2001:db8::/32": True,
    "0.0.0.0/0": True,
    "192.0.2.7/24": False,
    "192.0.2.0/33": False,
    "192.0.2": False,
    "192.0.2.0-192.0.2.255": False,
    "example.org": False,
    "": False,
}


def test_network_is_one_without_host_bits() -> None:
    assert {text: is_network(text) for text in NETWORKS} == NETWORKS


def test_network_is_text() -> None:
    for value in (None, 3232235520, True, ["192.0.2.0/24"], b"\xc0\x00\x02\x00"):
        assert is_network(value) is False


COUNTED = {
    "192.0.2.7": "192.0.2.7",
    "::ffff:192.0.2.7": "192.0.2.7",
    "2001:db8:1:2::7": "2001:db8:1:2::/64",
    "2001:db8:1:2:ffff:ffff:ffff:ffff": "2001:db8:1:2::/64",
    "2001:db8:1:3::7": "2001:db8:1:3::/64",
    "fe80::1%eth0": "fe80::/64",
    "::1": "::/64",
    "": "unreadable",
    "192.0.2.7:443": "unreadable",
    "9" * 1000: "unreadable",
    "failures:token:192.0.2.7": "unreadable",
}


def test_failures_are_counted_by_address_or_64() -> None:
    assert {address: throttle_key(address) for address in COUNTED} == COUNTED


ANY_NETWORK = st.builds(
    lambda number, length: IPv4Network((number, length), strict=False),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
) | st.builds(
    lambda number, length: IPv6Network((number, length), strict=False),
    st.integers(0, 2**128 - 1),
    st.integers(0, 128),
)
ADDRESSES = st.ip_addresses().filter(
    lambda address: not (isinstance(address, IPv6Address) and address.ipv4_mapped)
)


@given(ANY_NETWORK, ADDRESSES, st.data())
def test_addresses_of_a_network_are_one_range_of_texts(
    network: IPv4Network | IPv6Network, other: object, data: st.DataObject
) -> None:
    first, last = ip_hex_range(str(network))
    inside = network[data.draw(st.integers(0, network.num_addresses - 1))]
    assert first <= (ip_hex(str(inside)) or "") <= last
    is_mapped = int(first, 16) <= 0xFFFF_FFFF_FFFF and network.version == 6
    is_inside = ip_address(str(other)) in network
    assert is_mapped or (first <= (ip_hex(str(other)) or "") <= last) is is_inside


def test_mapped_address_is_written_like_the_address_itself() -> None:
    assert ip_hex("::ffff:192.0.2.7") == ip_hex("192.0.2.7") == "00000000000000000000ffffc0000207"
    assert ip_hex_range("192.0.2.7/24") == ip_hex_range("192.0.2.0/24")


def test_what_is_no_address_has_no_digits() -> None:
    for text in ["", "unreadable", "192.0.2.7:443", "192.0.2.007"]:
        assert ip_hex(text) is None, text
        with pytest.raises(ValueError, match="does not appear to be"):
            ip_hex_range(text)
