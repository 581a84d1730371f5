"""Validators of model fields and forms say in a sentence what is wrong."""

from collections.abc import Callable

import pytest
from django.core.exceptions import ValidationError

from builds import validators

Validator = Callable[[str], None]

REFUSED: dict[str, tuple[Validator, str, str]] = {
    "product slug": (validators.validate_product_slug, "Guide", "2 to 63 of a-z"),
    "build slug": (validators.validate_build_slug, "..", "1 to 64 of a-z"),
    "bucket": (validators.validate_bucket, "a/b", "Not the name of an S3 bucket"),
    "region": (validators.validate_region, "EU", "Not the name of a region"),
    "role": (validators.validate_role_arn, "upload", "Not a role's ARN"),
    "KMS key": (validators.validate_kms_key_arn, "alias/docs", "no alias"),
    "template": (validators.validate_url_template, "https://example.org/", "it needs {build}"),
    "endpoint": (validators.validate_endpoint, "s3.example.org", "Not an address such as"),
}

TAKEN: dict[str, tuple[Validator, str]] = {
    "product slug": (validators.validate_product_slug, "guide"),
    "build slug": (validators.validate_build_slug, "v1"),
    "bucket": (validators.validate_bucket, "docs-bucket"),
    "region": (validators.validate_region, "eu-central-1"),
    "role": (validators.validate_role_arn, "arn:aws:iam::123456789012:role/upload"),
    "KMS key": (validators.validate_kms_key_arn, "arn:aws:kms:eu-1:123456789012:key/1"),
    "https": (validators.validate_endpoint, "https://s3.example.org"),
    "http with a port": (validators.validate_endpoint, "http://127.0.0.1:9000"),
    "IPv6": (validators.validate_endpoint, "http://[::1]:9000"),
}


def test_wrong_value_is_refused_with_a_sentence() -> None:
    for case, (validate, value, sentence) in REFUSED.items():
        with pytest.raises(ValidationError, match=sentence) as caught:
            validate(value)
        assert caught.value.code == "invalid", case


def test_right_value_is_taken() -> None:
    for validate, value in TAKEN.values():
        validate(value)


NO_ENDPOINTS = {
    "empty": "",
    "no scheme": "s3.example.org",
    "another scheme": "ftp://s3.example.org",
    "script": "javascript:alert(1)",
    "no host": "https://",
    "port alone": "https://:9000",
    "path": "https://s3.example.org/docs",
    "slash at the end": "https://s3.example.org/",
    "query": "https://s3.example.org?x=1",
    "fragment": "https://s3.example.org#x",
    "user and password": "https://user:password@s3.example.org",
    "port that is none": "https://s3.example.org:http",
    "port out of range": "https://s3.example.org:99999",
    "broken IPv6": "https://[::1",
    "space": "https://s3 .example.org",
    "end of a line": "https://s3.example.org\n",
    "empty query": "https://s3.example.org?",
    "empty user": "https://@s3.example.org",
    "password alone": "https://:pw@s3.example.org",
    "backslash": "https://a\\b",
}


def test_endpoint_is_scheme_host_and_port_alone() -> None:
    for url in NO_ENDPOINTS.values():
        with pytest.raises(ValidationError, match="Not an address"):
            validators.validate_endpoint(url)
