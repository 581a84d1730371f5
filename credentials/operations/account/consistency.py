"""Judges the store's settings against each other and against its account: endpoints, clock, session
durations, KMS key. Pure.

A session of a role that assumes another role gets an hour at most (AWS STS API reference,
AssumeRole: role chaining). S3 names two locations differently: none is `us-east-1`, `EU` is
`eu-west-1` (GetBucketLocation), and encrypts with symmetric keys of its own region only; AWS's own
key, `alias/aws/s3`, needs no rights of the caller's (AWS S3 user guide, SSE-KMS). AWS refuses
requests that are signed more than 5 minutes from its own time (AWS IAM user guide, signing), and
counts a session's life by its own clock.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from builds.names import partition_of
from credentials.operations.findings import Finding, Severity
from credentials.rules.principals import name_of

FIRST_REGION = "us-east-1"
OLD_NAMES = {"": FIRST_REGION, "EU": "eu-west-1"}
# What stores that know no regions answer: nothing, or the name of Ceph's first zone group.
NO_REGION = ("", "default")
# As botocore's table of endpoints has them.
PARTITIONS = {
    "cn-": "aws-cn",
    "us-gov-": "aws-us-gov",
    "us-iso-": "aws-iso",
    "us-isob-": "aws-iso-b",
    "eu-isoe-": "aws-iso-e",
    "us-isof-": "aws-iso-f",
    "eusc-": "aws-eusc",
}
WARNING_SECONDS, ERROR_SECONDS = 60, 240
CHAINED_MAXIMUM = 3600
SHORTEST_POSTS = 3 * 3600
AWS_MANAGED_KEY = "alias/aws/s3"
BY_KMS = ("aws:kms", "aws:kms:dsse")
WHY_KEY = "Every upload needs the key, so every upload is refused."
WHY_REFUSED = "The store refuses a longer session, so jobs that are given one fail."
WHY_SHORTER = "Sessions are shorter than intended; a long job has to request another."
SET_KEY = "Set the store's KMS key ARN in the admin to the key of its bucket."
# Rule -> what, why and change, with places for names.
TEXTS = {
    "clock.skewed": (
        "This machine's clock is {seconds:.0f} s {direction} the store's.",
        "From 5 minutes on the store refuses every request. Before that, sessions seem to end "
        "sooner or later than they do.",
        "Set the clock, and keep it synchronised: timedatectl set-ntp true",
    ),
    "endpoint.aws-named": (
        "The store's endpoint is one of AWS's, {endpoint_url}.",
        "This service reaches S3 and STS by it, and no endpoint of AWS is both.",
        "Empty the store's endpoint in the admin; AWS is reached by the region.",
    ),
    "endpoint.other-region": (
        "Clients are sent to {found}, and the store is in {region}.",
        "They sign for one region and call the other, so their uploads are refused.",
        "Set the store's public endpoint in the admin to one of its region, or empty it.",
    ),
    "endpoint.other-partition": (
        "The role is in {partition}, and {region} is not.",
        "Identities of one partition do not exist in another: every job fails.",
        "Set region and upload role ARN of the store to those of one partition.",
    ),
    "bucket.other-region": (
        "The bucket is in {found}, and the store in {region}.",
        "Clients sign for the region returned to them, and other regions refuse that.",
        "Set the store's region in the admin to {found}.",
    ),
    "lifetimes.role-shorter": (
        "The role's longest session is {role} s, and the store is said to allow {store} s.",
        WHY_REFUSED,
        "Set the role's longest session in the admin to {role}, or the role's own:\n{set_up}",
    ),
    "lifetimes.chained": (
        "This service runs under a role, whose sessions get 3600 s at most; the store is said to "
        "allow {store} s{asked}.",
        WHY_REFUSED,
        "Set the role's longest session in the admin to 3600, or run the service with a user's "
        "key.",
    ),
    "lifetimes.default-capped": (
        "LTD_SESSION_SECONDS is {default}, and the store allows {store} s.",
        WHY_SHORTER,
        "Set LTD_SESSION_SECONDS to no more than that, or raise the role's longest session.",
    ),
    "lifetimes.product-capped": (
        "Session durations of products are {products}, and the store allows {store} s.",
        WHY_SHORTER,
        "Lower them in the admin, or raise the role's longest session.",
    ),
    "lifetimes.posts-short": (
        "Presigned POSTs are valid for {seconds} s, which is less than three hours.",
        "Nobody can renew them, and real uploads have taken longer than an hour.",
        "Set LTD_POST_LIFETIME and the role's longest session, in AWS and in the admin, to 10800 "
        "or more. A service that runs under a role gets 3600 s at most.",
    ),
    "kms-key.other-partition": (
        "The key is in {found}, and the store in {wanted}.",
        f"S3 uses only keys of the bucket's partition. {WHY_KEY}",
        SET_KEY,
    ),
    "kms-key.other-region": (
        "The key is in {found}, and the store in {wanted}.",
        f"S3 uses only keys of the bucket's region. {WHY_KEY}",
        SET_KEY,
    ),
    "kms-key.disabled": (
        "The key's state is {state}.",
        WHY_KEY,
        "Enable it; cancel its deletion first if that is planned.",
    ),
    "kms-key.unusable": (
        "The key is for {usage} with {spec}; S3 needs a symmetric one that encrypts.",
        WHY_KEY,
        "Create another key, and set the store's KMS key ARN in the admin to it.",
    ),
    "encryption.other-key": (
        "The bucket encrypts with {key}, and the store names {named}.",
        f"Sessions have no right to a key that the store does not name. {WHY_KEY}",
        "Set the store's KMS key ARN in the admin to {key}, then run bootstrap_store.",
    ),
}

_AWS_HOST = re.compile(r"\.amazonaws\.(?:com|com\.cn|eu)\Z")
_HOST_REGION = re.compile(r"(?:^|\.)s3[.-](?:dualstack\.)?([a-z]{2,4}(?:-[a-z]+)+-[0-9])\.")


def judge_clock(ahead_seconds: float) -> Iterator[Finding]:
    """`ahead_seconds` is this machine's time less the store's."""
    skew = abs(ahead_seconds)
    if skew > WARNING_SECONDS:
        severity = Severity.ERROR if skew > ERROR_SECONDS else Severity.WARNING
        direction = "ahead of" if skew == ahead_seconds else "behind"
        yield _finding("clock.skewed", severity, seconds=skew, direction=direction)


def judge_endpoints(
    *, role_arn: str, region: str, endpoint_url: str, public_endpoint_url: str
) -> Iterator[Finding]:
    """Endpoints, region and the role's partition must be of one place."""
    if _AWS_HOST.search(_host(endpoint_url)):
        yield _finding("endpoint.aws-named", endpoint_url=endpoint_url)
    host = _HOST_REGION.search(_host(public_endpoint_url))
    if host and host.group(1) != region:
        yield _finding("endpoint.other-region", found=host.group(1), region=region)
    partition = partition_of(role_arn)
    named = (name for prefix, name in PARTITIONS.items() if region.startswith(prefix))
    if not endpoint_url and partition != next(named, "aws"):
        yield _finding("endpoint.other-partition", partition=partition, region=region)


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def judge_location(location: str | None, *, region: str, is_aws: bool) -> Iterator[Finding]:
    """The bucket is in the region that clients are told."""
    if not is_aws and (location or "") in NO_REGION:
        return
    found = OLD_NAMES.get(location or "", location)
    if found != region:
        severity = Severity.ERROR if is_aws else Severity.WARNING
        yield _finding("bucket.other-region", severity, found=found, region=region)


