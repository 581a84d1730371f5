"""From which networks a key is taken. Pure."""

from collections.abc import Sequence
from ipaddress import IPv6Address, ip_address, ip_network


def is_network(text: object) -> bool:
    """Whether a value is a network in CIDR notation without host bits, or a single address."""
    if not isinstance(text, str):
        return False
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def is_within(address: str, networks: Sequence[str]) -> bool:
    """Whether an address lies in one of the networks; no networks at all admit everything.

    An address that cannot be read lies nowhere. IPv4 mapped into IPv6 counts as IPv4.
    """
    if not networks:
        return True
    try:
        found = ip_address(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in ip_network(network) for network in networks)
