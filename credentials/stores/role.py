"""The upload role: its boundary, its longest session, and what it may at most."""

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from credentials.stores.plan import Plan
from credentials.stores.setting import NOT_FOUND, Setting
from credentials.vending.store_errors import http_status

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


def boundary_policy_setting(iam: "IAMClient", plan: Plan) -> Setting:
    """The managed policy that the role carries as its boundary."""
    arn, document = plan.boundary_arn, plan.documents["boundary"]

    def put() -> None:
        if _policy_version(iam, arn) is None:
            iam.create_policy(PolicyName=plan.boundary_name, PolicyDocument=document)
            return
        _remove_old_versions(iam, arn)
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=document, SetAsDefault=True)

    return Setting(
        what=f"boundary policy {plan.boundary_name}",
        why="The most that any policy put on the upload role can mean.",
        wanted=json.loads(document),
        look=lambda: _policy_version(iam, arn),
        put=put,
        unsupported="Nothing but its own policy limits the upload role: no revoker is made.",
    )


def boundary_setting(iam: "IAMClient", plan: Plan) -> Setting:
    """The role carries its boundary."""

    def look() -> str | None:
        role = iam.get_role(RoleName=plan.role_name)["Role"]
        return role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn")

    return Setting(
        what=f"boundary of {plan.role_name}",
        why="With it, who may rewrite the role's policies cannot widen the role.",
        wanted=plan.boundary_arn,
        look=look,
        put=lambda: iam.put_role_permissions_boundary(
            RoleName=plan.role_name, PermissionsBoundary=plan.boundary_arn
        ),
        unsupported="Nothing but its own policy limits the upload role: no revoker is made.",
    )


def duration_setting(iam: "IAMClient", plan: Plan) -> Setting:
    """The role's longest session is what the service counts on."""

    def look() -> int | None:
        return iam.get_role(RoleName=plan.role_name)["Role"].get("MaxSessionDuration")

    return Setting(
        what=f"longest session of {plan.role_name}: {plan.session_seconds} s",
        why="The store refuses longer sessions, whoever asks.",
        wanted=plan.session_seconds,
        look=look,
        put=lambda: iam.update_role(
            RoleName=plan.role_name, MaxSessionDuration=plan.session_seconds
        ),
        unsupported="Set it with the store's own tools, or make the role anew.",
    )


def upload_policy_setting(iam: "IAMClient", plan: Plan) -> Setting:
    """The role's own policy: builds of its bucket, with the denials."""
    name, document = plan.role_name, plan.documents["upload"]
    return Setting(
        what=f"policy of {name}",
        why="Builds of this bucket only, never made public or redirected.",
        wanted=json.loads(document),
        look=lambda: iam.get_role_policy(RoleName=name, PolicyName=name)["PolicyDocument"],
        put=lambda: iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=document),
        unsupported="Give the role the document named upload with the store's own tools.",
    )


def _policy_version(iam: "IAMClient", arn: str) -> Any:
    """The document in force of a managed policy; None when there is no such policy."""
    try:
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    except ClientError as err:
        if http_status(err) == NOT_FOUND:
            return None
        raise
    found = iam.get_policy_version(PolicyArn=arn, VersionId=version)
    return found["PolicyVersion"]["Document"]


def _remove_old_versions(iam: "IAMClient", arn: str) -> None:
    """AWS keeps five versions at most and refuses a sixth."""
    for version in iam.list_policy_versions(PolicyArn=arn)["Versions"]:
        if not version["IsDefaultVersion"]:
            iam.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])
