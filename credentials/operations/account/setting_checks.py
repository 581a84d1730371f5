"""The doctor's checks of settings: the store's row, the role, the durations, the bucket, the key.

Made with the auditor's credentials. Each yields its findings, and may raise an Obstacle at any
point.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import orjson
from django.conf import settings
from django.core.exceptions import ValidationError

from builds.models import Store
from credentials.operations.account import bucket, consistency, identities
from credentials.operations.account.examination import Examination
from credentials.operations.account.obstacles import NoBucket, NotLookedAt, Obstacle
from credentials.operations.account.requirements import Requirement
from credentials.operations.findings import Finding, Severity
from credentials.rules.principals import is_session

BLOCKS_POLICIES = ("BlockPublicPolicy", "RestrictPublicBuckets")
NO_TRAIL = "no bucket is named in LTD_TRAIL_BUCKET, or the store is not AWS"


def row(examination: Examination) -> Iterator[Finding]:
    """Every value of the store's row is legal: nothing else can be said of one that is not."""
    try:
        examination.store.clean_fields()
        examination.store.clean()
    except ValidationError as err:
        faults = (f"{name}: {' '.join(texts)}" for name, texts in err.message_dict.items())
        yield Finding(
            rule="row.invalid",
            what=f"The store is not legal: {' '.join(faults)}",
            why="No credentials are issued for names that could mean something else.",
            change="Correct the store in the admin.",
        )


def endpoint(examination: Examination) -> Iterator[Finding]:
    store = examination.store
    yield from consistency.judge_endpoints(
        role_arn=store.role_arn,
        region=store.region,
        endpoint_url=store.endpoint_url,
        public_endpoint_url=store.public_endpoint_url,
    )


def clock(examination: Examination) -> Iterator[Finding]:
    """Every response carries the store's time, a refusal too."""
    try:
        examination.vendor.caller()
    except Obstacle:
        if examination.vendor.ahead_seconds is None:
            raise
    if examination.vendor.ahead_seconds is None:
        raise NotLookedAt(reason="the store does not tell its time")
    yield from consistency.judge_clock(examination.vendor.ahead_seconds)


def role(examination: Examination) -> Iterator[Finding]:
    """There is one of the name, and it is the one that the store names."""
    requirement = identities.role(examination.auditor, examination.account)
    found = examination.found_role
    requirement = replace(requirement, look=lambda: found and found["Arn"])
    yield from _required(requirement, "role.missing", examination)


def lifetimes(examination: Examination) -> Iterator[Finding]:
    store = examination.store
    try:
        is_chained = is_session(examination.vendor.caller())
    except Obstacle:
        is_chained = False
    products = store.products.exclude(session_seconds=None)
    durations = consistency.Durations(
        role=examination.role.get("MaxSessionDuration"),
        store=store.role_max_seconds,
        default=settings.LTD_SESSION_SECONDS,
        posts=settings.LTD_POST_LIFETIME if _signs_posts(store) else None,
        products={product.slug: product.session_seconds or 0 for product in products},
        is_chained=is_chained,
    )
    yield from consistency.judge_durations(durations, set_up=examination.set_up)


def _signs_posts(store: Store) -> bool:
    """Whether this service presigns POSTs for the store, as `identity_for_posts` decides it."""
    if store.post_support == Store.PostSupport.UNKNOWN:
        return not store.endpoint_url
    return store.post_support == Store.PostSupport.WORKS or bool(store.post_signer_profile)


def bucket_place(examination: Examination) -> Iterator[Finding]:
    """It exists, in the store's region."""
    store = examination.store
    try:
        answer = examination.bucket_setting("get_bucket_location")
    except NoBucket:
        yield Finding(
            rule="bucket.missing",
            what=f"There is no bucket {store.bucket}.",
            why="Uploads have nowhere to go.",
            change=f"Make it, or set the store's bucket in the admin:\n{examination.set_up}",
        )
        return
    yield from consistency.judge_location(
        (answer or {}).get("LocationConstraint"),
        region=store.region,
        is_aws=not store.endpoint_url,
    )