@dataclass(frozen=True, kw_only=True)
class Durations:
    """How long sessions may live, and how long they are asked to, in seconds.

    `role` is the role's own maximum, None where the store does not tell, `store` what the store's
    row says of it. `posts` is how long presigned POSTs are to be good for, None where the store
    takes none; `products` are the products that set a duration. `is_chained` says that this service
    runs under a role.
    """

    role: int | None
    store: int
    default: int
    posts: int | None = None
    products: Mapping[str, int] = field(default_factory=dict)
    is_chained: bool = False

    def products_over(self, seconds: int) -> list[str]:
        found = sorted(self.products.items())
        return [f"{slug} ({own})" for slug, own in found if own > seconds]

    @property
    def of_posts(self) -> int | None:
        """How long presigned POSTs are good for."""
        if self.posts is None:
            return None
        return min(self.posts, self.store, CHAINED_MAXIMUM if self.is_chained else self.store)


def judge_durations(durations: Durations, *, set_up: str) -> Iterator[Finding]:
    """The role's maximum, the chaining cap, the setting and the products agree."""
    role, store, warning = durations.role, durations.store, Severity.WARNING
    if role is not None and role < store:
        yield _finding("lifetimes.role-shorter", role=role, store=store, set_up=set_up)
    if durations.is_chained and store > CHAINED_MAXIMUM:
        yield _chained(durations)
    if durations.default > store:
        yield _finding("lifetimes.default-capped", warning, default=durations.default, store=store)
    if products := durations.products_over(store):
        named = ", ".join(products)
        yield _finding("lifetimes.product-capped", warning, products=named, store=store)
    # Whoever sends presigned POSTs cannot renew them: they have to outlive the upload.
    if (seconds := durations.of_posts) is not None and seconds < SHORTEST_POSTS:
        yield _finding("lifetimes.posts-short", warning, seconds=seconds)


