"""What cannot be read is tried: a session assumes and writes, the vendor must be refused all else.

The session is one that this service issues, as for a job: with a ledger row.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.exceptions import ClientError
from django.utils import timezone

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
    NotPermitted,
    NotSupported,
    Obstacle,
    Unclear,
    Whose,
)
from credentials.operations.findings import Finding, Severity
from credentials.rules.principals import kind_of
from credentials.vending.issuing import VendedSession, issue_session, s3_client
from credentials.vending.store_errors import CALL_FAILED, error_code, http_status, loggable

INTERNAL = Origin(agent="ltdkeeper doctor")
BODY = b"ltdkeeper doctor"
WHY_ASSUMING = "Every job's credentials come from this call: all of them fail."
WHY_WRITING = "A job's upload is this call: all of them fail."
WHY_STOLEN = (
    "The vendor's key lies in the web service's memory. Who steals it has these rights at once, "
    "for any length of time, with no row in the ledger."
)
ONLY_ASSUMING = (
    "Leave the vendor one right, to assume the upload roles: take every other from it, also those "
    "of its groups and of buckets."
)

Calls = Mapping[str, Callable[[], Any]]


def vendor(examination: Examination) -> Iterator[Finding]:
    """The service has credentials of its own, and they are not an account's root."""
    caller = examination.caller()
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
            change=f"{err.message} Where it is only switched off, switch it on, and make the "
            "role with the store's own tools, with the documents of:\n"
            f"manage.py bootstrap_store --store {examination.store.name} --format json",
        )
    except DomainError as err:
        yield Finding(
            rule="assuming.failed",
            what=f"AssumeRole failed ({err.code}): {err.message}",
            why=WHY_ASSUMING,
            change="The service's log has the store's own words, under assume_role_failed.",
        )


def writing(examination: Examination) -> Iterator[Finding]:
    """A session can write below its build's root: role, bucket and key let it."""
    if examination.session is None:
        raise NotLookedAt(reason="there is no session to write with")
    build, key = examination.build, examination.page
    try:
        s3_client(examination.session).put_object(Bucket=build.bucket_name, Key=key, Body=BODY)
    except ClientError as err:
        code = error_code(err)
        if code == "NoSuchBucket":  # reported elsewhere
            raise NoBucket(reason="there is no bucket") from err
        yield Finding(
            rule="writing.refused",
            what=f"A session cannot write below its build's root, {build.root}: "
            f"{http_status(err)} {code}.",
            why=WHY_WRITING,
            change="Mend what is found about the role's policies, its boundary, the bucket's "
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
        s3 = s3_client(_issue(examination, Delivery.CLEAN))
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
        return issue_session(
            caller=examination.probes.caller,
            build_id=examination.build.pk,
            delivery=delivery,
            origin=INTERNAL,
            now=timezone.now(),
        )
    except (VendorCredentialsMissing, VendorCredentialsRefused) as err:
        raise KeyRefused(whose=Whose.VENDOR, answer=err.code) from err


def vendor_s3(examination: Examination) -> Iterator[Finding]:
    """Everything here aims at the probe build, at the whole bucket only to look."""
    where = {"Bucket": examination.store.bucket}

    def call(method: str, **arguments: Any) -> Callable[[], Any]:
        return lambda: examination.vendor.ask("s3", method, **where, **arguments)

    calls: dict[str, Callable[[], Any]] = {
        "to list buckets": lambda: _list_buckets(examination),
        "to look at the bucket": call("head_bucket"),
        "to list the bucket": call("list_objects_v2", MaxKeys=1),
        "to write below a build": lambda: _write(examination),
    }
    # What is not there cannot show a refusal: some stores say so before they look who asks.
    if (page := examination.page) in examination.written:
        calls |= {
            "to read a build": call("get_object", Key=page),
            "to change ACLs of a build": call("put_object_acl", Key=page, ACL="private"),
            "to delete from a build": call("delete_object", Key=page),
        }
    change = ONLY_ASSUMING
    if examination.store.endpoint_url:
        change += (
            " Where the objects of its sessions belong to the vendor, this denies it what it owns:"
            f"\n{examination.set_up}"
        )
    yield from _judged("vendor-s3", _tried(calls), change)


def vendor_iam(examination: Examination) -> Iterator[Finding]:
    """To change something is tried as well, by removing what nobody has made."""
    role = {"RoleName": examination.account.role_name}
    nobody = f"ltdkeeper-doctor-{examination.build.slug}"

    def call(method: str, **arguments: Any) -> Callable[[], Any]:
        return lambda: examination.vendor.ask("iam", method, **arguments)

    looks = {
        "to list users": call("list_users"),
        "to list roles": call("list_roles"),
        "to look at the role": call("get_role", **role),
        "to list the role's policies": call("list_role_policies", **role),
    }
    changes = {"to remove users": call("delete_user", UserName=nobody)}
    if not examination.is_without_role:
        changes["to change the role's policies"] = call(
            "delete_role_policy", **role, PolicyName=nobody
        )
    answers = _tried(looks) | _tried(changes, if_missing="")
    yield from _judged("vendor-iam", answers, ONLY_ASSUMING)


def _tried(calls: Calls, *, if_missing: str = "404") -> dict[str, str]:
    """What was not refused: empty where it was accepted, else an answer that is neither.

    `if_missing` says what it means that the store found nothing to do it to.
    """
    answers = {}
    for title, act in calls.items():
        try:
            answers[title] = if_missing if act() is None else ""
        except (NotPermitted, NotSupported):
            continue
        except Unclear as err:
            answers[title] = err.names["answer"]
    return answers


def _judged(check: str, answers: Mapping[str, str], change: str) -> Iterator[Finding]:
    """All of it must have been refused."""
    accepted = [title for title, answer in answers.items() if not answer]
    unclear = [f"{title} ({answer})" for title, answer in answers.items() if answer]
    if accepted:
        yield Finding(
            rule=f"{check}.allowed",
            what=f"The vendor was allowed {', '.join(accepted)}.",
            why=WHY_STOLEN,
            change=change,
        )
    if unclear:
        yield Finding(
            rule=f"{check}.unclear",
            what=f"The store neither did nor refused what the vendor tried: {', '.join(unclear)}.",
            why="Only a refusal shows that the vendor may not.",
            change="Run the doctor again; if it stays, ask whoever runs the store.",
            severity=Severity.WARNING,
        )


def _list_buckets(examination: Examination) -> Any:
    """Ceph lets everybody list his own buckets: where there are none, nothing was shown."""
    answer = examination.vendor.ask("s3", "list_buckets")
    if answer and examination.store.endpoint_url and not answer.get("Buckets"):
        raise NotSupported(reason="everybody may list his own buckets")
    return answer


def _write(examination: Examination) -> Any:
    """What should not have been written is removed at once, or at the end."""
    ask = examination.vendor.ask
    where = {"Bucket": examination.store.bucket, "Key": f"{examination.build.root}/vendor.html"}
    answer = ask("s3", "put_object", Body=BODY, **where)
    if answer:
        try:
            ask("s3", "delete_object", **where)
        except Obstacle:
            examination.written.append(where["Key"])
    return answer
