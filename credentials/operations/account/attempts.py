"""Tests what cannot be read: the vendor assumes the role, and a session writes.

The session is one that this service issues, as for a job: with a ledger row.
"""

from collections.abc import Iterator

from botocore.exceptions import ClientError

from builds.errors import DomainError
from credentials.access.callers import Origin
from credentials.errors import (
    RoleNotAssumable,
    StsNotSupported,
    VendorCredentialsMissing,
    VendorCredentialsRefused,
)
from credentials.models import Delivery
from credentials.operations.account.examination import Examination
from credentials.operations.account.obstacles import (
    KeyRefused,
    NoBucket,
    NotLookedAt,
    Obstacle,
    Unclear,
    Whose,
)
from credentials.operations.findings import Finding, Severity
from credentials.rules.principals import kind_of
from credentials.vending.issuing import VendedSession, s3_client
from credentials.vending.store_clients import ONE_CALL
from credentials.vending.store_errors import CALL_FAILED, error_code, http_status, loggable

INTERNAL = Origin(agent="ltdkeeper doctor")
BODY = b"ltdkeeper doctor"
WHY_ASSUMING = "Every job's credentials come from this call: all of them fail."
WHY_WRITING = "A job's upload is this call: all of them fail."
WHY_STOLEN = (
    "The vendor's key lies in the web service's memory. Who steals it has these rights at once, "
    "for any length of time, with no row in the ledger."
)


def vendor(examination: Examination) -> Iterator[Finding]:
    "The service has AWS credentials"
    caller = examination.vendor.caller()
    if kind_of(caller) == "root":
        yield Finding(
            rule="vendor.root",
            what=f"The service runs as the root of the account, {caller}.",
            why=f"Nothing limits it. {WHY_STOLEN}",
            change="Make a user or role for the service, and give it that one's key:\n"
            f"{examination.set_up}",
        )


def assuming(examination: Examination) -> Iterator[Finding]:
    """The vendor can assume the role, for the probe build."""
    try:
        examination.session = _issue(examination, Delivery.PROBE)
    except RoleNotAssumable as err:
        if examination.is_without_role:
            raise NotLookedAt(reason="there is no role") from err
        role_arn = examination.store.role_arn
        yield Finding(
            rule="assuming.refused",
            what=f"The vendor {examination.vendor_arn} may not assume {role_arn}.",
            why=WHY_ASSUMING,
            change=examination.set_up,
        )
    except StsNotSupported as err:
        yield Finding(
            rule="assuming.not-supported",
            what="The store does not know AssumeRole, or has it switched off.",
            why=WHY_ASSUMING,
            change=f"{err.message} If it is only switched off, enable it, and create the role "
            "with the store's own tools, with the documents of:\n"
            f"manage.py bootstrap_store --store {examination.store.name} --format json",
        )
    except DomainError as err:
        yield Finding(
            rule="assuming.failed",
            what=f"AssumeRole failed ({err.code}): {err.message}",
            why=WHY_ASSUMING,
            change="The service's log has the store's message, under assume_role_failed.",
        )


def writing(examination: Examination) -> Iterator[Finding]:
    """A session can write below its build's root: role, bucket and key let it."""
    if examination.session is None:
        raise NotLookedAt(reason="there is no session to write with")
    build, key = examination.build, examination.page
    try:
        s3_client(examination.session, ONE_CALL).put_object(
            Bucket=build.bucket_name, Key=key, Body=BODY
        )
    except ClientError as err:
        code = error_code(err)
        if code == "NoSuchBucket":  # reported elsewhere
            raise NoBucket(reason="there is no bucket") from err
        yield Finding(
            rule="writing.refused",
            what=f"A session cannot write below its build's root, {build.root}: "
            f"{http_status(err)} {code}.",
            why=WHY_WRITING,
            change="Correct what is found about the role's policies, its boundary, the bucket's "
            "policy, its public access block and its key; one of them refuses it.",
        )
    except CALL_FAILED as err:
        raise Unclear(action="s3:PutObject", answer=loggable(err)) from None
    else:
        examination.written.append(key)


def cleaning(examination: Examination) -> Iterator[Finding]:
    """What the doctor wrote is removed, with a session that may remove it and do nothing else."""
    if not examination.written:
        return
    bucket = examination.store.bucket
    try:
        s3 = s3_client(_issue(examination, Delivery.CLEAN), ONE_CALL)
        for key in examination.written:
            s3.delete_object(Bucket=bucket, Key=key)
    except (Obstacle, DomainError, *CALL_FAILED):
        keys = ", ".join(examination.written)
        yield Finding(
            rule="cleaning.left-over",
            what=f"Not removed: {keys}.",
            why="Test objects of this check stay in the bucket, below the probe product.",
            change=f"Remove them from the bucket {bucket}.",
            severity=Severity.WARNING,
        )


def _issue(examination: Examination, delivery: Delivery) -> VendedSession:
    """Raises a DomainError, or the Obstacle that it stands for."""
    examination.vendor.require_answering(examination.vendor.sts.meta.endpoint_url)
    try:
        return examination.probes.session(examination.build, delivery, origin=INTERNAL)
    except (VendorCredentialsMissing, VendorCredentialsRefused) as err:
        raise KeyRefused(whose=Whose.VENDOR, answer=err.code) from err
