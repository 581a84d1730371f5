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
PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
WARNING_SECONDS, ERROR_SECONDS = 60, 240
CHAINED_MAXIMUM = 3600
SHORTEST_POSTS = 3 * 3600
AWS_MANAGED_KEY = "alias/aws/s3"
BY_KMS = ("aws:kms", "aws:kms:dsse")
WHY_KEY = "Every upload needs the key, so every upload is refused."
WHY_REFUSED = "The store refuses a longer session, so jobs that are given one fail."
WHY_SHORTER = "Sessions are shorter than somebody meant them to be; a long job has to ask again."

_AWS_HOST = re.compile(r"\.amazonaws\.com(?:\.cn)?\Z")
_HOST_REGION = re.compile(r"(?:^|\.)s3[.-](?:dualstack\.)?([a-z]{2}(?:-[a-z]+)+-[0-9])\.")
_PARTITION, _REGION = 1, 3  # where an ARN names them


def judge_clock(ahead_seconds: float) -> Iterator[Finding]:
    """`ahead_seconds` is this machine's time less the store's."""
    skew = abs(ahead_seconds)
    if skew <= WARNING_SECONDS:
        return
    yield Finding(
        rule="clock.skewed",
        what=f"This machine's clock is {skew:.0f} s {'ahead of' if ahead_seconds > 0 else 'behind'}"
        " the store's.",
        why="From 5 minutes on the store refuses every request. Before that, sessions seem to "
        "end sooner or later than they do.",
        change="Set the clock, and keep it so: timedatectl set-ntp true",
        severity=Severity.ERROR if skew > ERROR_SECONDS else Severity.WARNING,
    )


def judge_endpoints(
    *, role_arn: str, region: str, endpoint_url: str, public_endpoint_url: str
) -> Iterator[Finding]:
    """Endpoints, region and the role's partition must be of one place."""
    partition = partition_of(role_arn)
    if _AWS_HOST.search(_host(endpoint_url)):
        yield Finding(
            rule="endpoint.aws-named",
            what=f"The store's endpoint is one of AWS's, {endpoint_url}.",
            why="This service reaches S3 and STS by it, and no endpoint of AWS is both.",
            change="Empty the store's endpoint in the admin; AWS is reached by the region.",
        )
    found = _HOST_REGION.search(_host(public_endpoint_url))
    if found and found.group(1) != region:
        yield Finding(
            rule="endpoint.other-region",
            what=f"Clients are sent to {found.group(1)}, and the store is in {region}.",
            why="They sign for the one region and ask the other: their uploads are refused.",
            change="Set the store's public endpoint in the admin to one of its region, or to none.",
        )
    named = (name for prefix, name in PARTITIONS.items() if region.startswith(prefix))
    if not endpoint_url and partition != next(named, "aws"):
        yield Finding(
            rule="endpoint.other-partition",
            what=f"The role is in {partition}, and {region} is not.",
            why="Identities of one partition do not exist in another: every job fails.",
            change="Set region and upload role ARN of the store to those of one partition.",
        )


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def judge_location(location: str | None, *, region: str, is_aws: bool) -> Iterator[Finding]:
    """The bucket is in the region that clients are told."""
    if not is_aws and (location or "") in NO_REGION:
        return
    found = OLD_NAMES.get(location or "", location)
    if found != region:
        yield Finding(
            rule="bucket.other-region",
            what=f"The bucket is in {found}, and the store in {region}.",
            why="Clients sign for the region that they are told, and other regions refuse that.",
            change=f"Set the store's region in the admin to {found}.",
            severity=Severity.ERROR if is_aws else Severity.WARNING,
        )


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


def judge_durations(durations: Durations, *, set_up: str) -> Iterator[Finding]:
    """The role's maximum, the chaining cap, the setting and the products agree."""
    role, store = durations.role, durations.store
    if role is not None and role < store:
        yield Finding(
            rule="lifetimes.role-shorter",
            what=f"The role's longest session is {role} s, and the store is said to allow {store} "
            "s.",
            why=WHY_REFUSED,
            change=f"Set the role's longest session in the admin to {role}, or the role's own:\n"
            f"{set_up}",
        )
    if durations.is_chained and store > CHAINED_MAXIMUM:
        yield _chained(durations)
    if durations.default > store:
        yield Finding(
            rule="lifetimes.default-capped",
            what=f"LTD_SESSION_SECONDS is {durations.default}, and the store allows {store} s.",
            why=WHY_SHORTER,
            change="Set LTD_SESSION_SECONDS to no more than that, or raise the role's longest "
            "session.",
            severity=Severity.WARNING,
        )
    if products := durations.products_over(store):
        yield Finding(
            rule="lifetimes.product-capped",
            what=f"Session durations of products are {', '.join(products)}, and the store allows "
            f"{store} s.",
            why=WHY_SHORTER,
            change="Lower them in the admin, or raise the role's longest session.",
            severity=Severity.WARNING,
        )
    yield from _posts(durations)


