"""The checks made with a session that this service issues, as for a job: with a ledger row."""

from collections.abc import Iterator

from botocore.exceptions import ClientError
from django.utils import timezone

from builds.errors import DomainError
from credentials.access.callers import Origin
from credentials.doctor.commands import aws
from credentials.doctor.findings import Finding, Severity
from credentials.doctor.obstacles import KeyRefused, NoBucket, NotLookedAt, Obstacle, Unclear, Whose
from credentials.doctor.refusals import NO_BUCKET
from credentials.doctor.scene import Scene
from credentials.errors import (
    RoleNotAssumable,
    StsNotSupported,
    VendorCredentialsMissing,
    VendorCredentialsRefused,
)
from credentials.models import Delivery
from credentials.vending.issuing import VendedSession, issue_session, s3_client
from credentials.vending.store_errors import CALL_FAILED, error_code, http_status, loggable

INSIDE = Origin(agent="ltdkeeper doctor")
BODY = b"ltdkeeper doctor"
WHY_ASSUMING = "Every job's credentials come from this call: all of them fail."
WHY_WRITING = "A job's upload is this call: all of them fail."


def assuming(scene: Scene) -> Iterator[Finding]:
    """The vendor can assume the role, for the canary build."""
    try:
        scene.session = _issue(scene, Delivery.PROBE)
    except RoleNotAssumable as err:
        if scene.is_without_role:
            raise NotLookedAt("there is no role") from err
        yield _refused(scene)
    except StsNotSupported as err:
        yield Finding(
            id="assuming.not-supported",
            what="The store does not know AssumeRole, or has it switched off.",
            why=WHY_ASSUMING,
            change=f"{err.message} Where it is only switched off, switch it on, and make the "
            "role with the store's own tools, with the documents of:\n"
            f"manage.py bootstrap_store --store {scene.store.name} --format json",
        )
    except DomainError as err:
        yield Finding(
            id="assuming.failed",
            what=f"AssumeRole failed ({err.code}): {err.message}",
            why=WHY_ASSUMING,
            change="The service's log has the store's own words, under assume_role_failed.",
        )


def writing(scene: Scene) -> Iterator[Finding]:
    """A session can write below its build's root: role, bucket and key let it."""
    if scene.session is None:
        raise NotLookedAt("there is no session to write with")
    key = page_of(scene)
    try:
        s3_client(scene.session).put_object(Bucket=scene.build.bucket_name, Key=key, Body=BODY)
    except ClientError as err:
        yield _not_written(scene, err)
    except CALL_FAILED as err:
        raise Unclear(action="s3:PutObject", answer=loggable(err)) from None
    else:
        scene.written.append(key)


def cleaning(scene: Scene) -> Iterator[Finding]:
    """What the doctor wrote is removed, with a session that may remove it and do nothing else."""
    if not scene.written:
        return
    try:
        s3 = s3_client(_issue(scene, Delivery.CLEAN))
        for key in scene.written:
            s3.delete_object(Bucket=scene.build.bucket_name, Key=key)
    except (Obstacle, DomainError, *CALL_FAILED):
        yield _left_over(scene)


def page_of(scene: Scene) -> str:
    """The key of the page that is written for the other checks."""
    return f"{scene.build.root}/index.html"


def _issue(scene: Scene, delivery: Delivery) -> VendedSession:
    """Raises a DomainError, or the Obstacle that it stands for."""
    scene.vendor.require_open(scene.vendor.sts.meta.endpoint_url)
    try:
        return issue_session(
            caller=scene.canaries.caller,
            build_id=scene.build.pk,
            delivery=delivery,
            origin=INSIDE,
            now=timezone.now(),
        )
    except (VendorCredentialsMissing, VendorCredentialsRefused) as err:
        raise KeyRefused(whose=Whose.VENDOR, answer=err.code) from err


def _refused(scene: Scene) -> Finding:
    expected = scene.expected
    change = "Name the vendor as the trust policy's Principal, under no condition it does not meet."
    if expected.vendor_arn:
        change = aws(
            expected,
            "iam update-assume-role-policy",
            role_name=expected.role_name,
            policy_document=expected.trust,
        )
    return Finding(
        id="assuming.refused",
        what=f"The vendor {expected.vendor_arn} may not assume {expected.role_arn}.",
        why=WHY_ASSUMING,
        change=change,
    )


def _not_written(scene: Scene, err: ClientError) -> Finding:
    """Raises NoBucket, which is told elsewhere."""
    code = error_code(err)
    if code == NO_BUCKET:
        raise NoBucket("there is no bucket") from err
    return Finding(
        id="writing.refused",
        what=f"A session cannot write below its build's root, {scene.build.root}: "
        f"{http_status(err)} {code}.",
        why=WHY_WRITING,
        change="Mend what is found about the role's policies, its boundary, the bucket's policy, "
        "its public access block and its key; one of them refuses it.",
    )


def _left_over(scene: Scene) -> Finding:
    expected = scene.expected
    bucket = expected.bucket
    remove = [aws(expected, "s3api delete-object", bucket=bucket, key=k) for k in scene.written]
    return Finding(
        id="cleaning.left-over",
        what=f"Not removed: {', '.join(scene.written)}.",
        why="Test objects of this check stay in the bucket, below the canary product.",
        change="\n".join(remove),
        severity=Severity.WARNING,
    )