def _chained(durations: Durations) -> Finding:
    """An error where anything is set to more; else it is only refused to those who ask for it."""
    asked = durations.products_over(CHAINED_MAXIMUM)
    if durations.default > CHAINED_MAXIMUM:
        asked.append(f"LTD_SESSION_SECONDS ({durations.default})")
    more = f", and more is set: {', '.join(asked)}" if asked else ""
    severity = Severity.ERROR if asked else Severity.WARNING
    return _finding("lifetimes.chained", severity, store=durations.store, asked=more)


def judge_key_arn(kms_key_arn: str, *, role_arn: str, region: str) -> Iterator[Finding]:
    """The key is where the bucket is, as far as its ARN says."""
    _, partition, _, key_region, *_ = kms_key_arn.split(":")
    if partition != (wanted := partition_of(role_arn)):
        yield _finding("kms-key.other-partition", found=partition, wanted=wanted)
    if key_region != region:
        yield _finding("kms-key.other-region", found=key_region, wanted=region)


def judge_key(metadata: Mapping[str, Any]) -> Iterator[Finding]:
    """The key is enabled, and of a kind that S3 can use."""
    state = metadata.get("KeyState")
    if state != "Enabled":
        yield _finding("kms-key.disabled", state=state)
    usage, spec = metadata.get("KeyUsage"), metadata.get("KeySpec", "SYMMETRIC_DEFAULT")
    if (usage, spec) != ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"):
        yield _finding("kms-key.unusable", usage=usage, spec=spec)


def judge_encryption(rules: Sequence[Mapping[str, Any]], kms_key_arn: str) -> Iterator[Finding]:
    """The key that encrypts new objects of the bucket is the one that the store names."""
    for rule in rules:
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        key = default.get("KMSMasterKeyID", AWS_MANAGED_KEY)
        known = {name_of(AWS_MANAGED_KEY), name_of(kms_key_arn)}
        may_be_any = bool(kms_key_arn and "alias/" in key)
        if default.get("SSEAlgorithm") in BY_KMS and name_of(key) not in known and not may_be_any:
            yield _finding("encryption.other-key", key=key, named=kms_key_arn or "none")


def _finding(rule: str, severity: Severity = Severity.ERROR, /, **names: object) -> Finding:
    what, why, change = TEXTS[rule]
    return Finding(
        rule=rule,
        what=what.format(**names),
        why=why,
        change=change.format(**names),
        severity=severity,
    )
