"""From which networks a key is accepted, and by which one failures are counted. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_interface, ip_network

# What one customer is given at the least: all of it is one caller.
IPV6_PREFIX_LENGTH = 64
UNREADABLE = "unreadable"
# ::ffff:0.0.0.0 (RFC 4291, 2.5.5.2)
IPV4, IPV4_MAPPED = 4, 0xFFFF_0000_0000


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
    found = _read(address)
    return found is not None and any(found in ip_network(network) for network in networks)


def throttle_key(address: str) -> str:
    """What an address is counted under: itself, its /64 if it is IPv6.

    IPv4 mapped into IPv6 counts as IPv4. All addresses that cannot be read are one.
    """
    found = _read(address)
    if isinstance(found, IPv6Address):
        return str(ip_network((int(found), IPV6_PREFIX_LENGTH), strict=False))
    return str(found) if found else UNREADABLE


def ip_hex(address: str) -> str | None:
    """An address as 32 hexadecimal digits, so that those of a network are one range of texts.

    IPv4 is written as if mapped into IPv6. None for what is not an address.
    """
    found = _read(address)
    return None if found is None else f"{int(found) + _offset(found.version):032x}"


def ip_hex_range(network: str) -> tuple[str, str]:
    """The first and the last address of a network, or of an address, as `ip_hex` writes them.

    Host bits are ignored. Raises ValueError for what is neither.
    """
    found = ip_interface(network).network
    offset = _offset(found.version)
    first, last = int(found.network_address) + offset, int(found.broadcast_address) + offset
    return f"{first:032x}", f"{last:032x}"


def _offset(version: int) -> int:
    return IPV4_MAPPED if version == IPV4 else 0


def _read(address: str) -> IPv4Address | IPv6Address | None:
    try:
        found = ip_address(address)
    except ValueError:
        return None
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found