def public_access(examination: Examination) -> Iterator[Finding]:
    """All four must be on; those about ACLs need not be where the store takes ACLs."""
    requirement = bucket.public_access_block(examination.auditor, examination.account)
    if examination.takes_acls:
        requirement = replace(requirement, equals=_blocks_policies)
    yield from _required(requirement, "public-access.off", examination)


def _blocks_policies(found: Mapping[str, bool], _wanted: object) -> bool:
    return all(found.get(name) for name in BLOCKS_POLICIES)


def acls(examination: Examination) -> Iterator[Finding]:
    "The bucket accepts no ACLs"
    requirement = bucket.ownership(examination.auditor, examination.account)
    if not examination.takes_acls:
        yield from _required(requirement, "acls.on", examination)
    elif requirement.is_met(requirement.look()):
        yield Finding(
            rule="acls.off",
            what="The store is set to public-read ACLs, but its bucket accepts none.",
            why="Uploads that send an ACL fail.",
            change="Set the store's ACLs to none in the admin.",
        )


def unfinished_uploads(examination: Examination) -> Iterator[Finding]:
    requirement = bucket.unfinished_uploads(examination.auditor, examination.account)
    yield from _required(requirement, "unfinished-uploads.kept", examination, Severity.WARNING)


def encryption(examination: Examination) -> Iterator[Finding]:
    answer = examination.bucket_setting("get_bucket_encryption") or {}
    rules = answer.get("ServerSideEncryptionConfiguration", {}).get("Rules", [])
    yield from consistency.judge_encryption(rules, examination.store.kms_key_arn)


def kms_key(examination: Examination) -> Iterator[Finding]:
    """The key that the store names exists, where the bucket is, and can be used."""
    store = examination.store
    if not store.kms_key_arn:
        return
    misplaced = list(
        consistency.judge_key_arn(store.kms_key_arn, role_arn=store.role_arn, region=store.region)
    )
    yield from misplaced
    if misplaced:
        return
    answer = examination.auditor.ask("kms", "describe_key", KeyId=store.kms_key_arn)
    if answer:
        yield from consistency.judge_key(answer["KeyMetadata"])
        return
    yield Finding(
        rule="kms-key.missing",
        what=f"There is no key {store.kms_key_arn}.",
        why=consistency.WHY_KEY,
        change="Set the store's KMS key ARN in the admin to the key of its bucket.",
    )


def trail(examination: Examination) -> Iterator[Finding]:
    """The auditor may do what `audit_cloudtrail` does with a bucket: list it, read a log, and get
    the public keys for its digests.
    """
    name, ask = settings.LTD_TRAIL_BUCKET, examination.auditor.ask
    if not name or examination.store.endpoint_url:
        raise NotLookedAt(reason=NO_TRAIL)
    try:
        listed = ask("s3", "list_objects_v2", Bucket=name, MaxKeys=1)
    except NoBucket:
        yield Finding(
            rule="trail.missing",
            what=f"There is no bucket {name}.",
            why="What AWS recorded cannot be compared with the ledger.",
            change="Set LTD_TRAIL_BUCKET to the bucket of the account's trail.",
        )
        return
    for log in (listed or {}).get("Contents", ()):
        if read := ask("s3", "get_object", Bucket=name, Key=log["Key"]):
            read["Body"].close()
    ask("cloudtrail", "list_public_keys")


def _required(
    requirement: Requirement,
    rule: str,
    examination: Examination,
    severity: Severity = Severity.ERROR,
) -> Iterator[Finding]:
    """What the account holds is what it must hold, or all that its store can hold of that."""
    found = requirement.look()
    if requirement.is_met(found):
        return
    is_tolerated = found is not None and found == requirement.tolerated
    yield Finding(
        rule=rule,
        what=f"Not as expected: {requirement.what}.\n"
        f"+ {orjson.dumps(found).decode()}\n- {orjson.dumps(requirement.wanted).decode()}",
        why=f"{requirement.why} {requirement.tolerance}" if is_tolerated else requirement.why,
        change=examination.set_up,
        severity=Severity.WARNING if is_tolerated else severity,
    )
