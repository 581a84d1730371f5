"""Judges the bucket's settings: nothing public, no ACLs, no upload that never ends. Pure but for
the names it shares with the set-up.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from credentials.doctor.commands import aws
from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding, Severity
from credentials.stores.bucket import NO_ACLS, UNFINISHED_DAYS, UNFINISHED_RULE, unfinished_days

BLOCKS_ACLS = ("BlockPublicAcls", "IgnorePublicAcls")
BLOCKS_POLICIES = ("BlockPublicPolicy", "RestrictPublicBuckets")

WHY_BLOCK = "One policy or ACL, set by anybody who may, then makes the bucket public."
WHY_NEW_ACLS = (
    f"{WHY_BLOCK} Leave it off only where the store then refuses every upload, as Ceph 16 does."
)
WHY_ACLS = (
    "An upload with an ACL makes its object public or somebody else's; only denials stand in its "
    "way."
)
WHY_UNFINISHED = "Parts of uploads that nobody completed are stored, and paid for, unseen."


def judge_public_access(flags: Mapping[str, bool], expected: Expected) -> Iterator[Finding]:
    """All four must be on; those about ACLs need not be where the store takes ACLs."""
    wanted = (*(() if expected.takes_acls else BLOCKS_ACLS), *BLOCKS_POLICIES)
    off = [name for name in wanted if not flags.get(name)]
    # The set-up leaves this one off where a store then refuses uploads.
    is_tolerated = off == ["BlockPublicAcls"] and not expected.is_aws
    if off:
        yield Finding(
            id="public-access.off",
            what=f"Public access is not blocked: {', '.join(off)} off.",
            why=WHY_NEW_ACLS if is_tolerated else WHY_BLOCK,
            change=aws(
                expected,
                "s3api put-public-access-block",
                bucket=expected.bucket,
                public_access_block_configuration=dict.fromkeys(wanted, True),
            ),
            severity=Severity.WARNING if is_tolerated else Severity.ERROR,
        )


def judge_ownership(rules: Sequence[Mapping[str, Any]], expected: Expected) -> Iterator[Finding]:
    """The bucket takes no ACLs, unless the store is said to take them."""
    is_off = any(rule.get("ObjectOwnership") == NO_ACLS for rule in rules)
    if expected.takes_acls and is_off:
        yield Finding(
            id="acls.off",
            what="The store is set to public-read ACLs, and its bucket takes none.",
            why="Uploads that send an ACL fail.",
            change="Set the store's ACLs to none in the admin.",
        )
    elif not expected.takes_acls and not is_off:
        yield Finding(
            id="acls.on",
            what="The bucket takes ACLs.",
            why=WHY_ACLS,
            change=aws(
                expected,
                "s3api put-bucket-ownership-controls",
                bucket=expected.bucket,
                ownership_controls={"Rules": [{"ObjectOwnership": NO_ACLS}]},
            ),
        )


def judge_lifecycle(rules: Sequence[Mapping[str, Any]], expected: Expected) -> Iterator[Finding]:
    """Some rule ends unfinished uploads of the whole bucket within days."""
    days = [found for rule in rules if (found := unfinished_days(rule))]
    if days and min(days) <= UNFINISHED_DAYS:
        return
    late = f"removed only after {min(days)} days" if days else "never removed"
    yield Finding(
        id="unfinished-uploads.kept",
        what=f"Unfinished uploads are {late}.",
        why=WHY_UNFINISHED,
        # The call replaces all rules of the bucket.
        change=aws(
            expected,
            "s3api put-bucket-lifecycle-configuration",
            bucket=expected.bucket,
            lifecycle_configuration={"Rules": [*rules, UNFINISHED_RULE]},
        ),
        severity=Severity.WARNING,
    )
