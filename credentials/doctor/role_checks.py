"""The checks of the upload role, made with the auditor's credentials."""

from collections.abc import Iterator

from credentials.doctor import subjects
from credentials.doctor.commands import aws
from credentials.doctor.denials import judge_denials
from credentials.doctor.expected import Expected
from credentials.doctor.findings import Finding
from credentials.doctor.identity_policies import managed_policy, policies_of
from credentials.doctor.lifetimes import judge_lifetimes
from credentials.doctor.needs import judge_needs
from credentials.doctor.obstacles import NotSupported, Obstacle
from credentials.doctor.rights import judge_width
from credentials.doctor.scene import Scene
from credentials.doctor.trust import judge_trust

WHY_ROLE = "Every session is one of this role: without it no job gets credentials."
WHY_BOUNDARY = (
    "Who may write the role's policies, as the revoker may, can give every session any right of "
    "the account."
)


def role(scene: Scene) -> Iterator[Finding]:
    """There is a role of the name, and it is the one that the store names."""
    found, expected = scene.found_role, scene.expected
    if found is None:
        yield Finding(
            id="role.missing",
            what=f"There is no role {expected.role_name} in the auditor's account.",
            why=WHY_ROLE,
            change="Make it, or set the store's upload role ARN in the admin:\n"
            f"manage.py bootstrap_store --store {scene.store.name} --apply",
        )
    elif found["Arn"] != expected.role_arn:
        yield Finding(
            id="role.other-arn",
            what=f"The role is {found['Arn']}, and the store names {expected.role_arn}.",
            why=WHY_ROLE,
            change="Set the store's upload role ARN in the admin, or give the doctor the auditor "
            "of that account.",
        )


def trust(scene: Scene) -> Iterator[Finding]:
    yield from judge_trust(scene.role["AssumeRolePolicyDocument"], scene.expected)


def lifetimes(scene: Scene) -> Iterator[Finding]:
    yield from judge_lifetimes(scene.role.get("MaxSessionDuration"), scene.expected)


def role_policies(scene: Scene) -> Iterator[Finding]:
    """They allow what uploads need and no more, and deny what makes a build public."""
    expected = scene.expected
    documents = policies_of(scene.auditor, kind="role", name=expected.role_name)
    yield from _judged(subjects.role_policies(documents, expected), expected)


def _judged(subject: subjects.Subject, expected: Expected) -> Iterator[Finding]:
    yield from judge_width(subject, expected)
    yield from judge_needs(subject, expected)
    yield from judge_denials(subject, expected)


def boundary(scene: Scene) -> Iterator[Finding]:
    """The role carries one, which allows what uploads need and no more, and denies the same."""
    expected = scene.expected
    arn = scene.role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")
    if not arn:
        _require_policies(scene)
        yield _missing_boundary(scene, "The role has no permissions boundary.")
        return
    document = managed_policy(scene.auditor, arn)
    if document is None:
        yield _missing_boundary(scene, f"The role's boundary, {arn}, does not exist.")
        return
    yield from _judged(subjects.boundary(document, arn=arn, expected=expected), expected)


def _require_policies(scene: Scene) -> None:
    """Raises NotSupported where a store knows no managed policies, and so no boundary."""
    try:
        managed_policy(scene.auditor, scene.expected.boundary_arn)
    except NotSupported:
        raise
    except Obstacle:
        return  # it knows them, whether or not the auditor may see this one


def _missing_boundary(scene: Scene, what: str) -> Finding:
    expected = scene.expected
    put = aws(
        expected,
        "iam put-role-permissions-boundary",
        role_name=expected.role_name,
        permissions_boundary=expected.boundary_arn,
    )
    make = aws(
        expected,
        "iam create-policy",
        policy_name=expected.boundary_name,
        policy_document=expected.boundary,
    )
    return Finding(
        id="boundary.missing",
        what=what,
        why=WHY_BOUNDARY,
        change=f"Make the boundary's policy, if there is none, and put it on the role:\n{make}\n"
        f"{put}",
    )
