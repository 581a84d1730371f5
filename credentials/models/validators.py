"""What the admin may write into rows about access."""

from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

from builds.names import has_controls
from builds.validators import validate_endpoint
from credentials.rules.networks import is_network
from credentials.rules.publishers import CLAIM_NAME, NEVER_CONDITIONS

MAX_NETWORKS = 100
MAX_CLAIM_NAMES = 10


def validate_networks(value: Any) -> None:
    """A list of at most 100 networks in CIDR notation."""
    if not isinstance(value, list) or len(value) > MAX_NETWORKS:
        raise ValidationError(f"A list of at most {MAX_NETWORKS} networks.")
    for each in value:
        if not is_network(each):
            raise ValidationError(f"{each!r} is not a network: write 192.0.2.0/24.")


def validate_claim_names(value: Any) -> None:
    """A list of at most 10 names of claims that rules may have conditions on."""
    if not isinstance(value, list) or len(value) > MAX_CLAIM_NAMES:
        raise ValidationError(f"A list of at most {MAX_CLAIM_NAMES} names.")
    for each in value:
        if not isinstance(each, str) or not CLAIM_NAME.match(each) or each in NEVER_CONDITIONS:
            raise ValidationError(f"{each!r} is not a claim that a rule may name.")


def validate_webhook_url(value: str) -> None:
    """Refuses what is not an address that a webhook can be delivered to."""
    try:
        parts = urlsplit(value)
        validate_endpoint(f"{parts.scheme}://{parts.netloc}")
    except (ValueError, ValidationError) as err:
        raise ValidationError("Write it as https://host/path.") from err
    if parts.fragment or has_controls(value) or " " in value or not value.isascii():
        raise ValidationError("Write it in ASCII, without spaces and without a fragment.")
