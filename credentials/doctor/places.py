"""Judges where a store is said to be: partition, region, endpoints and the bucket's location. Pure.

S3 names two locations differently: none is `us-east-1`, `EU` is `eu-west-1` (GetBucketLocation).
"""

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding, Severity

FIRST_REGION = "us-east-1"
OLD_NAMES = {"": FIRST_REGION, "EU": "eu-west-1"}
# What stores that know no regions answer: nothing, or the name of Ceph's first zone group.
NO_REGION = ("", "default")
PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}

_AWS_HOST = re.compile(r"\.amazonaws\.com(?:\.cn)?\Z")
_HOST_REGION = re.compile(r"(?:^|\.)s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-[0-9])\.")


def judge_endpoints(expected: Expected) -> Iterator[Finding]:
    """Endpoints, region and the role's partition must be of one place."""
    if _AWS_HOST.search(_host(expected.endpoint_url)):
        yield _wrong(
            "endpoint.aws-named",
            f"The store's endpoint is one of AWS's, {expected.endpoint_url}.",
            "This service reaches S3 and STS by it, and no endpoint of AWS is both.",
            "Empty the store's endpoint in the admin; AWS is reached by the region.",
        )
    found = _HOST_REGION.search(_host(expected.public_endpoint_url))
    if found and found.group(1) != expected.region:
        yield _wrong(
            "endpoint.other-region",
            f"Clients are sent to {found.group(1)}, and the store is in {expected.region}.",
            "They sign for the one region and ask the other: their uploads are refused.",
            "Set the store's public endpoint in the admin to one of its region, or empty it.",
        )
    if expected.is_aws and expected.partition != _partition(expected.region):
        yield _wrong(
            "endpoint.other-partition",
            f"The role is in {expected.partition}, and {expected.region} is not.",
            "Identities of one partition do not exist in another: every job fails.",
            "Set region and upload role ARN of the store to those of one partition.",
        )


def judge_location(location: str | None, expected: Expected) -> Iterator[Finding]:
    """The bucket is in the region that clients are told."""
    if not expected.is_aws and (location or "") in NO_REGION:
        return
    region = OLD_NAMES.get(location or "", location)
    if region == expected.region:
        return
    yield Finding(
        id="bucket.other-region",
        what=f"The bucket is in {region}, and the store in {expected.region}.",
        why="Clients sign for the region that they are told, and other regions refuse that.",
        change=f"Set the store's region in the admin to {region}.",
        severity=Severity.ERROR if expected.is_aws else Severity.WARNING,
    )


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _partition(region: str) -> str:
    named = (partition for prefix, partition in PARTITIONS.items() if region.startswith(prefix))
    return next(named, "aws")


def _wrong(finding_id: str, what: str, why: str, change: str) -> Finding:
    return Finding(id=finding_id, what=what, why=why, change=change)
