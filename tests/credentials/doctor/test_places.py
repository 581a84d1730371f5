"""Partition, region, endpoints and the bucket's location are of one place."""

from typing import Any

import pytest

from credentials.doctor.findings import Severity
from credentials.doctor.places import judge_endpoints, judge_location
from tests.credentials.doctor.aws_account import expected

CEPH = "https://s3.example.org"
ENDPOINTS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "AWS": ({}, []),
    "another store": ({"endpoint_url": CEPH}, []),
    "another store, some region": ({"endpoint_url": CEPH, "region": "us-gov-x"}, []),
    "AWS by name": (
        {"endpoint_url": "https://s3.eu-central-1.amazonaws.com"},
        ["endpoint.aws-named"],
    ),
    "own region": ({"public_endpoint_url": "https://s3.eu-central-1.amazonaws.com"}, []),
    "no region": ({"public_endpoint_url": "https://s3.amazonaws.com"}, []),
    "other region": (
        {"public_endpoint_url": "https://s3.us-west-2.amazonaws.com"},
        ["endpoint.other-region"],
    ),
    "other region, old form": (
        {"public_endpoint_url": "https://s3-us-west-2.amazonaws.com"},
        ["endpoint.other-region"],
    ),
    "other region, dual stack": (
        {"public_endpoint_url": "https://s3.dualstack.us-west-2.amazonaws.com"},
        ["endpoint.other-region"],
    ),
    "China": ({"region": "cn-north-1", "role_arn": "arn:aws-cn:iam::123456789012:role/u"}, []),
    "China and not": ({"region": "cn-north-1"}, ["endpoint.other-partition"]),
    "GovCloud and not": ({"region": "us-gov-west-1"}, ["endpoint.other-partition"]),
}


@pytest.mark.parametrize("case", ENDPOINTS)
def test_endpoints_are_judged(case: str) -> None:
    changes, ids = ENDPOINTS[case]
    assert [finding.id for finding in judge_endpoints(expected(**changes))] == ids


LOCATIONS: dict[str, tuple[str | None, dict[str, Any], list[Severity]]] = {
    "the store's": ("eu-central-1", {}, []),
    "another": ("us-west-2", {}, [Severity.ERROR]),
    "first region": (None, {"region": "us-east-1"}, []),
    "first region, elsewhere": (None, {}, [Severity.ERROR]),
    "old name": ("EU", {"region": "eu-west-1"}, []),
    "no regions": (None, {"endpoint_url": CEPH}, []),
    "zone group": ("default", {"endpoint_url": CEPH}, []),
    "another store's region": ("us-west-2", {"endpoint_url": CEPH}, [Severity.WARNING]),
}


@pytest.mark.parametrize("case", LOCATIONS)
def test_bucket_is_in_the_store_s_region(case: str) -> None:
    location, changes, severities = LOCATIONS[case]
    found = judge_location(location, expected(**changes))
    assert [finding.severity for finding in found] == severities
