"""What the vendor may do with its own key is tried: nothing of S3, nothing of IAM."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from credentials.doctor.attempts import IAM_CHECK, S3_CHECK, Attempt, judge_attempts
from credentials.doctor.findings import Finding
from credentials.doctor.obstacles import NotPermitted, NotSupported, Obstacle, Unclear
from credentials.doctor.scene import Scene
from credentials.doctor.session_checks import BODY, page_of
from credentials.rules.verdicts import Outcome

Calls = Mapping[str, Callable[[], Any]]


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
    """To change something is tried as well, by removing what nobody has made."""
    hand, role = scene.vendor, scene.expected.role_name
    nobody = f"ltdkeeper-doctor-{scene.build.slug}"
    looks: Calls = {
        "to list users": lambda: hand.ask(hand.iam, "list_users"),
        "to list roles": lambda: hand.ask(hand.iam, "list_roles"),
        "to look at the role": lambda: hand.ask(hand.iam, "get_role", RoleName=role),
        "to list the role's policies": lambda: hand.ask(
            hand.iam, "list_role_policies", RoleName=role
        ),
    }
    changes: dict[str, Callable[[], Any]] = {
        "to remove users": lambda: hand.ask(hand.iam, "delete_user", UserName=nobody),
    }
    if not scene.is_without_role:
        changes["to change the role's policies"] = lambda: hand.ask(
            hand.iam, "delete_role_policy", RoleName=role, PolicyName=nobody
        )
    attempts = [*_attempts(looks), *_attempts(changes, if_missing=Outcome.ACCEPTED)]
    yield from judge_attempts(IAM_CHECK, attempts, scene.expected)


def _attempts(calls: Calls, *, if_missing: Outcome = Outcome.UNCLEAR) -> list[Attempt]:
    """`if_missing`: what it means that the store found nothing to do it to."""
    found = (_attempt(title, act, if_missing) for title, act in calls.items())
    return [attempt for attempt in found if attempt]


def _attempt(title: str, act: Callable[[], Any], if_missing: Outcome) -> Attempt | None:
    """None where the store knows no such call."""
    try:
        if act() is None:
            return Attempt(call=title, outcome=if_missing, answer="404")
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