def _chained(durations: Durations) -> Finding:
    """An error where anything is set to more; else it is only refused to those who ask for it."""
    asked = durations.products_over(CHAINED_MAXIMUM)
    if durations.default > CHAINED_MAXIMUM:
        asked.append(f"LTD_SESSION_SECONDS ({durations.default})")
    return Finding(
        rule="lifetimes.chained",
        what="This service runs under a role, whose sessions get 3600 s at most; the store is "
        f"said to allow {durations.store} s"
        + (f", and more is set: {', '.join(asked)}." if asked else "."),
        why=WHY_REFUSED,
        change="Set the role's longest session in the admin to 3600, or run the service with a "
        "user's key.",
        severity=Severity.ERROR if asked else Severity.WARNING,
    )


def _posts(durations: Durations) -> Iterator[Finding]:
    """Presigned POSTs cannot be renewed by who sends them: they have to outlive the upload."""
    if durations.posts is None:
        return
    cap = min(durations.store, CHAINED_MAXIMUM) if durations.is_chained else durations.store
    seconds = min(durations.posts, cap)
    if seconds < SHORTEST_POSTS:
        yield Finding(
            rule="lifetimes.posts-short",
            what=f"Presigned POSTs are good for {seconds} s, which is less than three hours.",
            why="Nobody can renew them, and real uploads have taken longer than an hour.",
            change="Set LTD_POST_LIFETIME and the role's longest session, in AWS and in the admin, "
            f"to {SHORTEST_POSTS} or more. A service that runs under a role gets 3600 s at most.",
            severity=Severity.WARNING,
        )


def judge_key_arn(kms_key_arn: str, *, role_arn: str, region: str) -> Iterator[Finding]:
    """The key is where the bucket is, as far as its ARN says."""
    fields = kms_key_arn.split(":")
    for name, found, wanted in (
        ("partition", fields[_PARTITION], partition_of(role_arn)),
        ("region", fields[_REGION], region),
    ):
        if found != wanted:
            yield Finding(
                rule=f"kms-key.other-{name}",
                what=f"The key is in {found}, and the store in {wanted}.",
                why=f"S3 uses only keys of the bucket's {name}. {WHY_KEY}",
                change="Set the store's KMS key ARN in the admin to the key of its bucket.",
            )


def judge_key(metadata: Mapping[str, Any]) -> Iterator[Finding]:
    """The key is enabled, and of a kind that S3 can use."""
    state = metadata.get("KeyState", "unknown")
    if state != "Enabled":
        yield Finding(
            rule="kms-key.disabled",
            what=f"The key's state is {state}.",
            why=WHY_KEY,
            change="Cancel its deletion." if state == "PendingDeletion" else "Enable it.",
        )
    usage, spec = metadata.get("KeyUsage"), metadata.get("KeySpec", "SYMMETRIC_DEFAULT")
    if (usage, spec) != ("ENCRYPT_DECRYPT", "SYMMETRIC_DEFAULT"):
        yield Finding(
            rule="kms-key.unusable",
            what=f"The key is for {usage} with {spec}; S3 needs a symmetric one that encrypts.",
            why=WHY_KEY,
            change="Make another key, and set the store's KMS key ARN in the admin to it.",
        )


def judge_encryption(rules: Sequence[Mapping[str, Any]], kms_key_arn: str) -> Iterator[Finding]:
    """The key that encrypts new objects of the bucket is the one that the store names."""
    for rule in rules:
        default = rule.get("ApplyServerSideEncryptionByDefault", {})
        key = default.get("KMSMasterKeyID", AWS_MANAGED_KEY)
        # An alias may be any key's.
        is_known = name_of(key) in {name_of(AWS_MANAGED_KEY), name_of(kms_key_arn)}
        is_known = is_known or bool(kms_key_arn and "alias/" in key)
        named = kms_key_arn or "none"
        if default.get("SSEAlgorithm") in BY_KMS and not is_known:
            yield Finding(
                rule="encryption.other-key",
                what=f"The bucket encrypts with {key}, and the store names {named}.",
                why=f"Sessions have no right to a key that the store does not name. {WHY_KEY}",
                change=f"Set the store's KMS key ARN in the admin to {key}, then run "
                "bootstrap_store.",
            )
