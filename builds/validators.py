"""Django validators over the pure rules, for model fields and the admin's forms."""

import re
from collections.abc import Callable
from ipaddress import IPv6Address

from django.core.exceptions import ValidationError

from builds.names import (
    has_controls,
    is_bucket_name,
    is_build_slug,
    is_kms_key_arn,
    is_product_slug,
    is_region,
    is_role_arn,
    is_url_template,
)


def _require(is_legal: Callable[[str], bool], value: str, message: str) -> None:
    if not is_legal(value):
        raise ValidationError(message, code="invalid")


def validate_product_slug(value: str) -> None:
    message = "2 to 63 of a-z, 0-9 and -, beginning with a letter, not ending with -."
    _require(is_product_slug, value, message)


def validate_build_slug(value: str) -> None:
    message = "1 to 64 of a-z, A-Z, 0-9, '.', '_' and '-', but not '.' or '..'."
    _require(is_build_slug, value, message)


def refuse_controls(row: object, *names: str) -> None:
    """For `clean()` of a model: the texts of these fields. Raises ValidationError by field."""
    message = "Must not contain control characters."
    if wrong := {name: message for name in names if has_controls(getattr(row, name))}:
        raise ValidationError(wrong)


def validate_bucket(value: str) -> None:
    _require(is_bucket_name, value, "Not the name of an S3 bucket.")


def validate_region(value: str) -> None:
    _require(is_region, value, "Not the name of a region, such as eu-central-1.")


def validate_role_arn(value: str) -> None:
    _require(is_role_arn, value, "Not a role's ARN, such as arn:aws:iam::123456789012:role/upload.")


def validate_kms_key_arn(value: str) -> None:
    _require(is_kms_key_arn, value, "Not a KMS key's ARN (arn:aws:kms:...:key/...); no alias.")


def validate_url_template(value: str) -> None:
    message = (
        "Not an https address such as https://{product}.docs.example.org/builds/{build}/: it needs "
        "{build}, may have {product}, and the last two parts of its host are fixed."
    )
    _require(is_url_template, value, message)


def validate_endpoint(value: str) -> None:
    """An http or https address with a host and nothing behind it but an optional port."""
    _require(_is_bare_address, value, "Not an address such as https://s3.example.org.")


LAST_PORT = 65_535

_ADDRESS = re.compile(
    r"https?://(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
    r"|\[(?P<six>[0-9A-Fa-f:.]+)\])(?::(?P<port>[0-9]{1,5}))?\Z",
    re.ASCII,
)


def _is_bare_address(value: str) -> bool:
    match = _ADDRESS.match(value)
    return (
        match is not None
        and 0 < int(match.group("port") or 1) <= LAST_PORT
        and (_is_ipv6(match.group("six")) if match.group("six") else True)
    )


def _is_ipv6(text: str) -> bool:
    try:
        return bool(IPv6Address(text))
    except ValueError:
        return False
