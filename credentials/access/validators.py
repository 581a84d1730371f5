"""What the admin may write into rows about access."""

from typing import Any

from django.core.exceptions import ValidationError

from credentials.access.networks import is_network

MAX_NETWORKS = 100


def validate_networks(value: Any) -> None:
    """A list of at most 100 networks in CIDR notation."""
    if not isinstance(value, list) or len(value) > MAX_NETWORKS:
        raise ValidationError(f"A list of at most {MAX_NETWORKS} networks.")
    for each in value:
        if not is_network(each):
            raise ValidationError(f"{each!r} is not a network: write 192.0.2.0/24.")
