"""The checks of the vendor: who it is, what its clock says, and that it may do nothing else."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from credentials.doctor.attempts import IAM_CHECK, S3_CHECK, WHY, Attempt, judge_attempts
from credentials.doctor.clocks import judge_clock
from credentials.doctor.findings import Finding, Severity
from credentials.doctor.identity_policies import policies_of, policies_of_user
from credentials.doctor.obstacles import (
    NotLookedAt,
    NotPermitted,
    NotSupported,
    Obstacle,
    Unclear,
)
from credentials.doctor.principals import account_of, kind_of, name_of
from credentials.doctor.scene import Scene
from credentials.doctor.session_checks import BODY, page_of
from credentials.doctor.vendor_policies import CHECK, judge_vendor_policies
from credentials.isolation.verdicts import Outcome

Calls = Mapping[str, Callable[[], Any]]


def clock(scene: Scene) -> Iterator[Finding]:
    """Every answer carries the store's time, a refusal too."""
    try:
        scene.caller()
    except Obstacle:
        if scene.vendor.ahead_seconds is None:
            raise
    if scene.vendor.ahead_seconds is None:
        raise NotLookedAt("the store does not tell its time")
    yield from judge_clock(scene.vendor.ahead_seconds)


def vendor(scene: Scene) -> Iterator[Finding]:
    """The service has credentials of its own, and they are not an account's root."""
    caller = scene.caller()
    if kind_of(caller) == "root":
        yield Finding(
            id="vendor.root",
            what=f"The service runs as the root of account {account_of(caller)}.",
            why=f"Nothing limits it. {WHY}",
            change="Make a user or role for the service, and give it that one's key:\n"
            f"manage.py bootstrap_store --store {scene.store.name} --apply",
        )


def vendor_s3(scene: Scene) -> Iterator[Finding]:
    """Everything here aims at the canary build, at the whole bucket only to look."""
    hand, where = scene.vendor, {"Bucket": scene.expected.bucket}
    calls: dict[str, Callable[[], Any]] = {
        "to list buckets": lambda: _list_buckets(scene),
        "to look at the bucket": lambda: hand.ask(hand.s3, "head_bucket", **where),
        "to list the bucket": lambda: hand.ask(hand.s3, "list_objects_v2", MaxKeys=1, **where),
        "to write below a build": lambda: _write(scene),
    }
    # What is not there cannot show a refusal: some stores say so before they look who asks.
    if page_of(scene) in scene.written:
        calls |= _page_calls(scene)
    yield from judge_attempts(S3_CHECK, _attempts(calls), scene.expected)


def _page_calls(scene: Scene) -> Calls:
    """What can be done to the page that a session has written."""
    hand = scene.vendor
    page = {"Bucket": scene.expected.bucket, "Key": page_of(scene)}
    return {
        "to read a build": lambda: hand.ask(hand.s3, "get_object", **page),
        "to change ACLs of a build": lambda: hand.ask(
            hand.s3, "put_object_acl", ACL="private", **page
        ),
        "to delete from a build": lambda: hand.ask(hand.s3, "delete_object", **page),
    }


def vendor_iam(scene: Scene) -> Iterator[Finding]:
    hand, role = scene.vendor, scene.expected.role_name
    calls: Calls = {
        "to list users": lambda: hand.ask(hand.iam, "list_users"),
        "to list roles": lambda: hand.ask(hand.iam, "list_roles"),
        "to look at the role": lambda: hand.ask(hand.iam, "get_role", RoleName=role),
        "to list the role's policies": lambda: hand.ask(
            hand.iam, "list_role_policies", RoleName=role
        ),
    }
    yield from judge_attempts(IAM_CHECK, _attempts(calls), scene.expected)


def vendor_policies(scene: Scene) -> Iterator[Finding]:
    """Read as well, since not everything can be tried. Less than an error where it cannot be."""
    expected = scene.expected
    if not expected.vendor_arn:
        raise NotLookedAt("the vendor's name is not known")
    if account_of(expected.vendor_arn) != expected.account:
        raise NotLookedAt("the vendor is in another account than the role")
    name = name_of(expected.vendor_arn)
    try:
        if kind_of(expected.vendor_arn) == "user":
            documents = policies_of_user(scene.auditor, name=name)
        else:
            documents = policies_of(scene.auditor, kind="role", name=name)
    except NotPermitted as err:
        yield replace(err.finding(CHECK), severity=Severity.WARNING)
        return
    yield from judge_vendor_policies(documents, expected)


def _attempts(calls: Calls) -> list[Attempt]:
    found = (_attempt(title, act) for title, act in calls.items())
    return [attempt for attempt in found if attempt]


def _attempt(title: str, act: Callable[[], Any]) -> Attempt | None:
    """None where the store knows no such call."""
    try:
        if act() is None:
            return Attempt(call=title, outcome=Outcome.UNCLEAR, answer="404")
    except NotPermitted:
        return Attempt(call=title, outcome=Outcome.REFUSED)
    except NotSupported:
        return None
    except Unclear as err:
        return Attempt(call=title, outcome=Outcome.UNCLEAR, answer=err.answer)
    return Attempt(call=title, outcome=Outcome.ACCEPTED)


def _list_buckets(scene: Scene) -> Any:
    """Ceph lets everybody list his own buckets: where there are none, nothing was shown."""
    answer = scene.vendor.ask(scene.vendor.s3, "list_buckets")
    if answer and not scene.expected.is_aws and not answer.get("Buckets"):
        raise NotSupported("everybody may list his own buckets")
    return answer


def _write(scene: Scene) -> Any:
    """What should not have been written is removed at once, or at the end."""
    hand = scene.vendor
    where = {"Bucket": scene.expected.bucket, "Key": f"{scene.build.root}/vendor.html"}
    answer = hand.ask(hand.s3, "put_object", Body=BODY, **where)
    if answer:
        try:
            hand.ask(hand.s3, "delete_object", **where)
        except Obstacle:
            scene.written.append(where["Key"])
    return answer
