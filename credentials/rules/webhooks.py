"""Signatures, gaps and addresses of webhooks. Pure.

The form of a signed call is that of Standard Webhooks 1.0 (github.com/standard-webhooks).
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from credentials.rules.networks import is_within
from credentials.rules.secret import Secret

SECRET_PREFIX = "whsec_"  # noqa: S105 - a prefix
FIRST_GAP, LONGEST_GAP = timedelta(seconds=5), timedelta(hours=12)
GAP_FACTOR = 4
# A delivery that failed for as long is a dead letter.
GIVE_UP_AFTER = timedelta(days=3)
# A translator at the edge of a network makes IPv4 addresses of these (RFC 6052, 2.1).
NAT64 = ip_network("64:ff9b::/96")
# What IANA has given to the internet (RFC 4291, 2.4). Python takes more for public: site-local
# addresses, IPv4-compatible ones, and NAT64 within a network.
GLOBAL_UNICAST = ip_network("2000::/3")


def signed_headers(
    *, secrets: Sequence[Secret], event_id: str, sent_at: datetime, body: bytes
) -> dict[str, str]:
    """The headers that let a receiver verify a call: one signature for each secret."""
    timestamp = str(int(sent_at.timestamp()))
    content = f"{event_id}.{timestamp}.".encode() + body
    signatures = (_signature(secret, content) for secret in secrets)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }


def _signature(secret: Secret, content: bytes) -> str:
    key = base64.b64decode(secret.reveal().removeprefix(SECRET_PREFIX))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()


def gap_after(attempts: int, *, spread: float) -> timedelta:
    """How long to wait after so many failed attempts: 5 s, four times as long each time, at most
    12 h. `spread` (0 to 1) lengthens it by up to a fifth, so that not all come at once.
    """
    grown: timedelta = min(FIRST_GAP * GAP_FACTOR ** min(attempts - 1, 10), LONGEST_GAP)
    return grown * (1 + spread / 5)


def may_connect(address: str, allowed_networks: Sequence[str], *, is_https: bool) -> bool:
    """Whether a webhook may be delivered to an address that its host's name resolved to.

    Addresses that are not public need an allowed network; so does whatever is not encrypted.
    """
    if allowed_networks and is_within(address, allowed_networks):
        return True
    return is_https and is_public(address)


def is_public(address: str) -> bool:
    """Whether an address is one of the internet's, also where IPv6 carries an IPv4 address."""
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        if carried := _carried(found):
            return is_public(str(carried))
        return found.is_global and found in GLOBAL_UNICAST
    return found.is_global and not found.is_multicast


def _carried(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a mapped, 6to4, Teredo or NAT64 address leads to."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo and teredo[1])
